"""Training of the electrons on files as the CaloChallenge publishes them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_caloinn.cylinder.config import preset
from calozoo_caloinn.cylinder.model import CaloInnCylinder
from calozoo_caloinn.cylinder.training import train
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.io.hdf5 import write_showers
from calozoo_core.testing import load_bundled
from calozoo_core.training.voxel_sample import read_training_voxels
from calozoo_core.typing import FloatArray

CONFIG = preset("tiny")
OPTIONS = {
    "preset": "tiny",
    "visible_epochs": 1,
    "layers_epochs": 1,
    "rings_epochs": 1,
    "steps": 2,
    "validate_every": 1,
    "layers_batch": 4,
    "rings_batch": 4,
    "threads": 1,
}


def write_public(path: Path, energy_mev: FloatArray, voxels: FloatArray) -> Path:
    """A file with the keys, shapes and packing of the public `dataset_2_1.hdf5`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in (("incident_energies", energy_mev[:, None]), ("showers", voxels)):
            file.create_dataset(name, data=values, compression="gzip")
    return path


@pytest.fixture(scope="module")
def electrons() -> tuple[FloatArray, FloatArray]:
    """Energies and voxels in MeV, voxels divided by the sampling fraction and cut."""
    showers = load_bundled(ELECTRON_SPEC).generate(energy=np.geomspace(1, 100, 20), seed=4)
    voxels = CONFIG.voxels.fill(showers)[0] / 0.033
    voxels[voxels < 0.5e-3 / 0.033] = 0
    return np.geomspace(1e3, 1e5, 20), voxels


def test_a_public_file_trains_a_model(
    tmp_path: Path, electrons: tuple[FloatArray, FloatArray]
) -> None:
    data = write_public(tmp_path / "dataset_2_1.hdf5", *electrons)
    out = train(data, tmp_path / "run", **OPTIONS)
    record = json.loads((out / "training.json").read_text())
    assert list(record["data"]) == ["dataset_2_1.hdf5"]
    assert record["showers"] == {"train": 18, "val": 2}
    assert len(CaloInnCylinder.load(ELECTRON_SPEC, out).generate(energy=20, n=3)) == 3


def test_voxels_come_back_as_deposits_and_the_last_tenth_is_held_out(
    tmp_path: Path, electrons: tuple[FloatArray, FloatArray]
) -> None:
    energy, voxels = electrons
    negative = voxels.copy()
    negative[:, 5] = -1  # which files may have, and the challenge sets to 0
    data = write_public(tmp_path / "d.hdf5", energy, negative)
    sample, held_out = read_training_voxels(data, CONFIG.voxels, 7)
    assert (len(sample), len(held_out), len(sample.voxels)) == (18, 2, 7)
    np.testing.assert_allclose(sample.energy_gev, energy[:18] / 1000, rtol=1e-6)
    expected = 0.033 * np.where(negative < 0, 0, voxels).reshape(-1, 45, 16, 9)
    np.testing.assert_allclose(sample.voxels, expected[:7], rtol=1e-5)
    np.testing.assert_allclose(sample.rings, expected[:18].sum(axis=2), rtol=1e-4)
    np.testing.assert_allclose(held_out.rings, expected[18:].sum(axis=2), rtol=1e-4)


def test_a_folder_may_have_both_layouts(
    tmp_path: Path, electrons: tuple[FloatArray, FloatArray]
) -> None:
    showers = load_bundled(ELECTRON_SPEC).generate(energy=[5, 50], seed=1)
    write_public(tmp_path / "train" / "dataset_2_1.hdf5", *electrons)
    (tmp_path / "val").mkdir()
    write_showers(tmp_path / "val" / "showers.h5", showers, generator="made-up")
    sample, held_out = read_training_voxels(tmp_path, CONFIG.voxels, 100)
    assert (len(sample), len(sample.voxels), len(held_out)) == (20, 20, 2)
    of_native = CONFIG.voxels.fill(showers)[0].reshape(-1, 45, 16, 9).sum(axis=2)
    np.testing.assert_allclose(held_out.rings, of_native, rtol=1e-5)


def test_what_is_no_public_file_of_data_set_2_is_refused(tmp_path: Path) -> None:
    native = tmp_path / "native.h5"
    write_showers(native, load_bundled(ELECTRON_SPEC).generate(energy=[5], seed=1), generator="m")
    with pytest.raises(InputError, match="not in the CaloChallenge's layout"):
        read_training_voxels(native, CONFIG.voxels, 10)
    other = write_public(tmp_path / "other.hdf5", np.ones(3), np.ones((3, 368)))
    with pytest.raises(ShowerFileError, match="368 voxels"):
        read_training_voxels(other, CONFIG.voxels, 10)
    single = write_public(tmp_path / "one.hdf5", np.ones(1), np.ones((1, 6480)))
    with pytest.raises(InputError, match="a single shower"):
        read_training_voxels(single, CONFIG.voxels, 10)
    broken = tmp_path / "text.hdf5"
    broken.write_text("no HDF5")
    with pytest.raises(ShowerFileError, match="HDF5"):
        read_training_voxels(broken, CONFIG.voxels, 10)
