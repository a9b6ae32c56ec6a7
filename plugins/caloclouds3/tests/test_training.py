"""Training on a handful of showers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from calozoo_caloclouds3 import SPEC
from calozoo_caloclouds3.config import CaloCloudsConfig, preset
from calozoo_caloclouds3.distillation import consistency_loss
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_caloclouds3.pointwise_net import PointWiseNet, consistency
from calozoo_caloclouds3.training import train
from calozoo_caloclouds3.training_data import (
    TrainingShowers,
    flow_batch,
    measured_features,
    point_batch,
)
from calozoo_core.errors import InputError
from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import TrainerContract, made_up_showers, write_sample

QUICK = {
    "preset": "tiny",
    "flow_epochs": 2,
    "teacher_epochs": 2,
    "student_epochs": 2,
    "steps": 4,
    "bank_parts": 1,
    "validate_every": 1,
    "threads": 1,
}


class TestTraining(TrainerContract):
    spec = SPEC
    options = QUICK
    one_stage: ClassVar = {"stage": "flow"}


@pytest.fixture
def showers() -> Showers:
    return made_up_showers()


@pytest.fixture
def data(tmp_path: Path, showers: Showers) -> Path:
    return write_sample(tmp_path / "data", showers)


def test_the_published_distillation_ends_in_a_model_that_generates(
    data: Path, tmp_path: Path
) -> None:
    out = train(data, tmp_path / "run", distillation="consistency", **QUICK)
    assert len(CaloClouds3.load(SPEC, out).generate(energy=20, n=3)) == 3


def test_a_stage_without_the_one_before_it_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'teacher' has not been trained"):
        train(data, tmp_path / "run", stage="student", **QUICK)


def test_mirrored_showers_are_mirrored_with_their_direction(
    showers: Showers, tiny_config: CaloCloudsConfig
) -> None:
    sample = TrainingShowers.from_showers(showers, tiny_config)
    encoded, condition, _, _ = point_batch(sample, tiny_config.features, 200, 20, seed=1, step=0)
    known = {tuple(row) for row in sample.condition.tolist()}
    mirrored = {tuple(row * [1, -1, 1, 1]) for row in sample.condition.astype(np.float64)}
    seen = [tuple(row) for row in condition.tolist()]
    assert all(row in known or row in mirrored for row in seen)
    assert any(row in known for row in seen)
    assert any(row in mirrored for row in seen)
    assert encoded.shape == (200, 20, 4)


def test_batches_depend_on_the_step_alone(showers: Showers, tiny_config: CaloCloudsConfig) -> None:
    sample = TrainingShowers.from_showers(showers, tiny_config)
    first, again = (flow_batch(sample, tiny_config, 8, seed=1, step=7) for _ in range(2))
    other = flow_batch(sample, tiny_config, 8, seed=1, step=8)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_measured_features_have_a_spread_of_one_half(
    showers: Showers, tiny_config: CaloCloudsConfig
) -> None:
    sample = TrainingShowers.from_showers(showers, tiny_config)
    features = measured_features(sample, tiny_config.features)
    encoded, *_ = point_batch(sample, features, 200, 50, seed=1, step=0)
    spread = encoded.reshape(-1, 4).std(dim=0)
    torch.testing.assert_close(spread, torch.full((4,), 0.5), atol=0.1, rtol=0)


def test_the_consistency_loss_of_a_perfect_student_is_zero(random: torch.Generator) -> None:
    """A network that always denoises to zero takes every path to zero, in one step as in many."""

    class ToZero(PointWiseNet):
        def forward(
            self, x: torch.Tensor, log_sigma: torch.Tensor, _: torch.Tensor
        ) -> torch.Tensor:
            s = log_sigma.exp().view(-1, 1, 1)
            return -x * 0.5 / s

    net = ToZero(preset("tiny").points, random)
    zero = torch.zeros(6, 5, 4)
    noise = torch.randn(6, 5, 4, generator=random)
    level = torch.randn(6, generator=random)
    ends = consistency(net, 80 * noise, torch.full((6,), 80.0), torch.zeros(6, 4))
    assert ends.abs().max() < 0.02
    loss = consistency_loss(net, 20)(net, net, (zero, torch.zeros(6, 4), noise, level))
    assert loss < 1e-5
