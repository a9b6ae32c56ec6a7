"""The weights that ship: the contract, and Geant4's showers of the same primaries."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calozoo_caloscore import SPEC
from calozoo_caloscore.config import PRESETS
from calozoo_caloscore.model import CaloScore
from calozoo_core.clumps import VoxelMesh
from calozoo_core.clumps.generator import core_energies
from calozoo_core.detector import load_detector
from calozoo_core.observables import divergences, profiles
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.testing import ModelContract
from calozoo_core.training import read_sample

STUDENTS = [f"student_{steps}" for steps in PRESETS["ild-photon-clumps"].distilled]
WEIGHTS = Path(str(files("calozoo_caloscore"))) / "weights" / "ild-photon-clumps"


class TestCaloScore(ModelContract):
    spec = SPEC
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.12  # of Geant4 itself it is 0.08, straight in


@pytest.fixture(scope="module")
def model() -> CaloScore:
    return CaloScore.load(SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def pair(model: CaloScore) -> tuple[Showers, Showers]:
    """Showers of the model and Geant4's, for the same primaries, held out."""
    if "CALOZOO_SHOWERS" not in os.environ:
        pytest.skip("set CALOZOO_SHOWERS to a folder with train/*.h5 and val/*.h5")
    reference = read_sample(Path(os.environ["CALOZOO_SHOWERS"]), "val")
    return model.generate(reference.incident, seed=11), reference


def test_the_weights_are_those_of_the_preset(model: CaloScore) -> None:
    preset = PRESETS["ild-photon-clumps"]
    assert (model.config.energies, model.config.shape) == (preset.energies, preset.shape)
    assert model.config.fitted_on == "its training showers"
    assert 1 <= model.steps <= 8


def test_the_record_of_the_training_ships_with_the_weights() -> None:
    record = json.loads((WEIGHTS / "training.json").read_text(encoding="utf-8"))
    assert set(record["stages"]) == {"energies", "teacher", *STUDENTS}
    assert record["showers"] == {"train": 12_900, "val": 800}
    for stage in record["stages"]:
        assert "score" in (WEIGHTS / f"{stage}.csv").read_text(encoding="utf-8")


def test_the_profiles_are_those_of_geant4(pair: tuple[Showers, Showers]) -> None:
    detector = load_detector("ild_siecal_regular")
    # Cells: the model's points are finer than Geant4's here, and lie elsewhere in a millimetre.
    cells = Representation.named("x1", detector.cell_mm, at="centre")
    mine, theirs = (profiles([cells(showers, seed=1)], detector) for showers in pair)
    found = divergences(mine, theirs)
    assert found["layer_energy"] < 3e-4
    assert found["radius_energy"] < 1e-4
    assert found["energy_count"] < 1e-3


def test_rings_of_a_layer_go_together_as_geant4s_do(pair: tuple[Showers, Showers]) -> None:
    """Correlations of the rings over showers, which a mean profile knows nothing of."""
    mesh = VoxelMesh()
    mine, theirs = (np.log(core_energies(showers, mesh, 5)[:, 5:20] + 0.05) for showers in pair)
    energy = np.log(pair[1].incident.energy)
    for layer in range(0, 15, 3):
        apart = _partial(mine[:, layer], energy) - _partial(theirs[:, layer], energy)
        assert np.abs(apart).max() < 0.2


def _partial(rings: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Correlations of rings, shape (5, 5), beyond what the incident energy makes of them."""
    features = np.stack([np.ones_like(energy), energy, energy**2], axis=1)
    rest = rings - features @ np.linalg.lstsq(features, rings, rcond=None)[0]
    return np.corrcoef(rest.T)
