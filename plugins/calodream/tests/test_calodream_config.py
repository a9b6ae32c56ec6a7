"""Configurations: the published sizes to the parameter, and what is refused."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from calozoo_calodream.autoregressive import AutoregressiveFlow
from calozoo_calodream.config import (
    AutoregressiveConfig,
    CaloDreamConfig,
    preset,
    published,
)
from calozoo_core.nn.transformer import VisionTransformer


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "tokens", "energies", "shape", "both"),
    [
        ("calochallenge2", 135, 2_384_705, 26_042_688, 28_427_393),
        ("calochallenge3", 1350, 2_384_705, 5_868_870, 8_253_575),
    ],
)
def test_the_published_networks_have_as_many_parameters_as_published(
    name: str, tokens: int, energies: int, shape: int, both: int
) -> None:
    config = published(name)
    assert config.shape.tokens == tokens
    with torch.device("meta"):
        counts = (
            count(AutoregressiveFlow(config.energies)),
            count(VisionTransformer(config.shape)),
        )
    assert counts == (energies, shape)
    assert sum(counts) == both


def test_the_velocity_network_of_the_energies_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        assert count(AutoregressiveFlow(AutoregressiveConfig(dim=45)).velocity) == 1_649_153


@pytest.mark.parametrize("name", ["ild-photon", ""])
def test_a_name_that_does_not_exist_lists_those_that_do(name: str) -> None:
    with pytest.raises(ValueError, match="there are ild-photon-clumps, tiny"):
        preset(name)
    with pytest.raises(ValueError, match="there are calochallenge2, calochallenge3"):
        published(name)


def test_a_token_holds_a_number_and_its_place() -> None:
    with pytest.raises(ValidationError, match="does not hold a number and its place among 64"):
        AutoregressiveConfig(dim=64)


@pytest.mark.parametrize("part", ["energies", "shape"])
def test_networks_of_another_grid_are_refused(part: str) -> None:
    config = preset("tiny").model_dump()
    config[part] |= {"grid": (30, 1, 7), "patch": (1, 1, 7)}
    with pytest.raises(ValidationError, match=f"the network {part} must have a token"):
        CaloDreamConfig.model_validate(config)


@pytest.mark.parametrize("part", ["energies", "shape"])
def test_trained_sizes_are_small(part: str) -> None:
    with torch.device("meta"):
        assert count(VisionTransformer(getattr(preset("ild-photon-clumps"), part))) < 1_000_000
