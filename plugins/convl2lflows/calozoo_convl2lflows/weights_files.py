"""A trained ConvL2LFlows as files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from calozoo_convl2lflows.cells import CellFlows
from calozoo_convl2lflows.config import ConvL2LConfig, MafConfig
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.maf import Maf
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.voxel_flow import VoxelFlows
from calozoo_core.weights import read_config, write_weights
from calozoo_core.weights.networks import named_tensors, read_networks

__all__ = ["Trained", "networks", "read", "write"]


class Trained(NamedTuple):
    """The flows by name, and what they were built from.

    Arguments:
        config: What they were built from.
        networks: "energies", and "cells" and "subcells", or "voxels".
    """

    config: ConvL2LConfig
    networks: Mapping[str, nn.Module]


def networks(config: ConvL2LConfig) -> dict[str, nn.Module]:
    """The flows of a configuration, as they are before training.

    Example:
        >>> from calozoo_convl2lflows.config import preset
        >>> with torch.device("meta"):  # nothing is allocated
        ...     flows = networks(preset("gh"))
        >>> sum(p.numel() for flow in flows.values() for p in flow.parameters())
        163403252
    """
    grid, voxels = config.grid, config.voxels
    if isinstance(config.energies, MafConfig):
        # The energy alone, or the energy and the direction.
        context = 1 if voxels is not None and voxels.constants == 2 else 4
        energies: nn.Module = Maf(grid.layers, context, config.energies)
    else:
        energies = LayerEnergies(grid.layers, config.energies)
    if voxels is not None:
        return {"energies": energies, "voxels": VoxelFlows(grid, voxels)}
    assert config.cells is not None
    assert config.subcells is not None
    return {
        "energies": energies,
        "subcells": SubCellFlow(grid, config.subcells),
        "cells": CellFlows(grid, config.cells),
    }


def read(folder: Path) -> Trained:
    """The flows of a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged or do not fit each other.
    """
    config = read_config(folder, ConvL2LConfig)
    # On the meta device nothing is allocated before the file is known to fit.
    with torch.device("meta"):
        expected = networks(config)
    read_networks(folder, expected)
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and then replaced
        built = networks(config)  # with the masks, which are not in the file
    for part, network in built.items():
        network.load_state_dict(expected[part].state_dict())
        network.eval().requires_grad_(requires_grad=False)
    return Trained(config, built)


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    write_weights(folder, trained.config, named_tensors(trained.networks))
