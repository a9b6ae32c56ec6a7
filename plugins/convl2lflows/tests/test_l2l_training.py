"""Training on a handful of showers: every stage, resumed, and the same twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import torch

from calozoo_convl2lflows import SPEC
from calozoo_convl2lflows.config import preset
from calozoo_convl2lflows.training import train
from calozoo_convl2lflows.training_data import UprightShowers, cell_batch
from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import TrainerContract, write_sample

QUICK = {
    "preset": "tiny",
    "energies_epochs": 2,
    "subcells_epochs": 2,
    "cells_epochs": 2,
    "steps": 2,
    "validate_every": 1,
    "threads": 1,
    "looked_at": 4,
    "calibrate": 4,
}


class TestTraining(TrainerContract):
    spec = SPEC
    options = QUICK
    one_stage: ClassVar = {"stage": "energies"}


def test_the_record_names_the_showers_of_the_calibration(showers: Showers, tmp_path: Path) -> None:
    data = write_sample(tmp_path / "data", showers)
    out = train(data, tmp_path / "run", **QUICK)
    config = json.loads((out / "config.json").read_text())
    assert config["calibration"]["fitted_on"] == "4 of its training showers"
    assert "nll" in (out / "energies.csv").read_text()


def test_batches_depend_on_the_step_alone(showers: Showers) -> None:
    sample, config = UprightShowers.from_showers(showers), preset("tiny")
    first, again = (cell_batch(sample, config, 3, 2, seed=1, step=7) for _ in range(2))
    other = cell_batch(sample, config, 3, 2, seed=1, step=8)
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], other[0])


def test_the_layers_before_are_the_ones_before(showers: Showers) -> None:
    energy, before, _, energies, layer = cell_batch(
        UprightShowers.from_showers(showers), preset("tiny"), 4, 30, seed=1, step=0
    )
    own = energies.gather(1, layer[:, None])[:, 0]
    torch.testing.assert_close(energy.sum(dim=(1, 2)), own, rtol=1e-4, atol=1e-4)
    sums = (before.mul(2).expm1() * 0.03).sum(dim=(2, 3))
    for back in (1, 2):
        index = (layer - back).clamp(min=0)
        expected = torch.where(layer >= back, energies.gather(1, index[:, None])[:, 0], 0.0)
        torch.testing.assert_close(sums[:, back - 1], expected, rtol=1e-3, atol=1e-3)
