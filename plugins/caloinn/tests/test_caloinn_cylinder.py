"""From noise to rings and from rings to voxels, without any training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_caloinn.cylinder.autoregressive import (
    CylinderRingSampler,
    layer_condition,
    ring_condition,
)
from calozoo_caloinn.cylinder.config import CylinderConfig, preset
from calozoo_caloinn.cylinder.model import CaloInnCylinder
from calozoo_caloinn.cylinder.sectors import RingSplitter, fit_lean, fit_tables, voxel_centres
from calozoo_caloinn.cylinder.trained import TrainedCylinder
from calozoo_caloinn.networks import samplers
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.voxels import DATASETS

CONFIG = preset("tiny")
SHAPE = (45, 16, 9)
VOXELS = DATASETS["dataset2"]


def made_up_voxels(n: int = 30) -> NDArray[np.float32]:
    """Rings that are brighter on one side, some of them empty."""
    random = np.random.default_rng(4)
    side = np.cos(2 * np.pi * (np.arange(16) / 16 - random.random((n, 1))))
    energy = random.lognormal(-1, 1.5, (n, *SHAPE)) * (1.2 + side)[:, None, :, None]
    energy[random.random(energy.shape) < 0.5] = 0
    return energy.astype(np.float32)


@pytest.fixture(scope="module")
def trained() -> TrainedCylinder:
    random = torch.Generator().manual_seed(3)
    model = TrainedCylinder.untrained(CONFIG)
    for network in model.named_networks().values():
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0.0, 0.05, generator=random)
        network.eval().requires_grad_(requires_grad=False)
    voxels, centres = made_up_voxels(), voxel_centres(CONFIG.voxels)
    tables = fit_tables(voxels, CONFIG, seed=1)
    return replace(model, tables=fit_lean(tables, voxels, centres, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def split(trained: TrainedCylinder) -> RingSplitter:
    return RingSplitter(trained.tables, voxel_centres(CONFIG.voxels))


def uniform(split: RingSplitter, n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((n, *split.uniforms), np.float32)


def test_layers_and_rings_add_up_to_the_visible_energy(trained: TrainedCylinder) -> None:
    sampler = CylinderRingSampler(Codec(CONFIG.codec), samplers(trained.named_networks()))
    random, energy = np.random.default_rng(0), np.array([1, 30, 1000], np.float32)
    noise = random.standard_normal((3, sampler.noise), np.float32)
    visible = sampler.visible(energy, noise[:, :1])
    layers = sampler.layers(energy, visible, noise[:, 1:45])
    rings = sampler.rings(energy, layers, noise[:, 45:])
    assert (layers > 0).all()
    assert (rings > 0).all()
    np.testing.assert_allclose(layers.sum(axis=1), visible, rtol=1e-5)
    np.testing.assert_allclose(rings.sum(axis=2), layers, rtol=1e-5)


@pytest.mark.parametrize("at", [0, 1, 20, 43])
def test_a_condition_has_nothing_of_what_is_still_to_be_sampled(at: int) -> None:
    rings = made_up_voxels(4).sum(axis=2) + np.float32(0.01)
    layers, energy = rings.sum(axis=2), np.array([1, 5, 50, 500], np.float32)
    visible, codec = layers.sum(axis=1), Codec(CONFIG.codec)
    unknown_layers, unknown_rings = layers.copy(), rings.copy()
    unknown_layers[:, at:], unknown_rings[:, at:] = 0, 0
    np.testing.assert_array_equal(
        layer_condition(at, energy, visible, unknown_layers),
        layer_condition(at, energy, visible, layers),
    )
    np.testing.assert_array_equal(
        ring_condition(at, codec, energy, layers, unknown_rings),
        ring_condition(at, codec, energy, layers, rings),
    )


def test_a_ring_keeps_its_energy_when_it_is_divided(split: RingSplitter) -> None:
    rings = made_up_voxels(5).sum(axis=2)
    rings[:, 3] = 0
    voxels = split(rings, uniform(split, 5))
    assert (voxels >= 0).all()
    np.testing.assert_allclose(voxels.sum(axis=2), rings, rtol=1e-5)


def test_no_side_of_a_shower_is_brighter_on_average(split: RingSplitter) -> None:
    rings = np.tile(made_up_voxels(1).sum(axis=2), (300, 1, 1))
    sectors = split(rings, uniform(split, 300)).sum(axis=(1, 3))
    error = sectors.std(axis=0) / 300**0.5
    assert (np.abs(sectors.mean(axis=0) - sectors.mean()) < 4 * error).all()


def test_showers_lean_to_one_side_where_those_do_that_it_was_fitted_on(split: RingSplitter) -> None:
    truth = made_up_voxels()
    turn = np.exp(2j * np.pi * np.arange(16) / 16)

    def lean(voxels: NDArray[np.float32]) -> float:
        sectors = voxels.sum(axis=(1, 3))
        return float(np.mean(np.abs(sectors @ turn) / sectors.sum(axis=1)))

    divided = split(truth.sum(axis=2), uniform(split, len(truth)))
    by_chance = truth.copy()
    random = np.random.default_rng(5)
    random.permuted(by_chance, axis=2, out=by_chance)
    assert 1.5 * lean(by_chance) < lean(divided) < 1.2 * lean(truth)


def test_as_many_sectors_are_filled_as_in_those_it_was_fitted_on(split: RingSplitter) -> None:
    truth = made_up_voxels()
    divided = split(truth.sum(axis=2), uniform(split, len(truth)))
    assert (divided > 0).mean() == pytest.approx((truth > 0).mean(), rel=0.03)


def test_a_model_is_the_same_after_it_was_a_file(trained: TrainedCylinder, tmp_path: Path) -> None:
    trained.write(tmp_path)
    assert TrainedCylinder.read(tmp_path).config == CONFIG
    direct = CaloInnCylinder(ELECTRON_SPEC, trained.to_arrays()).generate(energy=30, n=2, seed=2)
    loaded = CaloInnCylinder.load(ELECTRON_SPEC, tmp_path).generate(energy=30, n=2, seed=2)
    np.testing.assert_array_equal(direct.x, loaded.x)
    np.testing.assert_array_equal(direct.energy, loaded.energy)


def test_a_shower_below_every_threshold_keeps_a_voxel(trained: TrainedCylinder) -> None:
    dark = trained.tables._replace(threshold=np.full((45, 9), 1e9, np.float32))
    showers = CaloInnCylinder(ELECTRON_SPEC, replace(trained, tables=dark).to_arrays()).generate(
        energy=5, n=3, seed=1
    )
    assert (showers.n_points >= 1).all()


def test_a_configuration_whose_parts_do_not_fit_is_refused() -> None:
    content = CONFIG.model_dump()
    content["rings"]["dim"] = 12
    with pytest.raises(ValidationError, match="rings needs dim and conditions"):
        CylinderConfig.model_validate(content)
    content = CONFIG.model_dump() | {"dataset": "dataset3"}
    with pytest.raises(ValidationError, match="dataset3 has 45 layers of 18 rings"):
        CylinderConfig.model_validate(content)


def test_the_layout_of_the_files_is_that_of_the_networks_in_torch() -> None:
    for name in ("tiny", "calochallenge2-electron"):
        assert CaloInnCylinder.layout(preset(name)) == TrainedCylinder.layout(preset(name))
