"""Photon finder on made-up hits: what it finds, and what it does not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError
from calozoo_core.hits import Hits
from calozoo_core.placement import load_placement

DETECTOR = load_detector("ild_siecal")
PLACEMENT = load_placement(DETECTOR)
FINDER = PhotonFinder(DETECTOR, finder_parameters())
CELL = DETECTOR.cell_mm
RESPONSE = FINDER.parameters.response_mev_per_gev


def hits_at(along, across, energy, layer=10):
    """Hits in the middle of the upper stave, at positions on its face seen from the beam."""
    along, across = np.atleast_1d(along), np.atleast_1d(across)
    depth = 1804.7 + DETECTOR.layer_depth_mm[layer]
    scale = depth / 1804.7
    n = len(along)
    return Hits(
        offsets=np.array([0, n]),
        cell=np.full(n, 2 * PLACEMENT.cells_per_part),  # of stave 2, the upper one
        layer=np.full(n, layer, np.uint8),
        x=(across * scale).astype(np.float32),
        y=np.full(n, depth, np.float32),
        z=(along * scale).astype(np.float32),
        energy=np.full(n, energy, np.float32) * np.ones(n, np.float32),
    )


def blob(rng, along, across, energy, n=400):
    """Hits of something like a shower around a place."""
    radius = 3.0 + rng.exponential(6.0, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    return hits_at(along + radius * np.cos(angle), across + radius * np.sin(angle), energy / n)


def joined(*parts):
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("cell", "layer", "x", "y", "z", "energy")
    }
    return Hits(offsets=np.array([0, len(columns["cell"])]), **columns)


def test_no_hits_are_no_photons():
    assert len(FINDER.find(hits_at(np.zeros(0), np.zeros(0), 1.0))) == 0


def test_one_strong_hit_is_one_photon_where_it_is():
    photons = FINDER.find(hits_at(7.0, -30.0, RESPONSE))
    assert len(photons) == 1
    assert photons.energy[0] == pytest.approx(1.0)
    assert photons.position[0] == pytest.approx([-30.0, 1804.7, 7.0], abs=1e-3)


def test_two_showers_far_apart_are_two_photons_in_order_of_energy():
    rng = np.random.default_rng(1)
    photons = FINDER.find(joined(blob(rng, -60, 0, 200), blob(rng, 60, 10, 500)))
    assert len(photons) == 2
    assert photons.energy == pytest.approx([500 / RESPONSE, 200 / RESPONSE], rel=0.03)
    assert photons.position[:, 2] == pytest.approx([60, -60], abs=2)


def test_energy_is_conserved_among_hits_within_reach():
    rng = np.random.default_rng(2)
    hits = joined(blob(rng, -20, 0, 300), blob(rng, 20, 0, 300))
    photons = FINDER.find(hits)
    used = photons.photon_of_hit >= 0
    assert photons.energy.sum() * RESPONSE == pytest.approx(hits.energy[used].sum(), rel=1e-6)
    assert used.mean() > 0.99


def test_photons_do_not_depend_on_the_order_of_hits():
    rng = np.random.default_rng(3)
    hits = joined(blob(rng, -15, 5, 300), blob(rng, 15, -5, 200))
    order = rng.permutation(len(hits.cell))
    columns = {n: getattr(hits, n)[order] for n in ("cell", "layer", "x", "y", "z", "energy")}
    one, other = FINDER.find(hits), FINDER.find(Hits(offsets=hits.offsets, **columns))
    assert other.energy == pytest.approx(one.energy, rel=1e-12)
    assert other.position == pytest.approx(one.position)
    assert np.array_equal(other.photon_of_hit, one.photon_of_hit[order])


def test_an_event_moved_by_whole_cells_along_the_beam_has_its_photons_moved():
    along, across = np.random.default_rng(4).normal(0, 12, (2, 500))
    here = FINDER.find(hits_at(along, across, 0.5))
    there = FINDER.find(hits_at(along + 20 * CELL, across, 0.5))
    assert len(here) == len(there)
    assert there.energy == pytest.approx(here.energy, rel=1e-5)
    assert there.position[:, 2] - here.position[:, 2] == pytest.approx(20 * CELL, abs=1e-2)


def test_a_mirrored_event_has_mirrored_photons():
    along, across = np.random.default_rng(5).normal(0, 15, (2, 600))
    here, there = (
        FINDER.find(hits_at(along, across, 0.5)),
        FINDER.find(hits_at(-along, across, 0.5)),
    )
    assert len(here) == len(there)
    assert there.energy == pytest.approx(here.energy, rel=1e-5)
    assert there.position[:, 2] == pytest.approx(-here.position[:, 2], abs=1e-2)


def test_layers_behind_thicker_tungsten_count_twice():
    thin, thick = (FINDER.find(hits_at(0.0, 0.0, 20.0, layer)).energy[0] for layer in (19, 20))
    assert thick == pytest.approx(2 * thin)


def test_a_detector_without_a_barrel_is_refused():
    with pytest.raises(DetectorError, match="works in a barrel"):
        PhotonFinder(load_detector("ild_siecal_regular"), finder_parameters())
