"""From points to rings, and from rings back to points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calozoo_caloinn.config import preset
from calozoo_caloinn.point_template import PointSampler, Template, _scale_to_rings
from calozoo_caloinn.template_fit import fit_template, ring_points
from calozoo_caloinn.training_data import TrainingRings
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

CONFIG = preset("tiny")
DETECTOR = load_detector("ild_siecal_regular")
CELLS = DETECTOR.n_layers * CONFIG.rings.number


@pytest.fixture(scope="module")
def template(sample: TrainingRings) -> Template:
    return fit_template(sample.rings, sample.energy_gev, CONFIG.codec, CONFIG.rings, seed=1)


@pytest.fixture(scope="module")
def sampler(template: Template) -> PointSampler:
    return PointSampler(template, DETECTOR.layer_depth_mm)


def counted(
    sampler: PointSampler, sample: TrainingRings, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    n = len(sample)
    energies = sample.rings.energies.reshape(n, -1)
    counts, level = sampler.counts(
        energies,
        sample.energy_gev,
        sample.rings.direction,
        random.standard_normal((n, CELLS + 1), np.float32),
        random.random((n, CELLS), np.float32),
    )
    return energies, counts, level


def test_rings_hold_all_the_energy_and_all_the_points(
    showers: Showers, sample: TrainingRings
) -> None:
    np.testing.assert_allclose(
        sample.rings.energies.sum(axis=(1, 2)), showers.visible_energy, rtol=1e-5
    )
    np.testing.assert_array_equal(sample.rings.counts.sum(axis=(1, 2)), showers.n_points)


def test_rings_are_the_same_however_many_showers_are_sorted_at_once(
    showers: Showers, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ring_points(showers, CONFIG.rings, keep=40)
    monkeypatch.setattr("calozoo_caloinn.template_fit.CHUNK", 7)
    parts = ring_points(showers, CONFIG.rings, keep=40)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_mirroring_a_shower_leaves_its_rings(showers: Showers, sample: TrainingRings) -> None:
    incident = showers.incident
    mirrored = Showers(
        offsets=showers.offsets,
        x=-showers.x,
        y=showers.y,
        layer=showers.layer,
        energy=showers.energy,
        incident=type(incident)(incident.energy, incident.direction * [-1, 1, 1]),
        representation=showers.representation,
        detector=showers.detector,
    )
    np.testing.assert_allclose(
        ring_points(mirrored, CONFIG.rings).energies, sample.rings.energies, rtol=1e-4
    )


def test_tables_have_the_shapes_the_file_is_checked_against(template: Template) -> None:
    empty = Template.zeros(CONFIG.codec, CONFIG.rings)
    assert [table.shape for table in template] == [table.shape for table in empty]
    assert all(bool(np.isfinite(table).all()) for table in template)


def test_every_ring_gets_its_energy_and_empty_ones_get_no_points(
    sampler: PointSampler, sample: TrainingRings
) -> None:
    energies, counts, level = counted(sampler, sample, seed=4)
    assert ((counts > 0) == (energies > 0)).all()
    for i in range(5):
        direction = sample.rings.direction[i]
        points = sampler.points(
            energies[i], direction, counts[i], level[i], np.random.default_rng(i)
        )
        assert len(points.x) == counts[i].sum()
        assert (points.energy > 0).all()
        assert (np.diff(points.layer.astype(int)) >= 0).all()
        per_layer = np.bincount(points.layer, points.energy, DETECTOR.n_layers)
        truth = energies[i].reshape(DETECTOR.n_layers, -1).sum(axis=1)
        np.testing.assert_allclose(per_layer, truth, rtol=1e-4, atol=1e-5)


def test_points_are_as_many_as_they_were(sampler: PointSampler, sample: TrainingRings) -> None:
    counts = sum(counted(sampler, sample, seed)[1] for seed in range(5)) / 5
    truth = sample.rings.counts.reshape(counts.shape)
    assert counts.sum() == pytest.approx(truth.sum(), rel=0.03)
    rings = CONFIG.rings.number
    by_ring = counts.sum(axis=0).reshape(-1, rings).sum(axis=0)
    expected = truth.sum(axis=0).reshape(-1, rings).sum(axis=0)
    np.testing.assert_allclose(by_ring, expected, rtol=0.1)


def test_points_lie_where_they_lay(
    sampler: PointSampler, sample: TrainingRings, showers: Showers
) -> None:
    energies, counts, level = counted(sampler, sample, seed=6)
    radii, weights = [], []
    for i in range(len(sample)):
        direction = sample.rings.direction[i]
        points = sampler.points(
            energies[i], direction, counts[i], level[i], np.random.default_rng(i)
        )
        depth = DETECTOR.layer_depth_mm[points.layer]
        x = points.x - depth * direction[0] / direction[2]
        y = points.y - depth * direction[1] / direction[2]
        radii.append(np.hypot(x, y))
        weights.append(points.energy)
    dx, dy = axis_offsets(showers, DETECTOR)
    truth = np.hypot(showers.x - dx, showers.y - dy)
    edges = np.array([0, 2, 5, 10, 20, 40, 200])
    mine = np.histogram(np.concatenate(radii), edges, weights=np.concatenate(weights))[0]
    expected = np.histogram(truth, edges, weights=showers.energy)[0]
    np.testing.assert_allclose(mine, expected, rtol=0.1)


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, 6, elements=st.floats(np.float32(0.01), 30, width=32)),
    hnp.arrays(np.float32, 3, elements=st.floats(np.float32(0.01), 300, width=32)),
)
def test_scaled_energies_are_positive_and_add_up(drawn: np.ndarray, wanted: np.ndarray) -> None:
    number = np.array([1, 2, 3])
    drawn[1:3].sort()
    drawn[3:].sort()
    scaled = _scale_to_rings(drawn, wanted, number)
    assert (scaled > 0).all()
    np.testing.assert_allclose(np.add.reduceat(scaled, [0, 1, 3]), wanted, rtol=1e-3)


def test_a_template_of_nothing_still_places_points() -> None:
    """A ring that no training shower filled may be filled by a generated one."""
    sparse = TrainingRings.from_showers(_one_point(), CONFIG)
    template = fit_template(sparse.rings, sparse.energy_gev, CONFIG.codec, CONFIG.rings, seed=1)
    sampler = PointSampler(template, DETECTOR.layer_depth_mm)
    energies = np.full((1, CELLS), 2.0, np.float32)
    direction = np.array([[0, 0, 1]], np.float32)
    counts, level = sampler.counts(
        energies,
        np.array([10.0], np.float32),
        direction,
        np.zeros((1, CELLS + 1), np.float32),
        np.zeros((1, CELLS), np.float32),
    )
    assert (counts > 0).all()
    points = sampler.points(
        energies[0], direction[0], counts[0], level[0], np.random.default_rng(1)
    )
    assert np.isfinite(points.x).all()
    assert points.energy.sum() == pytest.approx(energies.sum(), rel=1e-3)


def _one_point() -> Showers:
    return Showers(
        offsets=[0, 1],
        x=[1.0],
        y=[0.0],
        layer=[3],
        energy=[0.4],
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
