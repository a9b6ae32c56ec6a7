"""From noise to rings and from rings to voxels, without any training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_caloinn.cylinder.autoregressive import told_of_layer, told_of_rings
from calozoo_caloinn.cylinder.challenge import main, observables, ratios
from calozoo_caloinn.cylinder.config import CylinderConfig, preset
from calozoo_caloinn.cylinder.electrons import electron_energies
from calozoo_caloinn.cylinder.model import CaloInnCylinder
from calozoo_caloinn.cylinder.networks import built
from calozoo_caloinn.cylinder.ring_energies import RingDrawer
from calozoo_caloinn.cylinder.ring_splitting import Divider, leaning
from calozoo_caloinn.cylinder.sectors import arms, fitted
from calozoo_caloinn.cylinder.weights_files import Trained, read, write
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.errors import InputError
from calozoo_core.io import calochallenge
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
def trained() -> Trained:
    random = torch.Generator().manual_seed(3)
    networks = built(CONFIG)
    for network in networks:
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0.0, 0.05, generator=random)
        network.eval().requires_grad_(requires_grad=False)
    voxels = made_up_voxels()
    tables = fitted(voxels, CONFIG, seed=1)
    arm = arms(CONFIG.voxels)
    return Trained(CONFIG, networks, leaning(tables, voxels, arm, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def divide(trained: Trained) -> Divider:
    return Divider(trained.tables, arms(CONFIG.voxels))


def uniform(divide: Divider, n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((n, *divide.uniforms), np.float32)


def test_layers_and_rings_add_up_to_the_visible_energy(trained: Trained) -> None:
    draw = RingDrawer(Codec(CONFIG.codec), trained.networks)
    random, energy = np.random.default_rng(0), np.array([1, 30, 1000], np.float32)
    noise = random.standard_normal((3, draw.noise), np.float32)
    visible = draw.visible(energy, noise[:, :1])
    layers = draw.layers(energy, visible, noise[:, 1:45])
    rings = draw.rings(energy, layers, noise[:, 45:])
    assert (layers > 0).all()
    assert (rings > 0).all()
    np.testing.assert_allclose(layers.sum(axis=1), visible, rtol=1e-5)
    np.testing.assert_allclose(rings.sum(axis=2), layers, rtol=1e-5)


@pytest.mark.parametrize("at", [0, 1, 20, 43])
def test_a_network_is_told_nothing_of_what_is_still_to_be_drawn(at: int) -> None:
    rings = made_up_voxels(4).sum(axis=2) + np.float32(0.01)
    layers, energy = rings.sum(axis=2), np.array([1, 5, 50, 500], np.float32)
    visible, codec = layers.sum(axis=1), Codec(CONFIG.codec)
    unknown_layers, unknown_rings = layers.copy(), rings.copy()
    unknown_layers[:, at:], unknown_rings[:, at:] = 0, 0
    np.testing.assert_array_equal(
        told_of_layer(at, energy, visible, unknown_layers),
        told_of_layer(at, energy, visible, layers),
    )
    np.testing.assert_array_equal(
        told_of_rings(at, codec, energy, layers, unknown_rings),
        told_of_rings(at, codec, energy, layers, rings),
    )


def test_a_ring_keeps_its_energy_when_it_is_divided(divide: Divider) -> None:
    rings = made_up_voxels(5).sum(axis=2)
    rings[:, 3] = 0
    voxels = divide(rings, uniform(divide, 5))
    assert (voxels >= 0).all()
    np.testing.assert_allclose(voxels.sum(axis=2), rings, rtol=1e-5)


def test_no_side_of_a_shower_is_brighter_on_average(divide: Divider) -> None:
    rings = np.tile(made_up_voxels(1).sum(axis=2), (300, 1, 1))
    sectors = divide(rings, uniform(divide, 300)).sum(axis=(1, 3))
    error = sectors.std(axis=0) / 300**0.5
    assert (np.abs(sectors.mean(axis=0) - sectors.mean()) < 4 * error).all()


def test_showers_lean_to_one_side_where_those_do_that_it_was_fitted_on(divide: Divider) -> None:
    truth = made_up_voxels()
    turn = np.exp(2j * np.pi * np.arange(16) / 16)

    def lean(voxels: NDArray[np.float32]) -> float:
        sectors = voxels.sum(axis=(1, 3))
        return float(np.mean(np.abs(sectors @ turn) / sectors.sum(axis=1)))

    divided = divide(truth.sum(axis=2), uniform(divide, len(truth)))
    by_chance = truth.copy()
    random = np.random.default_rng(5)
    random.permuted(by_chance, axis=2, out=by_chance)
    assert 1.5 * lean(by_chance) < lean(divided) < 1.2 * lean(truth)


def test_as_many_sectors_are_filled_as_in_those_it_was_fitted_on(divide: Divider) -> None:
    truth = made_up_voxels()
    divided = divide(truth.sum(axis=2), uniform(divide, len(truth)))
    assert (divided > 0).mean() == pytest.approx((truth > 0).mean(), rel=0.03)


def test_a_model_is_the_same_after_it_was_a_file(trained: Trained, tmp_path: Path) -> None:
    write(tmp_path, trained)
    assert read(tmp_path).config == CONFIG
    direct = CaloInnCylinder(ELECTRON_SPEC, trained).generate(energy=30, n=2, seed=2)
    loaded = CaloInnCylinder.load(ELECTRON_SPEC, tmp_path).generate(energy=30, n=2, seed=2)
    np.testing.assert_array_equal(direct.x, loaded.x)
    np.testing.assert_array_equal(direct.energy, loaded.energy)


def test_a_shower_below_every_threshold_keeps_a_voxel(trained: Trained) -> None:
    tables = trained.tables.tensors()
    dark = type(trained.tables)(**tables | {"threshold": torch.full((45, 9), 1e9)})
    showers = CaloInnCylinder(ELECTRON_SPEC, trained._replace(tables=dark)).generate(
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


def test_the_energies_to_simulate_cover_the_range_evenly_in_every_file() -> None:
    for number in (0, 15):
        energy = electron_energies(number)
        root = np.sort((1 - energy**-0.5) / (1 - 1000**-0.5))
        assert ((root >= np.arange(100) / 100) & (root <= np.arange(1, 101) / 100)).all()
    assert not np.array_equal(electron_energies(0), electron_energies(1))


def test_the_challenges_observables_of_a_single_voxel_are_those_of_its_middle() -> None:
    voxels = np.zeros((1, *SHAPE))
    voxels[0, 7, 8, 2] = 500
    found = observables(np.array([[1000.0]]), voxels.reshape(1, -1))
    assert found["energy / incident"] == 0.5
    assert found["filled voxels"] == pytest.approx(1 / 6480)
    assert found["depth"] == 7
    assert found["mean radius"] == pytest.approx(2.5 * 4.65)
    assert found["centre of a shower"] == pytest.approx(2.5 * 4.65 * np.cos(np.pi / 16))
    assert found["width"] == pytest.approx(0, abs=1e-6)


def test_voxels_of_no_data_set_are_refused() -> None:
    with pytest.raises(InputError, match="Showers of 10 voxels"):
        observables(np.ones((1, 1)), np.ones((1, 10)))


def test_ratios_of_a_sample_to_itself_are_1() -> None:
    values = np.random.default_rng(1).normal(5, 1, 100)
    (mean, mean_error), (spread, spread_error) = ratios(values, values, np.random.default_rng(2))
    assert (mean, spread) == (1, 1)
    assert 0.01 < mean_error < 0.1
    assert 0.03 < spread_error < 0.3


def test_two_files_are_compared_range_by_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trained: Trained
) -> None:
    model = CaloInnCylinder(ELECTRON_SPEC, trained)
    for name, seed in (("a.h5", 1), ("b.h5", 2)):
        showers = model.generate(energy=[2] * 8 + [100] * 8, seed=seed)
        calochallenge.write(tmp_path / name, [showers], VOXELS)
    main(tmp_path / "a.h5", tmp_path / "b.h5")
    printed = capsys.readouterr().out
    assert "1-3 GeV, 8 and 8 showers" in printed
    assert "3-15 GeV" not in printed
    assert "15-1000 GeV, 8 and 8 showers" in printed
