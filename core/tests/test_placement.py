"""The abstract placement, tried on the simplest calorimeter: a slab with square cells and gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.placement import Placement

ILD = load_detector("ild_siecal_regular")
WIDE = 1000


class Slab(Placement):
    """A slab with its face at global y = `face_mm`, x' along global z, y' along global x."""

    def local_direction(self, position, momentum):
        local = momentum[:, [2, 0, 1]]
        return local / np.linalg.norm(local, axis=1, keepdims=True)

    def to_global(self, points, position):
        return points[:, [1, 2, 0]] + position

    def to_local(self, points, position):
        return (points - position)[:, [2, 0, 1]]

    def cells(self, points, layer):
        ix, iz = (np.floor(points[:, k] / ILD.cell_mm).astype(np.int64) for k in (0, 2))
        inside = (np.abs(ix) < WIDE // 2) & (np.abs(iz) < WIDE // 2) & (ix % 18 != 0)
        cell = (layer.astype(np.int64) * WIDE + ix % WIDE) * WIDE + iz % WIDE
        return np.where(inside, cell, -1)

    def cell_centres(self, cell, layer):
        ix, iz = ((k + WIDE // 2) % WIDE - WIDE // 2 for k in (cell // WIDE % WIDE, cell % WIDE))
        y = ILD.face_mm + ILD.layer_depth_mm[layer]
        return np.stack([(ix + 0.5) * ILD.cell_mm, y, (iz + 0.5) * ILD.cell_mm], axis=1)


SLAB = Slab(ILD)
FACE = np.array([3.0, ILD.face_mm, -40.0])


def live_energy(batch):
    """Energy of each shower outside the gaps, by a loop over its points."""
    sums = np.zeros(len(batch))
    for row, i in enumerate(batch.shower_index):
        ix = np.floor((batch.y[row].astype(np.float64) + FACE[0]) / ILD.cell_mm)
        sums[i] += batch.energy[row] * (ix % 18 != 0)
    return sums


@given(showers())
def test_what_does_not_fall_into_a_gap_is_in_the_hits(batch):
    hits = SLAB.place(batch, FACE)
    assert len(hits) == len(batch)
    owner = np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
    energy = np.bincount(owner, hits.energy, minlength=len(hits))
    np.testing.assert_allclose(energy, live_energy(batch), rtol=1e-6)


@given(showers())
def test_a_cell_appears_once_a_shower_and_hits_are_sorted(batch):
    hits = SLAB.place(batch, FACE)
    owner = np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
    keys = list(zip(owner, hits.layer, hits.cell, strict=True))
    assert keys == sorted(set(keys))
    assert np.all(hits.cell >= 0)


@given(showers())
def test_a_hit_lies_in_the_middle_of_its_own_cell(batch):
    hits = SLAB.place(batch, FACE)
    points = np.stack([hits.x, hits.y, hits.z], axis=1).astype(np.float64)
    np.testing.assert_array_equal(SLAB.cells(points, hits.layer), hits.cell)
    np.testing.assert_allclose(hits.y - ILD.face_mm, ILD.layer_depth_mm[hits.layer], atol=1e-3)


@given(showers())
def test_showers_may_lie_at_places_of_their_own(batch):
    hits = SLAB.place(batch, np.tile(FACE, (len(batch), 1)))
    same = SLAB.place(batch, FACE)
    np.testing.assert_array_equal(hits.cell, same.cell)
    np.testing.assert_array_equal(hits.offsets, same.offsets)


def test_local_and_global_undo_each_other():
    points = np.random.default_rng(1).normal(size=(50, 3))
    np.testing.assert_allclose(SLAB.to_local(SLAB.to_global(points, FACE), FACE), points, atol=1e-9)


@given(showers())
def test_positions_that_are_not_one_a_shower_are_refused(batch):
    with pytest.raises(InputError, match="need positions of shape"):
        SLAB.place(batch, np.zeros((len(batch) + 1, 3)))


@given(showers())
def test_showers_for_other_layers_are_refused(batch):
    shallow = Slab(replace(ILD, name="shallow", slabs=ILD.slabs[:30]))
    with pytest.raises(DetectorError, match="do not fit into shallow"):
        shallow.place(batch, FACE)


def test_a_placement_that_leaves_something_out_cannot_be_made():
    class Half(Placement):
        def to_global(self, points, position):
            return points

    with pytest.raises(TypeError, match="abstract"):
        Half(ILD)
