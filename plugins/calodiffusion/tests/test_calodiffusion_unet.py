"""The U-Net: the same function in numpy as in torch, and what turns with the shower."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_calodiffusion.config import PRESETS, UnetConfig, preset
from calozoo_calodiffusion.numpy_unet import NumpyUnet, place_images, unet_layout
from calozoo_calodiffusion.unet import CylinderUnet

ROUND = UnetConfig(grid=(7, 8, 9), widths=(8, 8, 16), conditions=3, groups=4)
CONFIGS = {
    "sectors": ROUND,
    "three places": UnetConfig(
        grid=(6, 4, 5),
        widths=(4, 4, 8, 8),
        strides=(2, 1, 1),
        places=("ring", "layer", "sector"),
        images=2,
        groups=4,
    ),
    "tiny": preset("tiny").shape,
    "trained size": preset("ild-photon-clumps").shape,
}


def random_network(config: UnetConfig) -> CylinderUnet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = CylinderUnet(config)
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    return network.eval().requires_grad_(requires_grad=False)


def inputs(config: UnetConfig, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, *config.grid, generator=generator)
    condition = torch.randn(n, config.conditions, generator=generator)
    if not config.images:
        return x, condition, None
    return x, condition, torch.randn(n, config.images, *config.grid, generator=generator)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("time", [-3.1, 0.0, 2.19])
@pytest.mark.parametrize("name", CONFIGS)
def test_numpy_computes_what_torch_does(name: str, time: float, n: int) -> None:
    config = CONFIGS[name]
    network = random_network(config)
    arrays = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    x, condition, images = inputs(config, n)
    expected = network(x, torch.full((n,), time), condition, images)
    light = NumpyUnet(config, arrays)
    last = None if images is None else images.numpy().transpose(0, 2, 3, 4, 1)
    found = light(x.numpy(), time, light.given(condition.numpy()), last)
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_shapes_of_the_tensors_follow_from_the_configuration(name: str) -> None:
    with torch.device("meta"):
        state = CylinderUnet(CONFIGS[name]).state_dict()
    layout = unet_layout(CONFIGS[name])
    assert {key: tuple(t.shape) for key, t in state.items()} == {
        key: entry.shape for key, entry in layout.items()
    }


def test_a_turned_shower_gives_a_turned_output() -> None:
    """By as many sectors as one of the coarsest level covers; the network knows no zero angle."""
    network = random_network(ROUND)
    x, condition, _ = inputs(ROUND, 2)
    time = torch.zeros(2)
    output = network(x, time, condition)
    torch.testing.assert_close(
        network(x.roll(2, 2), time, condition), output.roll(2, 2), rtol=1e-4, atol=1e-5
    )
    assert (network(x.roll(2, 3), time, condition) - output.roll(2, 3)).abs().max() > 1e-3


def test_attention_carries_a_change_to_all_voxels() -> None:
    network = random_network(ROUND)
    x, condition, _ = inputs(ROUND, 1)
    changed = x.clone()
    changed[0, 0, 0, 0] += 1
    time = torch.zeros(1)
    assert (network(changed, time, condition) != network(x, time, condition))[0, -1].all()


def test_places_run_from_0_to_1_along_their_axes() -> None:
    ring, layer = np.moveaxis(place_images(ROUND), -1, 0)
    np.testing.assert_allclose(ring[3, 5], np.linspace(0, 1, 9), rtol=1e-6)
    np.testing.assert_allclose(layer[:, 5, 3], np.linspace(0, 1, 7), rtol=1e-6)


def test_the_trained_network_is_small() -> None:
    with torch.device("meta"):
        built = CylinderUnet(PRESETS["ild-photon-clumps"].shape)
    assert sum(p.numel() for p in built.parameters()) < 1_000_000
