"""Showers in detectors with gaps: each starts at its place, and loses what falls into a gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.placement import load_placement
from calozoo_geant4 import ILD_SIECAL, ILD_SIECAL_REGULAR, PAR04_SIW
from calozoo_geant4.generator import Geant4

ILD = load_placement("ild_siecal")
STAVES = np.radians(45 * np.arange(8))


@pytest.fixture(scope="module", name="real")
def _real(geant4_data: None) -> Iterator[Geant4]:
    """The real ILD calorimeter, in one worker."""
    generator = Geant4.load(ILD_SIECAL, workers=1)
    yield generator
    generator.close()


@pytest.fixture(scope="module", name="par04")
def _par04(geant4_data: None) -> Iterator[Geant4]:
    generator = Geant4.load(PAR04_SIW)
    yield generator
    generator.close()


def _on_staves(rng: np.random.Generator, stave: np.ndarray) -> np.ndarray:
    """Random places on the faces of these staves, not near their ends."""
    n = len(stave)
    across, along = rng.uniform(-500, 400, n), rng.uniform(-2300, 2300, n)
    cos, sin = np.cos(STAVES[stave]), np.sin(STAVES[stave])
    return np.stack([1804.7 * cos + across * sin, 1804.7 * sin - across * cos, along], axis=1)


def _on_ends(rng: np.random.Generator, n: int) -> np.ndarray:
    angle, radius = rng.uniform(-np.pi, np.pi, n), rng.uniform(700, 1900, n)
    side = np.where(np.arange(n) % 2, 1, -1)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), 2411.7 * side], axis=1)


def _placed_energy(placement, showers):
    hits = placement.place(showers)
    index = np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
    return np.bincount(index, weights=hits.energy, minlength=len(hits))


def _mean(values):
    return values.mean(), values.std() / np.sqrt(len(values))


def test_every_step_in_silicon_falls_into_a_live_cell(real):
    rng = np.random.default_rng(4)
    position = np.concatenate([_on_staves(rng, np.arange(24) % 8), _on_ends(rng, 16)])
    direction = np.concatenate([rng.uniform(-0.6, 0.6, (40, 2)), np.ones((40, 1))], axis=1)
    incident = Incident(np.full(40, 0.5), direction, "gamma", position)
    showers = real.generate(incident, seed=6)
    assert showers.detector == "ild_siecal"
    assert np.count_nonzero(showers.n_points) > 35
    placed = _placed_energy(ILD, showers)
    assert placed.sum() / showers.energy.sum() > 0.9999
    assert placed == pytest.approx(showers.visible_energy, rel=1e-3, abs=1e-3)


def test_all_staves_are_alike(real):
    one = Incident([0.4], (0.2, 0.1, 1), "gamma", [30.0, 1804.7, -200.0])
    expected = real.sample(one, 1, 3)
    for stave in range(8):
        cos, sin = np.cos(STAVES[stave]), np.sin(STAVES[stave])
        there = np.array([1804.7 * cos + 30 * sin, 1804.7 * sin - 30 * cos, -200.0])
        found = real.sample(Incident([0.4], (0.2, 0.1, 1), "gamma", there), 1, 3)
        for name in ("x", "y", "energy"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-3)
        assert found.layer.tolist() == expected.layer.tolist()


def test_photon_sees_less_at_the_wall_of_a_tower_than_on_a_wafer(real):
    def visible(z):
        incident = Incident(np.full(40, 0.6), (0, 0, 1), "gamma", [10.0, 1804.7, z])
        return _mean(real.generate(incident, seed=7).visible_energy)

    (wafer, error), (wall, wall_error) = visible(46.0), visible(93.68)
    assert wafer - wall > 5 * np.hypot(error, wall_error)
    assert 0.3 * wafer < wall < 0.8 * wafer


def test_border_of_two_modules_is_no_hole(real):
    incident = Incident(np.full(40, 0.6), (0, 0, 1), "gamma", [10.0, 1804.7, 470.0])
    assert real.generate(incident, seed=8).visible_energy.sum() > 5


def test_positrons_turn_the_same_way_around_the_beam_in_both_ends(real):
    def mean_turn(side, particle):
        place = np.array([-900.0, 900.0, 2411.7 * side])
        incident = Incident(np.full(20, 0.1), (1, 0, 1), particle, place)
        showers = real.generate(incident, seed=9)
        depth = ILD.detector.layer_depth_mm[showers.layer]
        points = np.stack([showers.x, showers.y, depth], axis=1).astype(np.float64)
        path = ILD.to_global(points, np.tile(place, (len(points), 1))) - place
        momentum = ILD.to_global(np.array([[1.0, 0.0, 1.0]]), place[None])[0] - place
        turn = momentum[0] * path[:, 1] - momentum[1] * path[:, 0]
        return np.average(turn, weights=showers.energy)

    # Around a field along +z positive charges turn clockwise.
    for side in (1, -1):
        assert mean_turn(side, "e+") < mean_turn(side, "e-") - 0.5


def test_shower_in_a_cylinder_lies_along_its_direction_and_in_its_cells(par04):
    rng = np.random.default_rng(5)
    azimuth = rng.uniform(-np.pi, np.pi, 12)
    position = np.stack(
        [800 * np.cos(azimuth), 800 * np.sin(azimuth), rng.uniform(-300, 300, 12)], axis=1
    )
    incident = Incident(np.full(12, 1.0), (0.3, 0.2, 1), "e-", position)
    showers = par04.generate(incident, seed=2)
    depth = load_detector("par04_siw").layer_depth_mm[showers.layer]
    early = depth < 40  # the arc bends away from a straight line
    for points, slope in ((showers.x, 0.3), (showers.y, 0.2)):
        weight = showers.energy[early] * depth[early]
        found = np.sum(weight * points[early]) / np.sum(weight * depth[early])
        assert found == pytest.approx(slope, abs=0.05)
    placed = _placed_energy(load_placement("par04_siw"), showers)
    assert placed == pytest.approx(showers.visible_energy, rel=1e-4)


@pytest.mark.parametrize("model", [ILD_SIECAL, PAR04_SIW])
def test_without_a_position_it_says_what_to_type(geant4_data, model):
    generator = Geant4.load(model)
    with pytest.raises(InputError, match=r"add position=\(-?[\d.]+, [\d.]+, -?[\d.]+\)"):
        generator.generate(energy=1.0)


@pytest.mark.parametrize("position", [(0, 1700, 0), (0, 1804.7, 2360), (100, 100, 2411.7)])
def test_position_off_the_face_is_refused(real, position):
    with pytest.raises(InputError, match="is not on the face of ild_siecal"):
        real.generate(Incident([1.0], (0, 0, 1), "gamma", position))


def test_position_does_not_matter_for_a_plain_slab(geant4):
    here = geant4.generate(Incident([0.3], (0, 0, 1)), seed=1)
    there = geant4.generate(Incident([0.3], (0, 0, 1), "gamma", (5.0, 6.0, 1804.7)), seed=1)
    assert here.x.tobytes() == there.x.tobytes()
    assert there.incident.position.tolist() == [[5.0, 6.0, 1804.7]]


def test_unknown_physics_is_answered_with_what_there_is(geant4_data):
    detector = replace(load_detector("ild_siecal_regular"), physics="G4EmWishes")
    generator = Geant4.load(ILD_SIECAL_REGULAR, detector=detector)
    with pytest.raises(DetectorError, match=r"'G4EmWishes'.*it has .*G4EmStandardPhysics, .*\.$"):
        generator.generate(energy=0.1)


def test_another_detector_is_what_the_generator_says_it_simulates(geant4_data):
    generator = Geant4.load(ILD_SIECAL_REGULAR, detector=load_detector("ild_siecal"))
    assert generator.spec.detector == "ild_siecal"
    assert ILD_SIECAL_REGULAR.detector == "ild_siecal_regular"


def test_another_physics_makes_other_showers(geant4, geant4_data):
    detector = replace(load_detector("ild_siecal_regular"), physics="G4EmStandardPhysics_option1")
    generator = Geant4.load(ILD_SIECAL_REGULAR, detector=detector)
    found = generator.generate(energy=0.2, n=3, seed=1)
    generator.close()
    assert 0 < len(found.energy) != len(geant4.generate(energy=0.2, n=3, seed=1).energy)


def test_reference_list_without_its_data_says_which_are_missing(geant4_data):
    detector = replace(load_detector("ild_siecal_regular"), physics="FTFP_BERT")
    generator = Geant4.load(ILD_SIECAL_REGULAR, detector=detector)
    try:
        generator.generate(energy=0.1)
    except CalozooError as error:
        assert "while it built detector ild_siecal_regular" in str(error)  # noqa: PT017
    generator.close()


def test_parts_that_overlap_are_refused_in_one_sentence(geant4_data):
    real = load_detector("ild_siecal")
    wafers = real.wafers.model_copy(update={"wall_mm": 2.0})
    generator = Geant4.load(ILD_SIECAL, detector=replace(real, wafers=wafers))
    incident = Incident([1.0], (0, 0, 1), "gamma", (10.0, 1804.7, 46.0))
    with pytest.raises(DetectorError, match=r"a wafer sticks out of its alveolus\.$"):
        generator.generate(incident)
    generator.close()


@pytest.mark.slow
def test_real_detector_sees_what_placement_makes_of_the_gapless_one(real, geant4):
    n, energy = 150, 2.0
    position = _on_staves(np.random.default_rng(1), np.arange(n) % 8)
    incident = Incident(np.full(n, energy), (0, 0, 1), "gamma", position)
    seen, error = _mean(real.generate(incident, seed=1).visible_energy)
    gapless = geant4.generate(incident, seed=2)
    placed, placed_error = _mean(_placed_energy(ILD, gapless))
    assert placed < gapless.visible_energy.mean()
    # Carbon fibre instead of tungsten between towers lets a little more through than gaps alone.
    assert seen / placed == pytest.approx(
        1, abs=3 * np.hypot(error / seen, placed_error / placed) + 0.02
    )
