"""What each flow is trained on: its batches, its loss, and the physics it is judged by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from calozoo_convl2lflows.cells import CellFlows, cell_map
from calozoo_convl2lflows.checkpoint_metrics import (
    cells_physics,
    energy_physics,
    subcells_physics,
    voxels_physics,
)
from calozoo_convl2lflows.config import ConvL2LConfig, MafConfig
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.maf import Maf
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.training_data import (
    Gridded,
    Sample,
    cells_batch,
    energy_batch,
    layer_energies,
    read_onto_grid,
    split_cells,
    subcells_batch,
    voxels_batch,
)
from calozoo_convl2lflows.voxel_encoding import EnergyChain, VoxelChain, primary_constants
from calozoo_convl2lflows.voxel_flow import VoxelFlows
from calozoo_core.random import stream
from calozoo_core.training import Batch, StageConfig

__all__ = ["Samples", "goal"]

LogProb = Callable[[nn.Module, Batch], Tensor]

Aims = tuple[
    Callable[[nn.Module, nn.Module, Batch], Tensor],
    Callable[[Any], dict[str, float]],
    Callable[[int], Batch],
]
"""Loss, physics and batches of a stage."""

SHARES = {"energies": 0.10, "subcells": 0.18, "cells": 0.72, "voxels": 0.90}
"""How a budget is shared among the stages."""

READINGS = 3
"""Times the training showers are read onto the grid for the layer energies."""

HELD_OUT_STEP = 2**40
"""No training gets as far: the batch of this step measures the likelihood of held-out showers."""

HELD_OUT_IMAGES = (100, 8)
"""Showers in it, and layers of each."""


class Samples(NamedTuple):
    """What is trained on, and what is held out.

    Arguments:
        train: Geant4 showers to fit.
        validation: Geant4 showers to choose checkpoints by.
        looked_at: How many of those the flows of layers are judged by.
    """

    train: Sample
    validation: Sample
    looked_at: int = 300


def goal(
    stage: str, samples: Samples, config: ConvL2LConfig, seed: int, epochs: int, *, rough: bool
) -> StageConfig:
    """What a stage of the training is after.

    Arguments:
        stage: "energies", "cells", "subcells" or "voxels".
        samples: Geant4 showers.
        config: Of the model.
        seed: Same seed, same batches.
        epochs: How many, if no budget sets their number.
        rough: Whether convolutions are computed in bfloat16.
    """
    make = {"energies": _energies, "cells": _cells, "subcells": _subcells, "voxels": _voxels}
    loss, physics, batch = make[stage](samples, config, seed, rough)
    return StageConfig(
        loss=loss,
        physics=physics,
        batch=batch,
        epochs=epochs,
        share=SHARES[stage],
        learning_rate=1e-3 if stage == "voxels" else 2e-3,
        weight_decay=1e-4,
    )


def _energies(samples: Samples, config: ConvL2LConfig, seed: int, rough: bool) -> Aims:
    readings = [
        layer_energies(samples.train, config, stream(seed, 10 + i, "reading"))
        for i in range(READINGS)
    ]
    energies, primary = (torch.cat(parts) for parts in zip(*readings, strict=True))
    truth = layer_energies(samples.validation, config, stream(seed, 1, "reading"))

    def log_prob(network: nn.Module, batch: Batch) -> Tensor:
        if isinstance(config.energies, MafConfig):
            return _maf_log_prob(network, batch, config.energies)
        assert isinstance(network, LayerEnergies)
        return network.log_prob(batch[0], batch[1]).mean()

    held_out = energy_batch(*truth, 800, seed, HELD_OUT_STEP)
    return (
        lambda network, _, batch: -log_prob(network, batch) / config.grid.layers,
        lambda network: energy_physics(network, *truth, config) | _nll(network, held_out, log_prob),
        lambda step: energy_batch(energies, primary, 128, seed, step),
    )


def _maf_log_prob(network: nn.Module, batch: Batch, config: MafConfig) -> Tensor:
    assert isinstance(network, Maf)
    energies, primary, normal = batch
    context = primary_constants(primary)[:, : network.conditions]
    return network.log_prob(EnergyChain(config.scale_mev).forward(energies, normal), context).mean()


def _cells(samples: Samples, config: ConvL2LConfig, seed: int, rough: bool) -> Aims:
    truth = _some(samples, config, seed, 3)

    def log_prob(network: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, CellFlows)
        energy, before, primary, energies, layer = batch
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            return network.log_prob(energy, before, primary, energies, layer).mean()

    held_out = cells_batch(samples.validation, config, *HELD_OUT_IMAGES, seed, HELD_OUT_STEP)
    return (
        lambda network, _, batch: -log_prob(network, batch) / 100,
        lambda network: cells_physics(network, truth, config) | _nll(network, held_out, log_prob),
        lambda step: cells_batch(samples.train, config, 16, 8, seed, step),
    )


def _subcells(samples: Samples, config: ConvL2LConfig, seed: int, rough: bool) -> Aims:
    truth = _some(samples, config, seed, 2)

    def log_prob(network: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, SubCellFlow)
        fine, before, primary, energies, layer = batch
        cells, shares = split_cells(fine, config)
        maps = torch.zeros(len(fine), config.grid.cells, config.grid.cells)
        maps[cells.image, cells.row, cells.column] = cell_map(cells.energy)
        condition = network.context(primary, energies, layer)
        features = network.features(cells, maps, before, condition)
        return network.log_prob(shares, cells.energy, features).mean()

    held_out = subcells_batch(samples.validation, config, *HELD_OUT_IMAGES, seed, HELD_OUT_STEP)
    return (
        lambda network, _, batch: -log_prob(network, batch),
        lambda network: (
            subcells_physics(network, truth, config) | _nll(network, held_out, log_prob)
        ),
        lambda step: subcells_batch(samples.train, config, 12, 8, seed, step),
    )


def _voxels(samples: Samples, config: ConvL2LConfig, seed: int, rough: bool) -> Aims:
    assert config.voxels is not None
    truth = _some(samples, config, seed, 4)
    chain = VoxelChain(config.grid, config.voxels)
    voxels = math.prod(config.grid.shape)

    def log_prob(network: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, VoxelFlows)
        x, before, primary, energies, layer = batch
        constants = network.constants_of(primary, energies, layer)
        return network.log_prob(x, before, constants, layer).mean()

    held_out = voxels_batch(samples.validation, config, chain, 8, 8, seed, HELD_OUT_STEP)
    return (
        lambda network, _, batch: -log_prob(network, batch) / voxels,
        lambda network: voxels_physics(network, truth, config) | _nll(network, held_out, log_prob),
        lambda step: voxels_batch(samples.train, config, chain, 4, 8, seed, step),
    )


def _some(samples: Samples, config: ConvL2LConfig, seed: int, purpose: int) -> Gridded:
    random = stream(seed, purpose, "reading")
    return read_onto_grid(samples.validation, config, random, samples.looked_at)


def _nll(network: nn.Module, batch: Batch, log_prob: LogProb) -> dict[str, float]:
    """Negative log-likelihood of held-out showers."""
    with torch.inference_mode():
        return {"nll": -float(log_prob(network, batch))}
