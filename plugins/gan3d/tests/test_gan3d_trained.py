"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.observables import Profiles, axis_offsets, divergences, profiles
from calozoo_core.showers import Showers
from calozoo_core.training import read_sample
from calozoo_gan3d import SPEC
from calozoo_gan3d.model import Gan3d

WEIGHTS = Path(str(files("calozoo_gan3d"))) / "weights" / "ild-photon"
DETECTOR = load_detector("ild_siecal_regular")


@pytest.fixture(scope="module")
def model() -> Gan3d:
    return Gan3d.load(SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def reference(showers_folder: Path) -> Showers:
    return read_sample(showers_folder, "val")


@pytest.fixture(scope="module")
def generated(model: Gan3d, reference: Showers) -> Showers:
    return model.generate(reference.incident, seed=11)


def summed(showers: Showers) -> Profiles:
    return profiles((showers[i : i + 100] for i in range(0, len(showers), 100)), DETECTOR)


def test_the_profiles_are_those_of_geant4(generated: Showers, reference: Showers) -> None:
    """Bounds are the aims; the card has what was measured, and the noise of the sample."""
    divergence = divergences(summed(generated), summed(reference))
    assert divergence["layer_energy"] < 10e-4
    assert divergence["radius_energy"] < 60e-4


@pytest.mark.parametrize("energy", [10, 50, 100])
def test_the_mean_energy_is_that_of_geant4(
    generated: Showers, reference: Showers, energy: float
) -> None:
    """To 2 percent, and three times the error of the few Geant4 showers near this energy."""
    incident = reference.incident.energy
    near = np.abs(incident - energy) < 0.25 * energy
    truth, mine = ((s.visible_energy / incident)[near] for s in (reference, generated))
    error = np.hypot(truth.std(), mine.std()) / near.sum() ** 0.5
    assert abs(mine.mean() - truth.mean()) < 0.02 * truth.mean() + 3 * error


def test_the_field_bends_electrons_one_way(generated: Showers, reference: Showers) -> None:
    """More electrons than positrons: the centre of gravity lies at -0.24 mm in y', at 0 in x'."""
    shifts = {}
    for name, showers in (("generated", generated), ("geant4", reference)):
        dx, dy = axis_offsets(showers, DETECTOR)
        inside = np.hypot(showers.x - dx, showers.y - dy) < 100
        weight = showers.energy.astype(np.float64) * inside
        shifts[name] = (
            np.average(showers.x - dx, weights=weight),
            np.average(showers.y - dy, weights=weight),
        )
    assert abs(shifts["generated"][0]) < 0.15
    assert shifts["generated"][1] == pytest.approx(shifts["geant4"][1], abs=0.15)
    assert shifts["generated"][1] < -0.05


def test_layers_zig_zag_between_even_and_odd(model: Gan3d) -> None:
    """Back to back silicon sees the same shower behind different absorbers."""
    energy = summed(model.generate(energy=50, n=200, seed=1)).layer_energy
    zigzag = energy[10:20:2] - (energy[9:19:2] + energy[11:21:2]) / 2
    assert (zigzag < 0).all()


def test_any_shower_can_be_had_without_the_ones_before_it(model: Gan3d) -> None:
    one = Incident(20, (0.1, 0, 1))
    far = model.sample(one, 1, 100_000)
    again = model.sample(one, 1, 100_000)
    np.testing.assert_array_equal(far.x, again.x)
    assert len(far.x) != len(model.sample(one, 1, 0).x)
