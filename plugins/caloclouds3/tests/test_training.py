"""Training on a handful of showers: every stage, resumed, and the same twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from calozoo_caloclouds3 import SPEC, training
from calozoo_caloclouds3.config import CaloCloudsConfig, preset
from calozoo_caloclouds3.data import Sample, flow_batch, measured_features, point_batch
from calozoo_caloclouds3.distill import consistency_loss
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_caloclouds3.physics import flow_physics
from calozoo_caloclouds3.points import PointWiseNet, consistency
from calozoo_caloclouds3.training import KEPT, train
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.showers import Showers

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


@pytest.fixture
def showers() -> Showers:
    """Points with about the right positions and energies, so that every histogram fills."""
    random = np.random.default_rng(8)
    n, points = 40, 500
    return Showers(
        offsets=np.arange(n + 1) * points,
        x=random.normal(0, 15, n * points),
        y=random.normal(0, 15, n * points),
        layer=np.sort(random.integers(0, 30, (n, points))).ravel(),
        energy=random.lognormal(-1.5, 1.2, n * points),
        incident=Incident(
            random.uniform(5, 100, n),
            np.column_stack([random.uniform(-0.1, 0.1, (n, 2)), np.ones(n)]),
        ),
        representation="x25",
        detector="ild_siecal_regular",
    )


@pytest.fixture
def data(tmp_path: Path, showers: Showers) -> Path:
    folder = tmp_path / "data"
    for part, rows in (("train", slice(0, 30)), ("val", slice(30, 40))):
        (folder / part).mkdir(parents=True)
        write_showers(folder / part / "showers.h5", showers[rows], generator="tiny")
    return folder


def assert_same_weights(one: Path, two: Path) -> None:
    """Up to rounding: a matrix product may differ in its last bit with where its memory begins."""
    torch.testing.assert_close(
        load_file(one / "flow" / KEPT), load_file(two / "flow" / KEPT), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("distillation", ["trajectory", "consistency"])
def test_a_training_ends_in_a_model_that_generates(
    data: Path, tmp_path: Path, distillation: str
) -> None:
    out = train(data, tmp_path / "run", distillation=distillation, **QUICK)
    model = CaloClouds3.load(SPEC, out)
    assert len(model.generate(energy=20, n=3)) == 3
    record = json.loads((out / "training.json").read_text())
    assert set(record["stages"]) == {"flow", "teacher", "student"}
    assert record["showers"] == {"train": 30, "val": 10}
    assert "score" in (out / "flow.csv").read_text()


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(data, tmp_path / "whole", stage="flow", **QUICK)
    looks = 0

    def stopped_at_the_second_look(*arguments: object) -> dict[str, float]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError
        return flow_physics(*arguments)

    monkeypatch.setattr(training, "flow_physics", stopped_at_the_second_look)
    with pytest.raises(RuntimeError):
        train(data, tmp_path / "stopped", stage="flow", **QUICK)
    assert not (tmp_path / "stopped" / "flow" / KEPT).exists()
    monkeypatch.undo()
    resumed = train(data, tmp_path / "stopped", stage="flow", **QUICK)
    assert_same_weights(resumed, whole)


def test_the_same_seed_trains_the_same_weights(data: Path, tmp_path: Path) -> None:
    one, two = (train(data, tmp_path / name, stage="flow", **QUICK) for name in ("one", "two"))
    assert_same_weights(one, two)


def test_training_leaves_the_global_random_state_alone(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(data, tmp_path / "run", stage="flow", **QUICK)
    torch.testing.assert_close(torch.rand(3), expected)


def test_an_unknown_option_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no option is called 'epochs'.*flow_epochs"):
        train(data, tmp_path / "run", epochs=3)


def test_a_stage_without_the_one_before_it_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'teacher' has not been trained"):
        train(data, tmp_path / "run", stage="student", **QUICK)


def test_a_folder_without_showers_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train/ and val/"):
        train(tmp_path, tmp_path / "run")


def test_mirrored_showers_are_mirrored_with_their_direction(
    showers: Showers, tiny_config: CaloCloudsConfig
) -> None:
    sample = Sample.of(showers, tiny_config)
    encoded, condition, _, _ = point_batch(sample, tiny_config.features, 200, 20, seed=1, step=0)
    known = {tuple(row) for row in sample.condition.tolist()}
    mirrored = {tuple(row * [1, -1, 1, 1]) for row in sample.condition.astype(np.float64)}
    seen = [tuple(row) for row in condition.tolist()]
    assert all(row in known or row in mirrored for row in seen)
    assert any(row in known for row in seen)
    assert any(row in mirrored for row in seen)
    assert encoded.shape == (200, 20, 4)


def test_batches_depend_on_the_step_alone(showers: Showers, tiny_config: CaloCloudsConfig) -> None:
    sample = Sample.of(showers, tiny_config)
    first, again = (flow_batch(sample, tiny_config, 8, seed=1, step=7) for _ in range(2))
    other = flow_batch(sample, tiny_config, 8, seed=1, step=8)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_measured_features_have_a_spread_of_one_half(
    showers: Showers, tiny_config: CaloCloudsConfig
) -> None:
    sample = Sample.of(showers, tiny_config)
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
