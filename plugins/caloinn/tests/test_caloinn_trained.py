"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calozoo_caloinn import SPEC
from calozoo_caloinn.model import CaloInn
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.incident import Incident
from calozoo_core.observables import Profiles, divergences, profiles
from calozoo_core.showers import Showers
from calozoo_core.testing import ModelContract
from calozoo_core.training import read_sample

WEIGHTS = Path(str(files("calozoo_caloinn"))) / "weights" / "ild-photon"
DETECTOR = load_detector("ild_siecal_regular")


class TestCaloInn(ModelContract):
    spec = SPEC
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.1


@pytest.fixture(scope="module")
def model() -> CaloInn:
    return CaloInn.load(SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def reference(showers_folder: Path) -> Showers:
    return read_sample(showers_folder, "val")


@pytest.fixture(scope="module")
def generated(model: CaloInn, reference: Showers) -> Showers:
    return model.generate(reference.incident, seed=11)


def summed(showers: Showers) -> Profiles:
    return profiles((showers[i : i + 100] for i in range(0, len(showers), 100)), DETECTOR)


def test_the_profiles_are_those_of_geant4(generated: Showers, reference: Showers) -> None:
    divergence = divergences(summed(generated), summed(reference))
    assert divergence["layer_energy"] < 3e-4
    assert divergence["radius_energy"] < 2e-4
    assert divergence["radius_count"] < 1e-4
    assert divergence["energy_count"] < 7e-4


@pytest.mark.parametrize("energy", [10, 50, 100])
def test_mean_energy_and_points_are_those_of_geant4(
    generated: Showers, reference: Showers, energy: float
) -> None:
    """To 2 and 3 percent, and three times the error of the few Geant4 showers near this energy."""
    incident = reference.incident.energy
    near = np.abs(incident - energy) < 0.25 * energy
    for name, bound in (("visible_energy", 0.02), ("n_points", 0.03)):
        truth = (getattr(reference, name) / incident)[near]
        mine = (getattr(generated, name) / incident)[near]
        error = np.hypot(truth.std(), mine.std()) / near.sum() ** 0.5
        assert abs(mine.mean() - truth.mean()) < bound * truth.mean() + 3 * error


def test_the_visible_energy_spreads_as_geant4s_does(generated: Showers, reference: Showers) -> None:
    energy = reference.incident.energy
    high = energy > 30
    truth = (reference.visible_energy / energy)[high].std()
    mine = (generated.visible_energy / energy)[high].std()
    assert mine == pytest.approx(truth, rel=0.15)


def test_the_field_bends_electrons_one_way(generated: Showers, reference: Showers) -> None:
    """More electrons than positrons: the centre of gravity lies off in y', and not in x'."""
    shifts = {}
    for name, showers in (("generated", generated), ("geant4", reference)):
        dx, dy = axis_offsets(showers, DETECTOR)
        weight = showers.energy.astype(np.float64)
        shifts[name] = (
            np.average(showers.x - dx, weights=weight),
            np.average(showers.y - dy, weights=weight),
        )
    assert abs(shifts["generated"][0]) < 0.1
    assert shifts["generated"][1] == pytest.approx(shifts["geant4"][1], abs=0.1)
    assert shifts["generated"][1] < -0.1


def test_a_slanted_shower_is_longer_along_its_slant(model: CaloInn) -> None:
    """Seen in a layer it is an ellipse, 1 / cos(60 deg) longer one way than the other."""
    showers = model.generate(Incident([50] * 60, (np.sqrt(3), 0, 1)), seed=3)
    dx, dy = axis_offsets(showers, DETECTOR)
    near = np.hypot((showers.x - dx) / 2, showers.y - dy) < 20
    weight = showers.energy[near]
    along = np.average((showers.x - dx)[near] ** 2, weights=weight) ** 0.5
    across = np.average((showers.y - dy)[near] ** 2, weights=weight) ** 0.5
    assert 1.8 < along / across < 2.2


def test_layers_zig_zag_between_even_and_odd(model: CaloInn) -> None:
    """Back to back silicon sees the same shower behind different absorbers."""
    energy = summed(model.generate(energy=50, n=200, seed=1)).layer_energy
    zigzag = energy[10:20:2] - (energy[9:19:2] + energy[11:21:2]) / 2
    assert (zigzag < 0).all()


def test_any_shower_can_be_had_without_the_ones_before_it(model: CaloInn) -> None:
    one = Incident(20, (0.1, 0, 1))
    far = model.sample(one, 1, 100_000)
    again = model.sample(one, 1, 100_000)
    np.testing.assert_array_equal(far.x, again.x)
    assert len(far.x) != len(model.sample(one, 1, 0).x)
