"""How far what the flows draw is from held-out Geant4 showers: what checkpoints go by.

Every figure is a Jensen-Shannon divergence in nats. Each score adds its figures up, each in units
of what would be a good value, so that no figure drowns another.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_convl2lflows.cell_sampling import CellSampler
from calozoo_convl2lflows.cells import CellFlows
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.generation import energy_sampler, streams
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.maf import Maf
from calozoo_convl2lflows.published import VoxelSampler
from calozoo_convl2lflows.subcell_sampling import SubCellSampler
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.training_data import Gridded, cell_energies
from calozoo_convl2lflows.voxel_flow import VoxelFlows
from calozoo_convl2lflows.weights_files import Trained
from calozoo_core.metrics import js_divergence
from calozoo_core.typing import AnyFloatArray as FloatArray

__all__ = ["cells_physics", "energy_physics", "subcells_physics", "voxels_physics"]

#: Figures that would be good, by observable.
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
"""Part of the hits, the most energetic, that tell the direction best."""


def energy_physics(
    flow: LayerEnergies | Maf, energies: Tensor, primary: Tensor, config: ConvL2LConfig
) -> dict[str, float]:
    """Layer energies that a flow draws for held-out primaries against what Geant4 gave."""
    repeated = primary.repeat(REPEATS, 1)
    sampler = energy_sampler(Trained(config, {"energies": flow}))
    with torch.inference_mode():
        drawn = sampler(streams(len(repeated), SEED, 0, "energies"), repeated)
    mine = drawn.numpy().astype(np.float64)
    real = energies.numpy().astype(np.float64)
    figures = {
        "layer_energy": js_divergence(mine.sum(0), real.sum(0)),
        "empty": js_divergence((mine > 0).sum(0), (real > 0).sum(0)),
    }
    scale = primary[:, 1].numpy().astype(np.float64)
    depth = np.arange(real.shape[1])
    pairs = {
        "visible_energy": (mine.sum(1) / np.tile(scale, REPEATS), real.sum(1) / scale),
        "depth": (mine @ depth / mine.sum(1), real @ depth / real.sum(1)),
    }
    figures |= {name: _quantile_divergence(*pair) for name, pair in pairs.items()}
    return figures | {"score": _score(figures)}


def cells_physics(flows: CellFlows, truth: Gridded, config: ConvL2LConfig) -> dict[str, float]:
    """Cells drawn for held-out showers, given their true layer energies, against Geant4's."""
    n = len(truth.primary)
    real = cell_energies(truth.filled, n, config, before=0)
    sampler = CellSampler(flows, config.grid)
    parts = [slice(i, i + BATCH) for i in range(0, n, BATCH)]
    with torch.inference_mode():
        mine = np.concatenate(
            [
                sampler(
                    streams(len(truth.primary[part]), SEED, part.start, "cells"),
                    truth.primary[part],
                    truth.energies[part],
                )
                for part in parts
            ]
        )
    grid = config.grid
    figures = _compare(_listed(mine), _listed(real.numpy()), n, grid.cell_mm, grid.cells)
    return figures | {"score": _score(figures)}


def subcells_physics(flow: SubCellFlow, truth: Gridded, config: ConvL2LConfig) -> dict[str, float]:
    """Sub-cells drawn for held-out showers, given their true cells, against Geant4's."""
    n = len(truth.primary)
    cells = cell_energies(truth.filled, n, config, before=0).numpy()
    with torch.inference_mode():
        sampler = SubCellSampler(flow, config.grid)
        noise = streams(n, SEED, 0, "subcells")
        mine = sampler(noise, cells, truth.primary, truth.energies)
    return _compared(mine, truth, config)


def voxels_physics(flows: VoxelFlows, truth: Gridded, config: ConvL2LConfig) -> dict[str, float]:
    """Sub-cells of the published flow, given their true layer energies, against Geant4's."""
    assert config.voxels is not None
    sampler = VoxelSampler(flows, config.grid, config.voxels)
    with torch.inference_mode():
        noise = streams(len(truth.primary), SEED, 0, "voxels")
        mine = sampler(noise, truth.primary, truth.energies)
    return _compared(mine, truth, config)


def _compared(mine: SubCells, truth: Gridded, config: ConvL2LConfig) -> dict[str, float]:
    grid, n = config.grid, len(truth.primary)
    figures = _compare(mine, truth.filled, n, grid.pitch_mm, grid.side)
    return figures | {"score": _score(figures)}


def _listed(cells: NDArray[np.float32]) -> SubCells:
    shower, layer, row, column = np.nonzero(cells)
    return SubCells(shower, layer, row, column, cells[shower, layer, row, column])


def _compare(
    mine: SubCells, real: SubCells, n: int, pitch_mm: float, side: int
) -> dict[str, float]:
    a, b = (_histograms(cells, pitch_mm, side) for cells in (mine, real))
    figures = {name: js_divergence(a[name], b[name]) for name in a}
    c, d = (_per_shower(cells, n, pitch_mm, side) for cells in (mine, real))
    return figures | {name: _quantile_divergence(c[name], d[name]) for name in c}


def _histograms(cells: SubCells, pitch_mm: float, side: int) -> dict[str, NDArray[np.float64]]:
    x, y = ((at + 0.5 - side / 2) * pitch_mm for at in (cells.column, cells.row))
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
    x, y = ((at + 0.5 - side / 2) * pitch_mm for at in (cells.column, cells.row))
    weight = cells.energy.astype(np.float64)
    count = np.bincount(cells.shower, minlength=n)
    total = np.bincount(cells.shower, weight, minlength=n)
    width = np.bincount(cells.shower, weight * np.hypot(x, y), minlength=n) / total
    order = np.lexsort((-weight, cells.shower))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    hot = np.zeros(len(weight), bool)
    hot[order] = rank < np.maximum(3, HOT * count)[cells.shower[order]]
    result: dict[str, FloatArray] = {"n_hits": count / np.maximum(total, 1e-9), "width": width}
    for name, at in (("x", x), ("y", y)):
        result[f"slope_{name}"] = _slope(at, cells, weight, n)
        result[f"core_slope_{name}"] = _slope(at, cells, weight * hot, n)
    return result


def _slope(at: FloatArray, cells: SubCells, weight: FloatArray, n: int) -> FloatArray:
    """Slope of the energy-weighted line through each shower, in mm a layer."""

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(cells.shower, weight * values, minlength=n) / total

    total = np.bincount(cells.shower, weight, minlength=n)
    z = cells.layer.astype(np.float64)
    spread = mean(z * z) - mean(z) ** 2
    return (mean(z * at) - mean(z) * mean(at)) / np.maximum(spread, 1e-3)


def _quantile_divergence(mine: FloatArray, real: FloatArray, bins: int = 20) -> float:
    edges = np.quantile(real, np.linspace(0, 1, bins + 1))
    edges[0], edges[-1] = -np.inf, np.inf
    return js_divergence(np.histogram(mine, edges)[0], np.histogram(real, edges)[0])


def _score(figures: dict[str, float]) -> float:
    return sum(figure / GOOD[name] for name, figure in figures.items())
