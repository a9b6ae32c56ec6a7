"""Networks of a CaloINN in torch: built for training, and as samplers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.inn import Inn, inn_sampler, torch_sampler
from calozoo_caloinn.numpy_inn import Sampler
from calozoo_caloinn.vae import Vae

__all__ = ["build_networks", "samplers", "torch_samplers"]


def build_networks(
    config: CaloInnConfig, generator: torch.Generator | None = None
) -> nn.ModuleDict:
    """Untrained networks of a configuration: "layers", "inn" and "vae", as it has them.

    Arguments:
        config: Configuration of the model.
        generator: Draws the permutations; needed only for networks that are going to be trained.
    """
    networks = nn.ModuleDict()
    if config.layers is not None:
        networks["layers"] = Inn(config.layers, generator)
    networks["inn"] = Inn(config.inn, generator)
    if config.vae is not None:
        networks["vae"] = Vae(config.vae)
    return networks


def samplers(networks: Mapping[str, nn.Module] | nn.ModuleDict) -> dict[str, Sampler]:
    """Samplers of networks in training, with copies of their weights: in numpy where possible."""
    return {
        name: network.to_numpy() if isinstance(network, Vae) else inn_sampler(network)
        for name, network in networks.items()
    }


def torch_samplers(networks: Mapping[str, nn.Module] | nn.ModuleDict) -> dict[str, Sampler]:
    """Samplers of networks, computed by torch."""
    return {
        name: network.sampler if isinstance(network, Vae) else torch_sampler(network)
        for name, network in networks.items()
    }
