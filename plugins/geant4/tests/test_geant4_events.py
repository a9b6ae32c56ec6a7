"""Primaries of events in Geant4: what the face stops, and what goes on behind it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, FullSimulation, Primary, PrimaryDeposits
from calozoo_core.placement import Trigger, load_placement
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.event_generator import Geant4Events
from calozoo_geant4.face_sheets import face_sheets
from calozoo_geant4.generator import Geant4
from calozoo_geant4.layout import layout
from calozoo_geant4.world_frame import GLOBAL, WorldFrame

ILD = load_detector("ild_siecal")
PLACEMENT = load_placement(ILD)
TRIGGER = FaceTrigger(Trigger.of(ILD), energy_gev=(1, 127), theta_deg=(0, 60))


def _primary(particle, energy, direction, vertex=(0.0, 0.0, 0.0)):
    unit = np.array(direction, np.float64)
    return Primary(particle, energy, vertex, tuple((unit / np.linalg.norm(unit)).tolist()))


def _run(simulation: FullSimulation, primaries, seeds=None) -> list[PrimaryDeposits]:
    seeds = seeds or [n + 7 for n in range(len(primaries))]
    names = [f"primary {n}" for n in range(len(primaries))]
    return list(simulation.run(primaries, seeds, names))


@pytest.fixture(scope="module", name="full")
def _full(geant4_data: None) -> Iterator[FullSimulation]:
    """Geant4 that stops nothing."""
    simulation = Geant4.full_simulation(ILD, workers=1)
    yield simulation
    simulation.close()


@pytest.fixture(scope="module", name="stopping")
def _stopping(geant4_data: None) -> Iterator[FullSimulation]:
    """Geant4 that stops photons on the face."""
    simulation = Geant4Events(ILD, TRIGGER, 1)
    yield simulation
    simulation.close()


TAKEN = [
    _primary("gamma", 8.0, (0.03, 1, 0.1)),
    _primary("gamma", 8.0, (-1, 0.02, -0.4)),
    _primary("gamma", 8.0, (0.2, 0.25, 1)),
]
LEFT = [
    _primary("gamma", 1.5, (0.03, 1, 0.1)),  # below the trigger's energy
    _primary("e-", 1.5, (0.03, 1, 0.1)),
    _primary("gamma", 6.0, (0.05, 1, 1.3)),  # outside its angles
]


def test_what_is_left_to_geant4_has_the_same_steps_beside_taken_particles_and_without(
    full, stopping
):
    together = _run(stopping, [*TAKEN, *LEFT])
    alone = _run(full, LEFT, seeds=[len(TAKEN) + n + 7 for n in range(len(LEFT))])
    for mixed, plain in zip(together[len(TAKEN) :], alone, strict=True):
        assert not mixed.taken
        assert len(plain.cell) > 10
        assert np.array_equal(mixed.cell, plain.cell)
        assert np.array_equal(mixed.energy, plain.energy)


def test_taken_particle_leaves_nothing_and_is_on_the_face_where_its_line_ends(stopping):
    for primary, deposits in zip(TAKEN, _run(stopping, TAKEN), strict=True):
        (particle,) = deposits.taken
        assert len(deposits.cell) == 0
        expected = PLACEMENT.enter(primary.direction)[0]
        assert np.array(particle.position) == pytest.approx(expected, abs=1e-6)
        assert particle.direction == pytest.approx(primary.direction)
        assert particle.energy_gev == pytest.approx(primary.energy_gev, rel=1e-12)
        assert particle.time_ns == pytest.approx(np.linalg.norm(expected) / 299.792458, rel=1e-9)


def test_particle_that_starts_on_the_face_is_taken_there(stopping):
    place = tuple(PLACEMENT.enter([0.03, 1, 0.1])[0].tolist())
    (deposits,) = _run(stopping, [_primary("gamma", 8.0, (0.03, 1, 0.1), place)])
    assert deposits.taken[0].position == place


def test_albedo_is_left_alone(stopping, full):
    outwards = _primary("gamma", 8.0, (0.05, -1, 0.02), (0.0, 1820.0, 0.0))
    (found,), (expected,) = _run(stopping, [outwards]), _run(full, [outwards])
    back_in = [particle for particle in found.taken if particle.position[1] > 0]
    assert not back_in
    assert np.all(np.isin(found.cell, expected.cell))


def test_photon_that_converts_in_front_of_the_face_goes_on_in_geant4(stopping):
    rng = np.random.default_rng(3)
    photons = [
        _primary("gamma", 6.0, (np.cos(phi), np.sin(phi), z))
        for phi, z in zip(rng.uniform(-0.2, 0.3, 300), rng.uniform(-0.8, 0.8, 300), strict=True)
    ]
    deposits = _run(stopping, photons)
    converted = [one for one in deposits if not one.taken]
    assert 0 < len(converted) < 15  # 0.6 % of a radiation length of air for each
    assert all(one.energy.sum() > 50 for one in converted)
    whole = [one for one in deposits if one.taken]
    assert all(len(one.cell) == 0 for one in whole)


def test_cells_hold_what_the_steps_of_the_shower_generator_do(full):
    place = (0.3, 1804.7, 21.0)
    photons = [_primary("gamma", 3.0, (0, 1, 0), place)] * 12
    energies = [one.energy.sum() for one in _run(full, photons)]
    assert np.mean(energies) == pytest.approx(3 * 24.5, rel=0.1)  # 24.5 MeV of a GeV are visible


def test_particle_that_geant4_does_not_know_leaves_nothing(full):
    known, unknown = _run(
        full, [_primary("mu-", 3.0, (0.03, 1, 0.1)), _primary("kaon0L", 3.0, (0.03, 1, 0.1))]
    )
    assert known.is_known
    assert 3 < known.energy.sum() < 30
    assert not unknown.is_known


def test_deposits_do_not_depend_on_the_number_of_workers(full):
    two = Geant4Events(ILD, None, 2)
    try:
        for one, other in zip(_run(full, LEFT), _run(two, LEFT), strict=True):
            assert np.array_equal(one.cell, other.cell)
            assert np.array_equal(one.energy, other.energy)
    finally:
        two.close()


def test_an_impossible_primary_is_named(full):
    with pytest.raises(CalozooError, match=r"gamma of 1 GeV from 0,1e\+06,0 mm starts outside"):
        _run(full, [_primary("gamma", 1.0, (0, 1, 0), (0.0, 1e6, 0.0))])


OVERLAPS = """
from calozoo_core.detector import load_detector
from calozoo_geant4.event_simulation import EventSimulation
simulation = EventSimulation(load_detector("ild_siecal"), None)
assert simulation.face.overlaps() == [], simulation.face.overlaps()
import os
os._exit(0)
"""


def test_sheets_overlap_nothing_by_geant4s_own_check(geant4_data):
    environment = os.environ | data_environment()
    run = subprocess.run(
        [sys.executable, "-c", OVERLAPS], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.parametrize(
    ("detector", "n_sheets"),
    [("ild_siecal", 8 + 2), ("ild_siecal_regular", 1), ("par04_siw", 1)],
)
def test_there_is_a_sheet_for_each_part_of_the_face(detector, n_sheets):
    described = load_detector(detector)
    assert len(face_sheets(described, GLOBAL)) == n_sheets


@pytest.mark.parametrize("detector", ["ild_siecal", "ild_siecal_regular"])
def test_frame_of_the_world_and_the_global_frame_are_inverse(detector):
    frame = WorldFrame.of(load_detector(detector))
    point = (1.0, -2.0, 3.5)
    assert frame.position_to_global(frame.position_to_world(point)) == pytest.approx(point)
    assert frame.to_global(np.array([frame.position_to_world(point)]))[0] == pytest.approx(point)


def test_application_on_the_page_runs(geant4_data, tmp_path):
    page = Path(__file__).parents[3] / "docs" / "geant4.md"
    code = re.search(r'title="my_application.py"\n(.*?)^```', page.read_text(), re.M | re.S)
    assert code is not None
    program = tmp_path / "my_application.py"
    program.write_text(f"{code[1]}\nimport os\nos._exit(0 if len(taken) >= 17 else 3)\n")
    run = subprocess.run(
        [sys.executable, str(program)],
        env=os.environ | data_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "photons left to the model" in run.stdout


@pytest.mark.parametrize("detector", ["ild_siecal", "ild_siecal_regular", "par04_siw"])
def test_primaries_outside_the_world_or_above_100_tev_are_known_before(detector):
    described = load_detector(detector)
    half = np.array(layout(described).half_mm)
    corners = WorldFrame.of(described).to_global(np.array([[0.0, 0, 0], 0.999 * half, half]))
    events = Events.of(
        [0, 3, 5], [22] * 5, [1.0, 1.0, 1.0, 1e5, 1.1e5], [0, 0, 1], [*corners, *corners[[0, 0]]]
    )
    assert Geant4.impossible_primaries(described, events) == {
        2: f"starts outside the world around {detector}",
        4: "has 110000 GeV, and Geant4 simulates 100 TeV at most",
    }


def test_energies_above_100_tev_are_refused_in_the_simulation_too(full, geant4_data):
    with pytest.raises(CalozooError, match=r"gamma of 1e\+30 GeV from 0,0,0 mm has 1e\+30 GeV"):
        _run(full, [_primary("gamma", 1e30, (0, 1, 0))])
    with pytest.raises(CalozooError, match=r"simulates 100000 GeV at most, not 1e\+30 GeV"):
        Geant4(ILD_SIECAL_REGULAR).generate(energy=1e30, extrapolate=True)


NOTHING_TAKEN = """
import calozoo
from calozoo_core.detector import load_detector
from calozoo_core.full_simulation import FaceTrigger, TakenParticle
from calozoo_core.placement import Trigger, load_placement
from calozoo_geant4.calorimeter_face import CalorimeterFace
detector = load_detector("ild_siecal")
face = CalorimeterFace(detector, FaceTrigger(Trigger.of(detector), (1, 127), (0, 60)))
model, placement = calozoo.load("toy"), load_placement(detector)
electron = TakenParticle("e-", 9.0, (0.0, 1804.7, 0.0), (0.0, 1.0, 0.0))
for taken in (face.taken(), (electron,)):
    assert placement.place(model.generate(face.incident(taken), seed=1)).n_hits.tolist() == []
incident = face.incident((electron,), "e-")
assert incident.direction.round(9).tolist() == [[0, 0, 1]]
assert incident.position.tolist() == [[0, 1804.7, 0]]
import os
os._exit(0)
"""


def test_an_event_of_which_nothing_is_taken_has_no_hits(geant4_data):
    environment = os.environ | data_environment()
    run = subprocess.run(
        [sys.executable, "-c", NOTHING_TAKEN], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_no_more_workers_are_started_than_there_are_primaries(geant4_data):
    simulation = Geant4Events(ILD, TRIGGER, 1000)
    try:
        _run(simulation, TAKEN[:1])
        assert len(simulation._pool._workers) == 1
        _run(simulation, TAKEN[:2])
        assert len(simulation._pool._workers) == 2
        _run(simulation, TAKEN[:1])
        assert _run(simulation, []) == []
        assert len(simulation._pool._workers) == 2
    finally:
        simulation.close()
