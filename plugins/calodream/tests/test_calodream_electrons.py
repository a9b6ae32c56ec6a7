"""The electrons that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calozoo_calodream import ELECTRON_SPEC
from calozoo_calodream.cylinder.config import preset
from calozoo_calodream.cylinder.model import CaloDreamCylinder
from calozoo_core.io import calochallenge
from calozoo_core.metrics import js_divergence
from calozoo_core.testing import ModelContract
from studies.caloinn.voxel_comparison import RANGES_GEV, observables, ratios

WEIGHTS = Path(str(files("calozoo_calodream"))) / "weights" / "calochallenge2-electron"
HELD_OUT = Path(__file__).parents[2] / "caloinn" / "tests" / "electrons_held_out.h5"
REPEATS = 2

Sample = tuple[NDArray[np.float64], NDArray[np.float64]]


class TestCaloDreamElectrons(ModelContract):
    spec = ELECTRON_SPEC
    visible_fraction = (0.028, 0.036)
    nonlinearity = 0.05


@pytest.fixture(scope="module")
def model() -> CaloDreamCylinder:
    return CaloDreamCylinder.load(ELECTRON_SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def reference() -> Sample:
    return calochallenge.read(HELD_OUT)


@pytest.fixture(scope="module")
def generated(model: CaloDreamCylinder, reference: Sample) -> Sample:
    """Showers for the primaries of the reference, twice over, as the challenge has them."""
    energy = np.tile(reference[0], (REPEATS, 1))
    parts = [
        model.voxels((energy[first : first + 50, 0] / 1000).astype(np.float32), 11, first)
        for first in range(0, len(energy), 50)
    ]
    voxels = np.concatenate(parts).reshape(len(energy), -1) / calochallenge.SAMPLING_FRACTION
    return energy, np.where(voxels < calochallenge.THRESHOLD_MEV, 0, voxels).astype(np.float64)


def test_the_weights_are_those_of_the_preset(model: CaloDreamCylinder) -> None:
    config, wanted = model.trained.config, preset("calochallenge2-electron")
    assert (config.energies, config.shape) == (wanted.energies, wanted.shape)
    assert config.fitted_on == "its training showers"


def test_mean_profiles_are_those_of_geant4(generated: Sample, reference: Sample) -> None:
    mine, truth = (
        (voxels / energy).mean(axis=0).reshape(45, 16, 9)
        for energy, voxels in (generated, reference)
    )
    assert js_divergence(mine.sum(axis=(1, 2)), truth.sum(axis=(1, 2))) < 2e-3
    assert js_divergence(mine.sum(axis=(0, 1)), truth.sum(axis=(0, 1))) < 2e-3


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("energy / incident", 0.02),
        ("filled voxels", 0.06),
        ("depth", 0.04),
        ("length", 0.05),
        ("mean radius", 0.06),
        ("width of radius", 0.08),
        ("width", 0.08),
    ],
)
def test_means_are_those_of_geant4(
    generated: Sample, reference: Sample, name: str, within: float
) -> None:
    """To so many percent, and three times the error of the few Geant4 showers of a range."""
    for low, high in RANGES_GEV:
        found = []
        for energy, voxels in (generated, reference):
            rows = (energy[:, 0] >= 1000 * low) & (energy[:, 0] < 1000 * high)
            found.append(observables(energy[rows], voxels[rows])[name])
        (ratio, error), _ = ratios(*found, np.random.default_rng(0))
        assert abs(ratio - 1) < within + 3 * error, f"{low:g}-{high:g} GeV: {ratio:.3f}"


def test_voxels_have_the_spectrum_of_geant4s(generated: Sample, reference: Sample) -> None:
    edges = np.geomspace(calochallenge.THRESHOLD_MEV, 1e4, 40)
    counts = [np.histogram(voxels, edges)[0] for _, voxels in (generated, reference)]
    assert js_divergence(*counts) < 3e-3
