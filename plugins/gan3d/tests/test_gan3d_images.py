"""Voxels, and the networks that fill and judge them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from calozoo_core.incident import Incident
from calozoo_gan3d.adversarial_step import AdversarialLoss, AdversarialPair
from calozoo_gan3d.config import Gan3dConfig, GridConfig, preset
from calozoo_gan3d.grid import edges, fill, ring_index
from calozoo_gan3d.layer_energies import LayerEnergies
from calozoo_gan3d.networks import deposits, energy_of, positive
from calozoo_gan3d.primaries import conditions, mirrored
from calozoo_gan3d.training import set_mean_images
from calozoo_gan3d.training_data import ImageSample, dense_images, energy_batch, image_batch

Adversaries = tuple[AdversarialPair, AdversarialLoss]

GRID = GridConfig(layers=2, cells=8)


def test_voxels_are_fine_in_the_core_and_reach_the_edge_of_the_box() -> None:
    bounds = edges(preset("ild-photon").grid)
    widths = np.diff(bounds)
    np.testing.assert_allclose(bounds[[0, -1]], [-150, 150])
    np.testing.assert_allclose(bounds, -bounds[::-1], atol=1e-9)
    assert widths.min() < 2.5
    assert (np.diff(widths[12:]) > 0).all()


def test_filling_keeps_the_energy_inside_the_box_and_nothing_of_the_rest() -> None:
    x, y = np.array([1.0, 1.5, -20, 400]), np.array([-1.0, -1.2, 3, 0])
    energy = np.array([1, 2, 4, 8], np.float32)
    layer, shower = np.array([0, 0, 1, 1], np.uint8), np.array([0, 0, 1, 1])
    voxels = fill(x, y, layer, energy, shower, 3, GRID)
    assert voxels.offsets.tolist() == [0, 1, 2, 2]
    assert voxels.energy.tolist() == [3, 4]
    assert voxels.voxel.tolist() == [3 * 8 + 4, 64 + 4 * 8 + 2]


def test_a_mirrored_image_has_its_columns_the_other_way_round(
    sample: ImageSample, tiny_config: Gan3dConfig
) -> None:
    rows = np.array([3, 3])
    signs = np.array([1, -1], np.float32)
    plain, flipped = dense_images(sample.voxels, rows, signs, tiny_config.grid)
    np.testing.assert_array_equal(plain[:, :, ::-1], flipped)
    assert plain.sum() == pytest.approx(float(sample.energies[3].sum()), rel=1e-5)


def test_a_mirrored_primary_has_the_conditions_of_its_mirror_image() -> None:
    sign = np.array([-1, 1], np.float32)
    one = conditions(Incident([20, 30], [(0.3, 0.2, 0.8), (-0.1, 0, 1)]))
    other = conditions(Incident([20, 30], [(-0.3, 0.2, 0.8), (-0.1, 0, 1)]))
    np.testing.assert_allclose(mirrored(one, sign), other, rtol=1e-6)


def test_rings_grow_outwards() -> None:
    rings = ring_index(GRID).reshape(8, 8)
    assert rings[4, 4:].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(rings, rings.T)
    np.testing.assert_array_equal(rings, rings[::-1])


@given(st.floats(-50, 50))
def test_a_spread_is_positive(value: float) -> None:
    assert float(positive(torch.tensor(value, dtype=torch.float64))) > 0


def test_no_energy_below_zero_and_more_for_more_above() -> None:
    t = torch.linspace(-3, 20, 500)
    energy = energy_of(t)
    assert (energy[t <= 0] == 0).all()
    assert (energy[t > 0].diff() > 0).all()


def test_every_layer_has_the_energy_it_should_have_even_if_nothing_was_drawn() -> None:
    t = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    t[1, 2] = -1.0 - torch.rand(8, 8, generator=torch.Generator().manual_seed(2))
    energy = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8], [0, 1, 0, 1]])
    image, _ = deposits(t, energy)
    torch.testing.assert_close(image.sum(dim=(2, 3)), energy)
    assert (image[1, 2] > 0).sum() == 1
    assert (image >= 0).all()


def test_an_empty_voxel_has_a_slope_while_training() -> None:
    t = torch.full((1, 1, 2, 2), -0.1)
    t[0, 0, 0, 0] = 1.0
    t.requires_grad_()
    image, _ = deposits(t, torch.ones(1, 1))
    image[0, 0, 1, 1].backward()
    assert t.grad is not None
    assert t.grad[0, 0, 1, 1] > 0


def test_the_energies_network_undoes_its_standardisation() -> None:
    net = LayerEnergies(3, preset("tiny").energies)
    net.shift.fill_(0.5)
    net.scale.fill_(2.0)
    energy, incident = torch.tensor([[1.0, 4.0, 0.0]]), torch.tensor([10.0])
    torch.testing.assert_close(net.energies(net.standardised(energy, incident), incident), energy)


@pytest.fixture
def adversaries(sample: ImageSample, tiny_config: Gan3dConfig) -> Adversaries:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        pair = AdversarialPair(tiny_config)
        energies = LayerEnergies(tiny_config.grid.layers, tiny_config.energies)
    set_mean_images(pair.generator, sample)
    return pair, AdversarialLoss(tiny_config, energies, "ild_siecal_regular")


def slopes(network: nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("step", [0, 1])
def test_a_step_has_gradients_for_both_networks(
    adversaries: Adversaries,
    sample: ImageSample,
    tiny_config: Gan3dConfig,
    step: int,
) -> None:
    """Step 0 looks at the slope of the discriminator, step 1 does not."""
    pair, loss = adversaries
    loss(pair, pair, image_batch(sample, tiny_config, 6, 1, step)).backward()
    assert slopes(pair.generator) > 0
    assert slopes(pair.discriminator) > 0


def test_the_generator_does_not_pay_for_what_the_discriminator_learns(
    adversaries: Adversaries,
    sample: ImageSample,
    tiny_config: Gan3dConfig,
) -> None:
    pair, loss = adversaries
    batch = image_batch(sample, tiny_config, 6, 1, 1)
    silent = {"real": 0.0, "energy": 0.0, "angle": 0.0, "deposit": 0.0, "sums": 0.0}
    loss.weights = tiny_config.loss.model_copy(update=silent | {"real": 1.0})
    parts = {}
    for turned in (False, True):
        pair.zero_grad()
        labels = batch[6].clone()
        if turned:
            labels = 1 - labels
        loss(pair, pair, (*batch[:6], labels, *batch[7:])).backward()
        weight = pair.generator.last.weight.grad
        assert weight is not None
        parts[turned] = weight.clone()
    # Other labels are another lesson for the discriminator and the same one for the generator.
    torch.testing.assert_close(parts[False], parts[True])


def test_mean_images_fill_voxels_as_often_as_the_sample(
    adversaries: Adversaries,
    sample: ImageSample,
    tiny_config: Gan3dConfig,
) -> None:
    generator = adversaries[0].generator
    images = dense_images(sample.voxels, np.arange(40), np.ones(40, np.float32), tiny_config.grid)
    random = torch.Generator().manual_seed(6)
    grid, config = tiny_config.grid, tiny_config.generator
    with torch.inference_mode():
        t = generator(
            torch.from_numpy(sample.condition),
            torch.zeros(40, grid.layers),
            torch.randn(40, config.latent, generator=random),
            torch.randn(40, grid.layers, grid.cells, grid.cells, generator=random),
        )
    assert float((t > 0).float().mean()) == pytest.approx((images > 0).mean(), abs=0.05)


def test_batches_depend_on_the_step_alone(sample: ImageSample, tiny_config: Gan3dConfig) -> None:
    for make in (
        lambda step: energy_batch(sample, 4, 5, 1, step),
        lambda step: image_batch(sample, tiny_config, 5, 1, step),
    ):
        first, again, other = make(7), make(7), make(8)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not torch.equal(first[0], other[0])
