"""The tilted box, the grid, the noise and the last corrections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calozoo_convl2lflows.calibration import (
    corrected_energy,
    fitted_powers,
    fitted_spectrum,
    moved_inward,
)
from calozoo_convl2lflows.config import GridConfig, preset
from calozoo_convl2lflows.grid import fill, positions
from calozoo_convl2lflows.training_data import UprightShowers, on_grid, subcell_energies
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

GRID = GridConfig()


@settings(max_examples=30, deadline=None)
@given(
    row=hnp.arrays(np.int64, 20, elements=st.integers(0, 89)),
    column=hnp.arrays(np.int64, 20, elements=st.integers(0, 89)),
    inside=hnp.arrays(np.float64, (2, 20), elements=st.floats(0.01, 0.99)),
)
def test_sub_cells_made_points_fall_into_the_same_sub_cells(
    row: np.ndarray, column: np.ndarray, inside: np.ndarray
) -> None:
    x, y = positions(row, column, inside, GRID)
    layer = np.arange(20, dtype=np.uint8)
    one = np.ones(20, np.float32)
    filled = fill(x, y, layer, one, np.zeros(20, np.int64), GRID)
    np.testing.assert_array_equal(filled.row, row)
    np.testing.assert_array_equal(filled.column, column)


def test_energy_is_conserved_inside_the_box() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(0, 30, (2, 5000)).astype(np.float32)
    energy = random.lognormal(-1, 1, 5000).astype(np.float32)
    layer = random.integers(0, 30, 5000).astype(np.uint8)
    filled = fill(x, y, layer, energy, random.integers(0, 4, 5000), GRID)
    half = 45 * GRID.pitch_mm
    inside = (np.abs(x) < half) & (np.abs(y) < half)
    assert filled.energy.sum() == pytest.approx(energy[inside].sum(), rel=1e-5)
    key = ((filled.shower * 30 + filled.layer) * 90 + filled.row) * 90 + filled.column
    assert (np.diff(key) > 0).all()


def test_the_box_is_the_papers_150_mm() -> None:
    assert GRID.shape == (90, 90)
    assert 90 * GRID.pitch_mm == pytest.approx(150, abs=3)


def test_the_axis_of_a_slanted_shower_stays_in_the_middle_of_the_box() -> None:
    """Points are moved first and binned then, so nothing is smeared by whole sub-cells."""
    depth = load_detector("ild_siecal_regular").layer_depth_mm
    direction = np.array([0.6, -0.48, 0.64])
    layer = np.arange(30)
    showers = Showers(
        [0, 30],
        x=depth * direction[0] / direction[2] + 0.3,
        y=depth * direction[1] / direction[2] + 0.3,
        layer=layer,
        energy=np.ones(30),
        incident=Incident(50, direction),
        representation="x25",
        detector="ild_siecal_regular",
    )
    sample = UprightShowers.from_showers(showers)
    np.testing.assert_allclose(sample.x, 0.3, atol=1e-3)
    found = on_grid(
        sample, np.array([0]), preset("ild-photon"), np.random.default_rng(0), mirrored=False
    )
    assert set(found.filled.row) == set(found.filled.column) == {45}
    np.testing.assert_array_equal(found.filled.layer, layer)


def test_every_other_shower_is_mirrored_with_its_direction(showers: Showers) -> None:
    config, sample = preset("ild-photon"), UprightShowers.from_showers(showers)
    rows = np.zeros(40, np.int64)
    batch = on_grid(sample, rows, config, np.random.default_rng(1))
    sign = batch.primary[:, 2].sign()
    assert 5 < (sign > 0).sum() < 35
    images = subcell_energies(batch.filled, 40, config, before=0)
    right = torch.stack(
        [image if s == sign[0] else image.flip(2) for image, s in zip(images, sign, strict=True)]
    )
    centre = right.sum(dim=(1, 2)) @ torch.arange(90.0)
    torch.testing.assert_close(centre, centre[:1].expand(40), rtol=2e-3, atol=0)
    assert batch.primary[:, 5].sign().equal(sign)


def test_a_calibrated_spectrum_is_the_references() -> None:
    random = np.random.default_rng(5)
    truth = random.lognormal(-1.5, 1.2, 200_000).astype(np.float32)
    generated = random.lognormal(-1.2, 0.9, 200_000).astype(np.float32)
    spectrum = fitted_spectrum(generated[:100_000], truth[:100_000])
    corrected = corrected_energy(generated[100_000:], spectrum)
    shares = np.linspace(0.02, 0.98, 49)
    np.testing.assert_allclose(
        np.quantile(corrected, shares), np.quantile(truth[100_000:], shares), rtol=0.05
    )
    order = np.argsort(generated[100_000:])
    assert (np.diff(corrected[order]) >= 0).all()


def test_no_spectrum_is_no_correction() -> None:
    energy = np.ones(3, np.float32)
    assert corrected_energy(energy, ()) is energy


def test_points_near_the_axis_lie_towards_it_as_those_they_are_fitted_on_do() -> None:
    random = np.random.default_rng(4)
    x, y = random.exponential(0.8, (2, 200_000)) * random.choice([-1, 1], (2, 200_000))
    energy, layer = np.ones(len(x), np.float32), np.zeros(len(x), np.uint8)
    powers = fitted_powers(x, y, energy, GRID.pitch_mm)
    filled = fill(x, y, layer, energy, np.arange(len(x)), GRID)
    uniform = random.random((2, len(filled.row)), np.float32)
    moved = moved_inward(filled.row, filled.column, uniform, powers, GRID.side)
    assert moved.min() >= 0
    assert moved.max() <= 1
    mean = {
        name: np.abs(positions(filled.row, filled.column, places, GRID)[0]).mean()
        for name, places in (("uniform", uniform), ("moved", moved))
    }
    assert mean["moved"] == pytest.approx(np.abs(x).mean(), rel=5e-3)
    assert mean["uniform"] > 1.05 * np.abs(x).mean()


def test_without_powers_points_lie_anywhere_in_their_sub_cells() -> None:
    inside = np.random.default_rng(4).random((2, 5), np.float32)
    assert moved_inward(np.arange(5), np.arange(5), inside, (), GRID.side) is inside
