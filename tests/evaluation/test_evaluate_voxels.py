"""`calozoo evaluate` against files as the CaloChallenge publishes them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo.cli import main
from calozoo.evaluation.voxels import evaluate_voxels
from calozoo_core.io import calochallenge, read_showers, write_showers
from calozoo_core.io.calochallenge import SAMPLING_FRACTION, THRESHOLD_MEV
from calozoo_core.voxels import DATASETS

N = 60
VOXELS = DATASETS["dataset2"]


def write_public(path, energy_mev, voxels):
    """A file with the keys, shapes and packing of the public `dataset_2_2.hdf5`."""
    with h5py.File(path, "w") as file:
        for name, values in (("incident_energies", energy_mev[:, None]), ("showers", voxels)):
            file.create_dataset(name, data=values, compression="gzip")


def made_up(seed, n=N):
    random = np.random.default_rng(seed)
    energy = np.geomspace(1e3, 1e6, n)
    depth = np.exp(-(((np.arange(45) - 12) / 8) ** 2))[:, None, None] * np.ones((16, 1))
    shape = (depth * np.exp(-np.arange(9))).ravel()
    values = random.lognormal(0, 0.5, (n, 6480)) * shape
    values *= 0.95 * energy[:, None] / values.sum(axis=1, keepdims=True)
    values[values < THRESHOLD_MEV] = 0
    return energy, values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voxels")
    write_public(folder / "dataset_2_2.hdf5", *made_up(1))
    write_public(folder / "gen.hdf5", *made_up(2))
    write_public(folder / "small.hdf5", np.full(3, 1e4), np.ones((3, 368)))
    write_public(folder / "low.hdf5", np.full(N, 2e3), made_up(3)[1])
    write_public(folder / "empty.hdf5", made_up(1)[0], np.zeros((N, 6480)))
    showers = calochallenge.read_showers(
        folder / "gen.hdf5", VOXELS, detector="par04_siw", sampling_fraction=SAMPLING_FRACTION
    )
    write_showers(folder / "gen.h5", showers, generator="made-up", seed=7)
    return folder


@pytest.fixture(autouse=True)
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", *words])
    said = capsys.readouterr().err
    assert end.value.code in (1, 2)
    assert "Traceback" not in said
    return said


def figures(report):
    return {f["name"]: f.get("value") for f in report["figures"]}


def test_voxels_and_the_showers_they_belong_to_get_the_same_figures(capsys):
    words = ["--reference", "dataset_2_2.hdf5", "--json", "-", "--quiet"]
    main(["evaluate", "gen.hdf5", "gen.h5", *words])
    of_voxels, of_showers = json.loads(capsys.readouterr().out)
    assert of_voxels["generated"]["cells"] == of_showers["generated"]["cells"] == "voxels"
    assert of_showers["generated"]["generator"] == "made-up"
    assert of_voxels["readout"] == "the CaloChallenge's data set 2"
    assert of_voxels["reference"]["n_showers"] == N
    one, other = figures(of_voxels), figures(of_showers)
    assert {"voxels.energy_ratio", "voxels.voxel_energy", "voxels.centre_eta"} < one.keys()
    assert 0 < one["voxels.voxel_energy"] < 1e-3
    for name, value in one.items():
        # Points have 32 bits, which moves a value across the edge of a bin now and then.
        if value is not None:
            assert other[name] == pytest.approx(value, abs=0.02), name


def test_the_table_has_the_means_and_the_worst_layer(capsys):
    main(["evaluate", "gen.hdf5", "--reference", "dataset_2_2.hdf5", "--no-classifier"])
    out, err = capsys.readouterr()
    assert "voxels of the CaloChallenge's data set 2, from 0.01515 MeV" in out
    assert "layer_energy (mean)" in out
    assert "in layer" in out
    assert "AUC" not in out
    assert f"{2 * N} showers in" in err


def test_a_file_against_itself_is_not_apart():
    path = Path("dataset_2_2.hdf5")
    (report,) = evaluate_voxels([path], path, classifier=False)
    assert {f.value for f in report.figures if f.value is not None} == {0.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["small.hdf5", "--reference", "dataset_2_2.hdf5"], "368 voxels"),
        (["low.hdf5", "--reference", "dataset_2_2.hdf5"], "energies of the incident particles"),
        (["gen.hdf5", "--reference", "empty.hdf5"], "All voxels of empty.hdf5 are empty"),
        (["nowhere.h5", "--reference", "dataset_2_2.hdf5"], "nowhere.h5"),
        (["gen.hdf5", "--reference", "dataset_2_2.hdf5", "--place", "ild_siecal"], "--place"),
        (["gen.hdf5", "--reference", "dataset_2_2.hdf5", "--threshold", "1"], "--threshold"),
        (["gen.hdf5", "--reference", "dataset_2_2.hdf5", "--plots", "p"], "--plots"),
        (["gen.hdf5", "--reference", "dataset_2_2.hdf5", "--workers", "2"], "--workers"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(capsys, words, said):
    assert said in refused(capsys, *words)


def test_energies_to_generate_for_come_from_a_public_file(tmp_path):
    out = tmp_path / "g.h5"
    same = ["--energy", "@low.hdf5", "--dir", "@low.hdf5"]
    main(["generate", "--model", "toy", *same, "--out", str(out), "--quiet"])
    made = read_showers(out).incident
    np.testing.assert_allclose(made.energy, np.full(N, 2.0))
    np.testing.assert_allclose(made.direction, np.tile([0, 0, 1], (N, 1)))
