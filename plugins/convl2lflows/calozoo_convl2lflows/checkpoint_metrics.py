"""Metrics that checkpoints are chosen by: divergences from held-out Geant4 showers.

Every metric is a Jensen-Shannon divergence in nats. A score is the sum of the metrics, each in
units of a good value, so that none dominates.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_convl2lflows.cell_sampling import CellSampler
from calozoo_convl2lflows.cells import CellFlows
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.energy_sampling import LayerEnergySampler
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.model import streams
from calozoo_convl2lflows.subcell_sampling import SubCellSampler
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.training_data import GriddedShowers, cell_energies
from calozoo_core.metrics import checkpoint_metrics
from calozoo_core.typing import FloatArray
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["cell_metrics", "layer_energy_metrics", "subcell_metrics"]

#: Good values, by observable.
GOOD = {
    "layer_energy": 2e-5,
    "visible_energy": 3e-3,
    "depth": 3e-3,
    "empty": 1e-4,
    "layer_count": 2e-4,
    "radius_energy": 2e-4,
    "radius_count": 3e-4,
    "energy_count": 3e-4,
    "core_energy": 1e-3,
    "n_hits": 1e-2,
    "slope_x": 1e-2,
    "slope_y": 1e-2,
    "core_slope_x": 1e-2,
    "core_slope_y": 1e-2,
    "width": 1e-2,
}
SEED = 20_000
BATCH = 50
MAX_LAYERS = 256
REPEATS = 4
HOT = 0.04
"""Share of the hits, the most energetic ones, that show the direction best."""


def layer_energy_metrics(
    flow: LayerEnergies, energies: Tensor, primary: Tensor
) -> dict[str, float]:
    """Metrics of the layer energies that a flow samples for held-out primaries.

    Arguments:
        flow: The flow.
        energies: Layer energies of Geant4, in MeV, shape (n, layers).
        primary: Features of the primaries, shape (n, 7).
    """
    repeated = primary.repeat(REPEATS, 1)
    noise = streams(len(repeated), SEED, 0, "energies")
    sampler = LayerEnergySampler(flow.layers, network_arrays(flow))
    generated = sampler(noise, repeated.numpy()).astype(np.float64)
    truth = energies.numpy().astype(np.float64)
    energy = primary[:, 1].numpy().astype(np.float64)
    return checkpoint_metrics(
        GOOD,
        (_layer_sums(generated), _layer_sums(truth)),
        (
            _layer_observables(generated, np.tile(energy, REPEATS)),
            _layer_observables(truth, energy),
        ),
    )


def _layer_sums(energies: FloatArray) -> dict[str, FloatArray]:
    return {"layer_energy": energies.sum(0), "empty": (energies > 0).sum(0).astype(np.float64)}


def _layer_observables(energies: FloatArray, energy_gev: FloatArray) -> dict[str, FloatArray]:
    visible = energies.sum(1)
    depth = energies @ np.arange(energies.shape[1]) / visible
    return {"visible_energy": visible / energy_gev, "depth": depth}


@torch.inference_mode()
def cell_metrics(
    flows: CellFlows, truth: GriddedShowers, config: ConvL2LConfig
) -> dict[str, float]:
    """Metrics of the cells sampled for held-out showers, given their true layer energies."""
    n, grid = len(truth.primary), config.grid
    sampler = CellSampler(grid, config.cells, network_arrays(flows))
    parts = [slice(i, i + BATCH) for i in range(0, n, BATCH)]
    generated = np.concatenate(
        [
            sampler(
                streams(len(truth.primary[part]), SEED, part.start, "cells"),
                truth.primary[part].numpy(),
                truth.energies[part].numpy(),
            )
            for part in parts
        ]
    )
    reference = cell_energies(truth.filled, n, config, before=0).numpy()
    return _comparison(_sub_cells(generated), _sub_cells(reference), n, grid.cell_mm, grid.cells)


@torch.inference_mode()
def subcell_metrics(
    flow: SubCellFlow, truth: GriddedShowers, config: ConvL2LConfig
) -> dict[str, float]:
    """Metrics of the sub-cells sampled for held-out showers, given their true cells."""
    n, grid = len(truth.primary), config.grid
    cells = cell_energies(truth.filled, n, config, before=0).numpy()
    noise = streams(n, SEED, 0, "subcells")
    sampler = SubCellSampler(grid, network_arrays(flow))
    generated = sampler(noise, cells, truth.primary.numpy(), truth.energies.numpy())
    return _comparison(generated, truth.filled, n, grid.pitch_mm, grid.side)


def _sub_cells(cells: NDArray[np.float32]) -> SubCells:
    shower, layer, row, column = np.nonzero(cells)
    return SubCells(shower, layer, row, column, cells[shower, layer, row, column])


def _comparison(
    generated: SubCells, truth: SubCells, n: int, pitch_mm: float, side: int
) -> dict[str, float]:
    return checkpoint_metrics(
        GOOD,
        (_histograms(generated, pitch_mm, side), _histograms(truth, pitch_mm, side)),
        (_per_shower(generated, n, pitch_mm, side), _per_shower(truth, n, pitch_mm, side)),
    )


def _histograms(cells: SubCells, pitch_mm: float, side: int) -> dict[str, FloatArray]:
    x, y = _middles(cells, pitch_mm, side)
    radius = np.hypot(x, y)
    radii = np.arange(0, 110, max(1.0, pitch_mm * 0.75))
    energies = np.logspace(-3, 2, 51)
    core = radius < 5
    return {
        "radius_energy": np.histogram(radius, radii, weights=cells.energy)[0],
        "radius_count": np.histogram(radius, radii)[0].astype(np.float64),
        "layer_count": np.bincount(cells.layer, minlength=MAX_LAYERS).astype(np.float64),
        "energy_count": np.histogram(cells.energy, energies)[0].astype(np.float64),
        "core_energy": np.histogram(cells.energy[core], energies[::2])[0].astype(np.float64),
    }


def _per_shower(cells: SubCells, n: int, pitch_mm: float, side: int) -> dict[str, FloatArray]:
    x, y = _middles(cells, pitch_mm, side)
    weight = cells.energy.astype(np.float64)
    count = np.bincount(cells.shower, minlength=n)
    total = np.bincount(cells.shower, weight, minlength=n)
    width = np.bincount(cells.shower, weight * np.hypot(x, y), minlength=n) / total
    order = np.lexsort((-weight, cells.shower))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    hot = np.zeros(len(weight), bool)
    hot[order] = rank < np.maximum(3, HOT * count)[cells.shower[order]]
    result: dict[str, FloatArray] = {"n_hits": count / np.maximum(total, 1e-9), "width": width}
    for name, values in (("x", x), ("y", y)):
        result[f"slope_{name}"] = _slope(values, cells, weight, n)
        result[f"core_slope_{name}"] = _slope(values, cells, weight * hot, n)
    return result


def _middles(cells: SubCells, pitch_mm: float, side: int) -> tuple[FloatArray, FloatArray]:
    """Positions of the middles of cells along x' and y', in mm."""
    x, y = (
        (index.astype(np.float64) + 0.5 - side / 2) * pitch_mm
        for index in (cells.column, cells.row)
    )
    return x, y


def _slope(position: FloatArray, cells: SubCells, weight: FloatArray, n: int) -> FloatArray:
    """Slope of the energy-weighted line through each shower, in mm per layer."""

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(cells.shower, weight * values, minlength=n) / total

    total = np.bincount(cells.shower, weight, minlength=n)
    z = cells.layer.astype(np.float64)
    spread = mean(z * z) - mean(z) ** 2
    return (mean(z * position) - mean(z) * mean(position)) / np.maximum(spread, 1e-3)
