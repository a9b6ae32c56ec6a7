"""The transformer: the same function in numpy as in torch, and what it begins as."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from calozoo_core.nn.numpy_transformer import NumpyTransformer, transformer_layout
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.nn.transformer_config import TransformerConfig

PATCHES = TransformerConfig(
    grid=(6, 4, 2), patch=(2, 2, 1), width=12, blocks=2, heads=3, mlp_ratio=2, conditions=3
)
CONFIGS = {
    "patches in three directions": PATCHES,
    "a number a token": TransformerConfig(
        grid=(30, 1, 1), patch=(1, 1, 1), width=36, blocks=3, heads=3, conditions=4
    ),
    "conditions of tokens": TransformerConfig(
        grid=(30, 1, 5),
        patch=(1, 1, 5),
        width=48,
        blocks=4,
        heads=4,
        conditions=34,
        token_conditions=1,
    ),
}


def random_network(config: TransformerConfig) -> VisionTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = VisionTransformer(config)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network.eval().requires_grad_(requires_grad=False)


def inputs(config: TransformerConfig, n: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, config.tokens, config.patch_size, generator=generator)
    condition = torch.randn(n, config.conditions, generator=generator)
    if not config.token_conditions:
        return x, condition
    tokens = torch.randn(n, config.tokens, config.token_conditions, generator=generator)
    return x, condition, tokens


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("time", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("name", CONFIGS)
def test_numpy_computes_what_torch_does(name: str, time: float, n: int) -> None:
    config = CONFIGS[name]
    network = random_network(config)
    arrays = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    x, *conditions = inputs(config, n)
    expected = network(x, torch.full((n,), time), *conditions)
    light = NumpyTransformer(config, arrays)
    given = light.given(*(tensor.numpy() for tensor in conditions))
    found = light(x.numpy(), time, given)
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_shapes_of_the_tensors_follow_from_the_configuration(name: str) -> None:
    state = VisionTransformer(CONFIGS[name]).state_dict()
    layout = transformer_layout(CONFIGS[name])
    assert {key: tuple(t.shape) for key, t in state.items()} == {
        key: entry.shape for key, entry in layout.items()
    }


def test_it_begins_as_zero_whatever_it_is_given() -> None:
    x, condition = inputs(PATCHES, 3)
    assert not VisionTransformer(PATCHES)(x, torch.rand(3), condition).any()


def test_tokens_see_each_other_and_know_their_places() -> None:
    network = random_network(PATCHES)
    x, condition = inputs(PATCHES, 1)
    time = torch.full((1,), 0.5)
    before = network(x, time, condition)
    changed = x.clone()
    changed[0, 0] += 1
    assert (network(changed, time, condition) != before)[0, 1:].all()
    turned = network(x.flip(1), time, condition).flip(1)
    assert (turned - before).abs().max() > 1e-3


SIZES = {
    "grid": (6, 4, 2),
    "patch": (2, 4, 1),
    "width": 12,
    "blocks": 1,
    "heads": 2,
    "conditions": 3,
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patch": (4, 4, 1)}, "do not divide"),
        ({"width": 16}, "not a multiple of 6"),
        ({"heads": 5}, "not a multiple of 6 and of the heads 5"),
        ({"time_features": 7}, "multiple of 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object], message: str) -> None:
    assert TransformerConfig.model_validate(SIZES).patches == (3, 1, 2)
    with pytest.raises(ValidationError, match=message):
        TransformerConfig.model_validate(SIZES | wrong)
