"""`calozoo calibrate`: factors that bring a model back to Geant4's means."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import calozoo
from calozoo import api
from calozoo.cli import main
from calozoo.evaluation.calibrate import ShowerTotals, calibrate, ratios
from calozoo_core.errors import InputError, OutputExistsError
from calozoo_core.io import ShowerFile, ShowerWriter, write_showers
from calozoo_core.representation import Representation

MODEL = "caloclouds3.ild-photon"
SHOWERS = os.environ.get("CALOZOO_SHOWERS")
needs_showers = pytest.mark.skipif(
    not SHOWERS, reason="CALOZOO_SHOWERS names no folder of Geant4 showers"
)


@pytest.fixture(scope="module")
def geant4(tmp_path_factory):
    """Geant4's showers of 35 to 55 GeV in the validation sample."""
    path = tmp_path_factory.mktemp("data") / "g4.h5"
    with (
        ShowerFile(Path(SHOWERS) / "val" / "photons_00.h5") as file,
        ShowerWriter(path, generator=file.generator, seed=0) as writer,
    ):
        energy = file.incident().energy
        for row in np.flatnonzero((energy > 35) & (energy < 55)):
            writer.append(file[row : row + 1])
    return path


@pytest.fixture(scope="module")
def misscaled(tmp_path_factory):
    """CaloClouds3 with a tenth too many points and a tenth too much energy."""
    folder = tmp_path_factory.mktemp("weights")
    ours = api.pull(MODEL).folder
    shutil.copy(ours / "model.safetensors", folder)
    config = json.loads((ours / "config.json").read_text())
    for name in ("n_points", "energy"):
        config["calibration"][name] *= 1.1
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@needs_showers
def test_a_model_that_is_a_tenth_off_is_brought_back(geant4, misscaled, tmp_path):
    out = tmp_path / "new"
    factors, record = calibrate(MODEL, [geant4], out, folder=misscaled, energy_gev=46)
    for name, factor in factors.items():
        before, after = record.before[name], record.after[name]
        assert abs(before.value - 1.1) < 4 * before.error
        assert abs(after.value - 1) < min(after.error, 1e-3)
        assert factor == pytest.approx(1 / before.value, rel=5e-3)
    kept = json.loads((out / "config.json").read_text())["calibration"]
    assert kept["record"] == json.loads(record.model_dump_json())
    assert kept["fitted_on"] == "g4.h5"
    same = (folder / "model.safetensors" for folder in (out, misscaled))
    assert len({path.read_bytes() for path in same}) == 1
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]


@needs_showers
def test_cells_calibrate_where_there_are_no_points_to_compare(geant4, misscaled, tmp_path):
    with ShowerFile(geant4) as file:
        cells = Representation.named("x1", cell=5.0883331298828125)(file[:], seed=1)
    write_showers(tmp_path / "x1.h5", cells, generator="geant4", seed=0)
    _, record = calibrate(
        MODEL,
        [tmp_path / "x1.h5"],
        tmp_path / "new",
        folder=misscaled,
        energy_gev=46,
    )
    assert (record.compared, record.readout) == ("cells", "ild_siecal_regular without gaps")
    for name, after in record.after.items():
        assert record.before[name].value > 1.03
        assert abs(after.value - 1) < after.error / 3


@needs_showers
def test_calibrated_weights_are_used_like_any_others(geant4, misscaled, tmp_path, capsys):
    out = str(tmp_path / "new")
    words = ["--data", str(geant4), "--energy", "46", "--weights", str(misscaled), "--out", out]
    main(["calibrate", MODEL, *words])
    assert "visible energy at 46 GeV" in capsys.readouterr().out
    showers = calozoo.load(MODEL, weights=Path(out)).generate(energy=50, n=2)
    assert len(showers) == 2
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        calibrate(MODEL, [geant4], Path(out))


@pytest.fixture
def toy_showers(tmp_path):
    showers = calozoo.load("toy").generate(energy=np.full(10, 50.0), seed=1)
    write_showers(tmp_path / "toy.h5", showers, generator="toy", seed=1)
    return tmp_path / "toy.h5"


def test_a_model_without_factors_says_so(toy_showers, tmp_path):
    with pytest.raises(InputError, match=r"toy\.ild-photon has no factors to calibrate"):
        calibrate("toy", [toy_showers], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_too_few_showers_of_the_energy_are_refused(toy_showers, tmp_path):
    with pytest.raises(InputError, match="10 showers within a tenth of 50 GeV are too few"):
        calibrate(MODEL, [toy_showers], tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("energy", [0, -1, float("nan")])
def test_an_energy_that_is_none_is_refused(toy_showers, tmp_path, energy):
    with pytest.raises(InputError, match="must be positive"):
        calibrate(MODEL, [toy_showers], tmp_path / "new", energy_gev=energy)


def test_the_error_of_a_ratio_knows_that_the_primaries_are_the_same():
    energy = np.linspace(10, 100, 400)
    truth = ShowerTotals(energy, 60 * energy, 20 * energy)
    mine = ShowerTotals(energy, 66 * energy, 22 * energy)
    found = ratios(mine, truth, 50)
    assert found["n_points"].value == pytest.approx(1.1)
    assert found["n_points"].error == pytest.approx(0, abs=1e-12)
