"""The toy: what its formulas promise."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.detector import load_detector, parse_detector
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_offsets
from calozoo_core.observables import profiles
from calozoo_core.testing import ModelContract
from calozoo_toy import ILD_PHOTON
from calozoo_toy.model import ToyGenerator, layer_depth_x0

ILD = load_detector("ild_siecal_regular")
OTHER_STACK = """
summary = "one sheet of lead"
face_mm = 1.0
cell_mm = 1.0
field_tesla = [0, 0, 0]
range_cut_mm = 0.1
stack = ["only"]
[materials]
lead = "G4_Pb"
[sections]
only = [{ material = "lead", thickness_mm = 1.0, sensitive = true }]
"""


class TestContract(ModelContract):
    spec = ILD_PHOTON


@pytest.fixture(scope="module")
def toy():
    return ToyGenerator.load(ILD_PHOTON, None)


@pytest.fixture(scope="module")
def at_55_gev(toy):
    return toy.generate(energy=55, n=400, seed=1)


def slanted(theta):
    return np.sin(np.radians(theta)), 0.0, np.cos(np.radians(theta))


def test_two_point_three_percent_are_visible_at_normal_incidence(at_55_gev):
    fraction = at_55_gev.visible_energy.mean() / 55_000
    assert fraction == pytest.approx(0.023, rel=0.02)


def test_a_shower_of_55_gev_has_about_3100_points(at_55_gev):
    assert at_55_gev.n_points.mean() == pytest.approx(3100, rel=0.03)


def test_the_most_probable_deposit_is_one_mip(at_55_gev):
    counts, edges = np.histogram(at_55_gev.energy, np.arange(0, 2, 0.05))
    assert edges[counts.argmax()] == pytest.approx(0.2, abs=0.051)


def test_showers_grow_deeper_with_the_logarithm_of_the_energy(toy):
    mean_layer = [
        np.average(s.layer, weights=s.energy)
        for s in (toy.generate(energy=e, n=200, seed=2) for e in (5, 20, 80))
    ]
    steps = np.diff(mean_layer)
    assert np.all(steps > 1)
    assert steps[0] == pytest.approx(steps[1], rel=0.35)


def test_resolution_at_60_degrees_falls_with_the_square_root_of_the_energy(toy):
    # Slanted showers do not leak, so that what remains is the counting of particles.
    widths = [
        s.visible_energy.std() / s.visible_energy.mean()
        for s in (toy.generate(energy=e, direction=slanted(60), n=400, seed=3) for e in (2.0, 32.0))
    ]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.25)


def test_slanted_showers_reach_fewer_layers(toy):
    straight, slant = (
        toy.generate(energy=50, direction=slanted(theta), n=100, seed=4) for theta in (0, 60)
    )
    assert slant.layer.mean() < straight.layer.mean() - 3


def test_showers_widen_with_depth_about_their_axis(toy):
    showers = toy.generate(energy=50, direction=slanted(45), n=100, seed=5)
    dx, dy = axis_offsets(showers, ILD)
    radius = np.hypot(showers.x - dx, showers.y - dy)
    medians = [np.median(radius[showers.layer == layer]) for layer in (4, 12, 20)]
    assert medians == sorted(medians)
    assert 2 < medians[1] < 10
    assert radius.max() <= 501


def test_layer_profile_rises_and_falls(at_55_gev):
    sums = profiles([at_55_gev], ILD)
    assert 10 <= sums.layer_energy.argmax() <= 16
    assert sums.layer_energy[[0, 29]].sum() < 0.02 * sums.layer_energy.sum()


def test_stack_is_25_radiation_lengths_deep():
    depth = layer_depth_x0(ILD)
    assert depth[0] < 1
    assert depth[-1] == pytest.approx(25.3, abs=0.1)
    assert np.all(np.diff(depth) > 0)


def test_material_without_a_radiation_length_is_named():
    with pytest.raises(InputError, match="radiation length of lead"):
        layer_depth_x0(parse_detector("leaden", OTHER_STACK))


@pytest.mark.parametrize("wish", [{"device": "cuda"}, {"precision": "bfloat16"}])
def test_what_numpy_cannot_do_is_refused(wish):
    with pytest.raises(InputError, match="leave out device and precision"):
        ToyGenerator.load(ILD_PHOTON, None, **wish)
