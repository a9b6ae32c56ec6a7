"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calozoo_caloclouds3 import CELLS, SPEC
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.observables import Profiles, axis_offsets, divergences, profiles
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.training import read_sample

WEIGHTS = Path(str(files("calozoo_caloclouds3"))) / "weights" / "ild-photon"
DETECTOR = load_detector("ild_siecal_regular")
HALF_MIP_MEV = 0.1


@pytest.fixture(scope="module")
def model() -> CaloClouds3:
    return CaloClouds3.load(SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def reference(showers_folder: Path) -> Showers:
    return read_sample(showers_folder, "val")


@pytest.fixture(scope="module")
def generated(model: CaloClouds3, reference: Showers) -> Showers:
    return model.generate(reference.incident, seed=11)


def summed(showers: Showers) -> Profiles:
    return profiles((showers[i : i + 100] for i in range(0, len(showers), 100)), DETECTOR)


def test_the_profiles_are_those_of_geant4(generated: Showers, reference: Showers) -> None:
    """Bounds are the aims; the card has what was measured, and the noise of the sample."""
    divergence = divergences(summed(generated), summed(reference))
    assert divergence["layer_energy"] < 2e-4
    assert divergence["radius_energy"] < 1e-3
    assert divergence["energy_count"] < 2e-3


@pytest.mark.parametrize("energy", [10, 50, 100])
def test_mean_energy_and_points_are_those_of_geant4(
    generated: Showers, reference: Showers, energy: float
) -> None:
    """To 1 and 3 percent, and three times the error of the few Geant4 showers near this energy."""
    incident = reference.incident.energy
    near = np.abs(incident - energy) < 0.25 * energy
    for name, bound in (("visible_energy", 0.01), ("n_points", 0.03)):
        truth = (getattr(reference, name) / incident)[near]
        mine = (getattr(generated, name) / incident)[near]
        error = np.hypot(truth.std(), mine.std()) / near.sum() ** 0.5
        assert abs(mine.mean() - truth.mean()) < bound * truth.mean() + 3 * error


def test_the_tag_for_cells_lights_as_many_cells_as_geant4(reference: Showers) -> None:
    """The plain tag has Geant4's number of points, and a fifth too many cells."""
    cells = Representation.named("x1", DETECTOR.cell_mm)
    live = {}
    for name, showers in (
        ("geant4", reference),
        ("cells", CaloClouds3.load(CELLS, WEIGHTS.parent / CELLS.tag).generate(reference.incident)),
    ):
        live[name] = np.count_nonzero(cells(showers, seed=3).energy >= HALF_MIP_MEV)
    assert live["cells"] == pytest.approx(live["geant4"], rel=0.02)


def test_the_field_bends_electrons_one_way(generated: Showers, reference: Showers) -> None:
    """More electrons than positrons: the centre of gravity lies at -0.24 mm in y', at 0 in x'."""
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


def test_layers_zig_zag_between_even_and_odd(model: CaloClouds3) -> None:
    """Back to back silicon sees the same shower behind different absorbers."""
    energy = summed(model.generate(energy=50, n=200, seed=1)).layer_energy
    zigzag = energy[10:20:2] - (energy[9:19:2] + energy[11:21:2]) / 2
    assert (zigzag < 0).all()


def test_any_shower_can_be_had_without_the_ones_before_it(model: CaloClouds3) -> None:
    one = Incident(20, (0.1, 0, 1))
    far = model.sample(one, 1, 100_000)
    again = model.sample(one, 1, 100_000)
    np.testing.assert_array_equal(far.x, again.x)
    assert len(far.x) != len(model.sample(one, 1, 0).x)
