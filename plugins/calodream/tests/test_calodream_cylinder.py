"""Voxels of the CaloChallenge: their marginals, patches and configuration, without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from calozoo_calodream import ELECTRON_SPEC
from calozoo_calodream.cylinder.config import CylinderConfig, preset
from calozoo_calodream.cylinder.encoding import (
    EMPTY_VOXEL_MEV,
    energy_condition,
    patches,
    unpatched,
    without_faint,
)
from calozoo_calodream.cylinder.marginals import VoxelMarginals, fit_marginals
from calozoo_calodream.cylinder.model import CaloDreamCylinder
from calozoo_calodream.cylinder.trained import TrainedCylinder
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident

CONFIG = preset("tiny")
Voxels = NDArray[np.float32]


def made_up_voxels(n: int = 60) -> tuple[Voxels, Voxels]:
    """Voxels that are brighter and fuller at the axis and at high energy, and the energies."""
    random = np.random.default_rng(4)
    energy = np.geomspace(1, 1000, n).astype(np.float32)
    steep = np.exp(-np.arange(9) / 2)
    filled = (
        random.random((n, *CONFIG.grid)) < 0.9 * steep * (energy / 1000)[:, None, None, None] ** 0.1
    )
    values = random.lognormal(-1, 0.8, filled.shape) * energy[:, None, None, None] ** 0.5 * steep
    return np.where(filled, values, 0).astype(np.float32), energy


@pytest.fixture(scope="module")
def fitted() -> tuple[VoxelMarginals, Voxels, Voxels, Voxels]:
    """Marginals, and what they were fitted on: voxels, condition and layers."""
    voxels, energy = made_up_voxels()
    condition, layers = energy_condition(energy), voxels.sum(axis=(2, 3))
    return fit_marginals(voxels, condition, layers, CONFIG.group), voxels, condition, layers


def test_voxels_come_back_from_their_places(
    fitted: tuple[VoxelMarginals, Voxels, Voxels, Voxels],
) -> None:
    marginals, voxels, condition, layers = fitted
    uniform = np.random.default_rng(1).random(voxels.shape, np.float32)
    places = marginals.places(voxels, condition, layers, uniform)
    back = marginals.voxels(places, condition, layers)
    np.testing.assert_array_equal(back > 0, voxels > 0)
    np.testing.assert_allclose(back, voxels, rtol=0.05, atol=1e-5)
    assert np.abs(back - voxels).sum() < 1e-3 * voxels.sum()


def test_places_are_spread_like_noise(
    fitted: tuple[VoxelMarginals, Voxels, Voxels, Voxels],
) -> None:
    """So the path of the flow is short: means 0 and spreads 1, in every ring."""
    marginals, voxels, condition, layers = fitted
    uniform = np.random.default_rng(1).random(voxels.shape, np.float32)
    places = marginals.places(voxels, condition, layers, uniform)
    np.testing.assert_allclose(places.mean(axis=(0, 1, 2)), 0, atol=0.06)
    np.testing.assert_allclose(places.std(axis=(0, 1, 2)), 1, atol=0.08)


def test_independent_places_fill_as_many_voxels_as_geant4_did(
    fitted: tuple[VoxelMarginals, Voxels, Voxels, Voxels],
) -> None:
    marginals, voxels, condition, layers = fitted
    places = np.random.default_rng(2).standard_normal(voxels.shape)
    drawn = marginals.voxels(places.astype(np.float32), condition, layers)
    np.testing.assert_allclose(drawn.sum(axis=(2, 3)), layers, rtol=1e-5)
    filled = [(some > 0).mean(axis=(0, 1, 2)) for some in (drawn, voxels)]
    np.testing.assert_allclose(filled[0], filled[1], rtol=0.06)


def test_a_layer_with_energy_has_a_voxel_and_one_without_has_none(
    fitted: tuple[VoxelMarginals, Voxels, Voxels, Voxels],
) -> None:
    marginals, voxels, condition, _ = fitted
    layers = np.full((len(voxels), 45), 0.1, np.float32)
    layers[:, ::2] = 1e-4
    nothing = np.full(voxels.shape, -8, np.float32)
    filled = (marginals.voxels(nothing, condition, layers) > 0).sum(axis=(2, 3))
    assert (filled[:, 1::2] >= 1).all()
    assert (filled[:, ::2] == 0).all()


def test_marginals_of_showers_without_outer_rings_are_finite() -> None:
    voxels, energy = made_up_voxels(10)
    voxels[..., 4:] = 0
    voxels[:, 30:] = 0
    layers = voxels.sum(axis=(2, 3))
    marginals = fit_marginals(voxels, energy_condition(energy), layers, CONFIG.group)
    assert all(np.isfinite(table).all() for table in marginals)


def test_patches_have_all_sectors_of_a_ring_and_come_apart_again() -> None:
    numbers = np.arange(2 * 6480, dtype=np.float32).reshape(2, *CONFIG.grid)
    cut = patches(numbers, 3)
    assert cut.shape == (2, 135, 48)
    np.testing.assert_array_equal(cut[1, 9 + 4], numbers[1, 3:6, :, 4].ravel())
    np.testing.assert_array_equal(unpatched(cut, CONFIG.grid, 3), numbers)


def test_what_is_below_the_threshold_of_the_challenge_is_empty() -> None:
    voxels = np.zeros((1, *CONFIG.grid), np.float32)
    voxels[0, 0, 0, :2] = 0.9 * EMPTY_VOXEL_MEV, 1
    voxels[0, 1, 0, 0] = 2 * EMPTY_VOXEL_MEV  # but the whole layer has hardly more
    assert np.argwhere(without_faint(voxels)).tolist() == [[0, 0, 0, 1]]


@pytest.fixture(scope="module")
def trained(fitted: tuple[VoxelMarginals, Voxels, Voxels, Voxels]) -> TrainedCylinder:
    random = torch.Generator().manual_seed(3)
    model = TrainedCylinder.untrained(CONFIG)
    for network in model.named_networks().values():
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0.0, 0.05, generator=random)
    return replace(model, marginals=fitted[0])


def test_a_model_is_the_same_after_it_was_a_file(trained: TrainedCylinder, tmp_path: Path) -> None:
    trained.write(tmp_path)
    assert TrainedCylinder.read(tmp_path).config == CONFIG
    direct = CaloDreamCylinder(ELECTRON_SPEC, trained.to_arrays()).generate(energy=30, n=2, seed=2)
    loaded = CaloDreamCylinder.load(ELECTRON_SPEC, tmp_path).generate(energy=30, n=2, seed=2)
    np.testing.assert_array_equal(direct.x, loaded.x)
    np.testing.assert_array_equal(direct.energy, loaded.energy)


def test_the_number_of_steps_is_the_users(trained: TrainedCylinder) -> None:
    arrays = trained.to_arrays()
    few, many = (
        CaloDreamCylinder(ELECTRON_SPEC, arrays, steps=steps).generate(energy=30, n=1, seed=2)
        for steps in (2, 4)
    )
    assert not np.array_equal(few.energy, many.energy)
    assert CaloDreamCylinder(ELECTRON_SPEC, arrays, steps=2).provenance == {"steps": 2}
    with pytest.raises(InputError, match="takes 1 to 1000 evaluations of its network, not 0"):
        CaloDreamCylinder(ELECTRON_SPEC, arrays, steps=0)


def test_a_shower_does_not_depend_on_those_before_it(trained: TrainedCylinder) -> None:
    model = CaloDreamCylinder(ELECTRON_SPEC, trained.to_arrays())
    one = Incident([20], (0, 0, 1), "e-")
    far, again = (model.sample(one, 1, 100_000) for _ in range(2))
    np.testing.assert_array_equal(far.x, again.x)
    assert not np.array_equal(far.energy, model.sample(one, 1, 0).energy)


def test_the_layout_of_the_files_is_that_of_the_networks_in_torch() -> None:
    for name in ("tiny", "calochallenge2-electron"):
        assert CaloDreamCylinder.layout(preset(name)) == TrainedCylinder.layout(preset(name))


@pytest.mark.parametrize("part", ["energies", "shape"])
def test_networks_of_another_grid_are_refused(part: str) -> None:
    config = CONFIG.model_dump()
    config[part] |= {"grid": (45, 16, 18), "patch": (3, 16, 1)}
    with pytest.raises(ValidationError, match=f"the network {part} needs a grid of"):
        CylinderConfig.model_validate(config)
