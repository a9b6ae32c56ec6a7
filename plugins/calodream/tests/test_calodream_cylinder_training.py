"""Training on the voxels of the CaloChallenge, with a handful of showers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pytest

from calozoo_calodream import ELECTRON_SPEC
from calozoo_calodream.cylinder.model import CaloDreamCylinder
from calozoo_calodream.cylinder.training import train, turned
from calozoo_core.testing.trainers import TrainerContract, made_up_electrons, write_sample
from calozoo_core.voxels import DATASETS

OPTIONS = {
    "preset": "tiny",
    "energies_epochs": 2,
    "shape_epochs": 2,
    "steps": 2,
    "energies_batch": 4,
    "shape_batch": 4,
    "validate_every": 1,
    "evaluations": 2,
    "threads": 1,
}


class TestCylinderTraining(TrainerContract):
    spec = ELECTRON_SPEC
    options: ClassVar = OPTIONS
    one_stage: ClassVar = {"stage": "energies"}

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return write_sample(tmp_path / "data", made_up_electrons())


def test_a_public_file_trains_a_model(tmp_path: Path) -> None:
    """With the keys, shapes and units of the public `dataset_2_1.hdf5`."""
    showers = made_up_electrons(20)
    with h5py.File(tmp_path / "dataset_2_1.hdf5", "w") as file:
        file["incident_energies"] = 1000.0 * showers.incident.energy[:, None]
        file["showers"] = DATASETS["dataset2"].fill(showers)[0] / 0.033
    options = OPTIONS | {"energies_epochs": 1, "shape_epochs": 1}
    out = train(tmp_path / "dataset_2_1.hdf5", tmp_path / "run", **options)
    record = json.loads((out / "training.json").read_text())
    assert list(record["data"]) == ["dataset_2_1.hdf5"]
    assert record["showers"] == {"train": 18, "val": 2}
    assert len(CaloDreamCylinder.load(ELECTRON_SPEC, out).generate(energy=20, n=3)) == 3


def test_no_more_showers_are_read_than_asked_for(tmp_path: Path) -> None:
    data = write_sample(tmp_path / "data", made_up_electrons())
    out = train(
        data, tmp_path / "run", **OPTIONS | {"energies_epochs": 1, "shape_epochs": 1}, showers=20
    )
    assert json.loads((out / "training.json").read_text())["showers"] == {"train": 20, "val": 10}


def test_turned_showers_keep_their_rings_and_the_order_around_the_axis() -> None:
    around = np.arange(16, dtype=np.float32)
    voxels = np.tile(around[:, None], (200, 2, 1, 3))
    some = turned(voxels, np.random.default_rng(3))
    np.testing.assert_array_equal(np.sort(some, axis=2), voxels)
    steps = np.diff(some[:, 0, :, 0], axis=1) % 16
    assert {tuple(set(row)) for row in steps} == {(1.0,), (15.0,)}
    assert len({tuple(row) for row in some[:, 0, :, 0]}) == 32
