"""The tilted box, the grid, the noise and the last corrections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calozoo_convl2lflows.config import GridConfig, VoxelsConfig, preset
from calozoo_convl2lflows.grid import fill, positions
from calozoo_convl2lflows.postprocess import calibrated, fitted_spectrum, renormalised
from calozoo_convl2lflows.radial_offset import fitted_powers, inward
from calozoo_convl2lflows.training_data import Sample, gridded, subcell_energies
from calozoo_convl2lflows.voxel_encoding import EnergyChain, VoxelChain
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
    sample = Sample.of(showers)
    np.testing.assert_allclose(sample.x, 0.3, atol=1e-3)
    found = gridded(
        sample, np.array([0]), preset("ild-photon"), np.random.default_rng(0), mirrored=False
    )
    assert set(found.filled.row) == set(found.filled.column) == {45}
    np.testing.assert_array_equal(found.filled.layer, layer)


def test_every_other_shower_is_mirrored_with_its_direction(showers: Showers) -> None:
    config, sample = preset("ild-photon"), Sample.of(showers)
    rows = np.zeros(40, np.int64)
    batch = gridded(sample, rows, config, np.random.default_rng(1))
    sign = batch.primary[:, 2].sign()
    assert 5 < (sign > 0).sum() < 35
    images = subcell_energies(batch.filled, 40, config, before=0)
    right = torch.stack(
        [image if s == sign[0] else image.flip(2) for image, s in zip(images, sign, strict=True)]
    )
    centre = right.sum(dim=(1, 2)) @ torch.arange(90.0)
    torch.testing.assert_close(centre, centre[:1].expand(40), rtol=2e-3, atol=0)
    assert batch.primary[:, 5].sign().equal(sign)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(0, 90, width=32)),
    st.floats(0.1, 10),
)
def test_voxels_come_back_from_what_the_published_flow_sees(
    energy: np.ndarray, noise: float
) -> None:
    chain = VoxelChain(
        GridConfig(layers=2), VoxelsConfig(maxima_mev=(100.0, 90.0), noise_mev=noise)
    )
    which = torch.tensor([0, 1])
    value = chain.forward(torch.from_numpy(energy).double(), which)
    assert value.abs().max() < 4.7
    back = chain.inverse(value, which)
    torch.testing.assert_close(back, torch.from_numpy(energy).double(), rtol=1e-6, atol=1e-6)


def test_noise_stays_below_the_threshold_and_moves_no_deposit_by_more() -> None:
    random = torch.Generator().manual_seed(1)
    chain = VoxelChain(GridConfig(threshold_mev=0.01), VoxelsConfig())
    energy = torch.where(torch.rand(10_000, generator=random) < 0.1, 0.5, 0.0)
    uniform = torch.rand(10_000, generator=random)
    noised = chain.noised(energy, uniform, torch.randn(10_000, generator=random))
    added = noised - energy
    assert (added > 0).all()
    assert added.max() <= 0.01 + 1e-6
    assert added[energy > 0].max() <= 1e-3 + 1e-6
    assert (noised[energy == 0] < 0.01 + 1e-9).all()
    assert float(noised[energy == 0].median()) == pytest.approx(1.5e-3, rel=0.2)


@given(hnp.arrays(np.float64, 30, elements=st.floats(0, 900)))
@settings(max_examples=30, deadline=None)
def test_layer_energies_come_back_from_what_the_published_flow_sees(energy: np.ndarray) -> None:
    chain, truth = EnergyChain(1000.0), torch.from_numpy(energy)
    torch.testing.assert_close(
        chain.inverse(chain.forward(truth, torch.zeros(30))), truth, rtol=1e-7, atol=1e-7
    )


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, (3, 4, 4), elements=st.floats(0, 50, width=32)),
    hnp.arrays(np.float32, 3, elements=st.floats(0, 500, width=32)),
)
def test_renormalised_layers_have_their_energy_and_nothing_below_the_threshold(
    energy: np.ndarray, wanted: np.ndarray
) -> None:
    energy[:, 0, 0] += 1
    result = renormalised(torch.from_numpy(energy), torch.from_numpy(wanted), 0.1)
    np.testing.assert_allclose(result.sum(dim=(1, 2)), wanted, rtol=1e-4, atol=1e-4)
    enough = torch.from_numpy(wanted) > 0.1
    kept = result[enough]
    assert bool(((kept == 0) | (kept >= 0.1 * (1 - 1e-5))).all())
    order = torch.from_numpy(energy).flatten(1)
    for image, before in zip(result.flatten(1), order, strict=True):
        if (image > 0).any() and (image == 0).any():
            assert before[image > 0].min() >= before[image == 0].max()


def test_as_many_voxels_stay_as_the_threshold_allows() -> None:
    layer = torch.tensor([[[1.0, 0.4], [0.2, 0.1]]])
    result = renormalised(layer, torch.tensor([1.0]), 0.1)
    # With three, the smallest is 0.2 / 1.6 = 0.125; with four it would be 0.1 / 1.7.
    torch.testing.assert_close(result, torch.tensor([[[0.625, 0.25], [0.125, 0.0]]]))


def test_a_calibrated_spectrum_is_the_references() -> None:
    random = np.random.default_rng(5)
    truth = random.lognormal(-1.5, 1.2, 200_000).astype(np.float32)
    generated = random.lognormal(-1.2, 0.9, 200_000).astype(np.float32)
    spectrum = fitted_spectrum(generated[:100_000], truth[:100_000])
    corrected = calibrated(generated[100_000:], spectrum)
    shares = np.linspace(0.02, 0.98, 49)
    np.testing.assert_allclose(
        np.quantile(corrected, shares), np.quantile(truth[100_000:], shares), rtol=0.05
    )
    order = np.argsort(generated[100_000:])
    assert (np.diff(corrected[order]) >= 0).all()


def test_no_spectrum_is_no_correction() -> None:
    energy = np.ones(3, np.float32)
    assert calibrated(energy, ()) is energy


def test_points_near_the_axis_lie_towards_it_as_those_they_are_fitted_on_do() -> None:
    random = np.random.default_rng(4)
    x, y = random.exponential(0.8, (2, 200_000)) * random.choice([-1, 1], (2, 200_000))
    energy, layer = np.ones(len(x), np.float32), np.zeros(len(x), np.uint8)
    powers = fitted_powers(x, y, energy, GRID.pitch_mm)
    filled = fill(x, y, layer, energy, np.arange(len(x)), GRID)
    uniform = random.random((2, len(filled.row)), np.float32)
    moved = inward(filled.row, filled.column, uniform, powers, GRID.side)
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
    assert inward(np.arange(5), np.arange(5), inside, (), GRID.side) is inside
