"""The networks: the same function in numpy as in torch, and what they begin as."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_caloscore.config import (
    EmbeddingConfig,
    ResidualMlpConfig,
    UnetConfig,
    preset,
)
from calozoo_caloscore.numpy_unet import NumpyUnet, unet_layout
from calozoo_caloscore.residual_mlp import ResidualMlp
from calozoo_caloscore.unet import Unet

CONFIGS = {
    "tiny": preset("tiny").shape,
    "trained": preset("ild-photon-clumps").shape,
    "attention everywhere": UnetConfig(
        grid=(9,),
        padding=((2, 1),),
        channels=2,
        place_conditions=1,
        stem=4,
        widths=(6, 8, 4),
        attention=(True, True, True),
        depth=1,
        embedding=EmbeddingConfig(conditions=(3,), width=8),
    ),
}

VOLUME = UnetConfig(
    grid=(6, 4, 2),
    padding=((1, 1), (0, 0), (0, 0)),
    stem=4,
    widths=(4, 8),
    attention=(False, True),
    depth=1,
    embedding=EmbeddingConfig(conditions=(3,), width=8),
)


def random_network(config: UnetConfig) -> Unet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = Unet(config)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
    return network.eval().requires_grad_(requires_grad=False)


def inputs(config: UnetConfig, n: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(5)
    sizes = [(*config.grid, config.channels), *((size,) for size in config.embedding.conditions)]
    if config.place_conditions:
        sizes.append((*config.grid, config.place_conditions))
    x, *given = (torch.randn(n, *size, generator=generator) for size in sizes)
    return x, given


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("time", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("name", CONFIGS)
def test_numpy_computes_what_torch_does(name: str, time: float, n: int) -> None:
    config = CONFIGS[name]
    network = random_network(config)
    arrays = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    x, given = inputs(config, n)
    expected = network(x, torch.full((n,), time), *given).numpy()
    light = NumpyUnet(config, arrays)
    *conditions, places = (tensor.numpy() for tensor in given)
    found = light(x.numpy(), time, light.given(conditions, places))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", CONFIGS)
def test_the_layout_of_the_tensors_follows_from_the_configuration(name: str) -> None:
    state = Unet(CONFIGS[name]).state_dict()
    layout = unet_layout(CONFIGS[name])
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == {
        key: entry.shape for key, entry in layout.items()
    }


@pytest.mark.parametrize("config", [CONFIGS["tiny"], VOLUME], ids=["line", "volume"])
def test_it_begins_as_zero_and_keeps_the_shape_of_its_grid(config: UnetConfig) -> None:
    x, given = inputs(config, 2)
    velocity = Unet(config)(x, torch.rand(2), *given)
    assert velocity.shape == x.shape
    assert not velocity.any()


@pytest.mark.parametrize("config", [CONFIGS["tiny"], VOLUME], ids=["line", "volume"])
def test_time_condition_and_far_places_matter(config: UnetConfig) -> None:
    network = random_network(config)
    x, given = inputs(config, 1)
    time = torch.full((1,), 0.5)
    before = network(x, time, *given)
    other = x.clone()
    other[0, 0] += 1
    assert (network(other, time, *given) != before)[0, -1].all()
    assert (network(x, time + 0.1, *given) != before).all()
    assert (network(x, time, given[0] + 1, *given[1:]) != before).all()


def test_the_published_energy_network_knows_time_and_condition() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = ResidualMlp(ResidualMlpConfig(dim=3, hidden=8)).eval()
    x, time, condition = torch.randn(2, 3), torch.full((2,), 0.3), torch.ones(2, 1)
    before = network(x, time, condition)
    assert before.shape == x.shape
    assert (network(x, time + 0.1, condition) != before).all()
    assert (network(x, time, condition + 1) != before).all()
