"""Configurations: sizes that fit, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from calozoo_caloqvae.config import CaloQvaeConfig, RbmConfig, preset
from calozoo_caloqvae.qvae import Qvae


@pytest.mark.parametrize(
    ("prior", "nodes", "latents", "couplings"),
    [
        (RbmConfig(graph="zephyr", size=3), 84, 252, 2_808),
        (RbmConfig(graph="pegasus", size=4), 54, 162, 1_324),
        (RbmConfig(graph="dense", size=10), 10, 30, 600),
    ],
)
def test_a_graph_says_how_many_nodes_there_are(
    prior: RbmConfig, nodes: int, latents: int, couplings: int
) -> None:
    assert (prior.nodes, prior.latents, prior.couplings) == (nodes, latents, couplings)


@pytest.mark.parametrize("name", ["ild-photon", ""])
def test_a_name_that_does_not_exist_lists_those_that_do(name: str) -> None:
    with pytest.raises(ValueError, match="there are ild-photon-clumps, tiny"):
        preset(name)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prior": {"graph": "zephyr", "size": 1}}, "12 nodes do not hold the 28 bits"),
        ({"prior": {"graph": "pegasus", "size": 1}}, "from 2 to 24, not 1"),
        ({"prior": {"graph": "zephyr", "size": 25}}, "from 1 to 24, not 25"),
        ({"prior": {"graph": "chimera", "size": 3}}, "Input should be 'zephyr', 'pegasus'"),
        ({"hidden": ()}, "at least 1 item"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"energies": {"patch": (2, 1, 1)}}, "a token of one number for each layer"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, Any], message: str) -> None:
    config = preset("tiny").model_dump()
    for name, value in wrong.items():
        config[name] = config[name] | value if isinstance(value, dict) else value
    with pytest.raises(ValidationError, match=message):
        CaloQvaeConfig.model_validate(config)


def test_the_trained_networks_are_small() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in Qvae(preset("ild-photon-clumps")).parameters())
    assert count < 1_000_000
