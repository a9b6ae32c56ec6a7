"""How far what a network draws is from held-out Geant4 showers: what checkpoints go by.

Every figure but `score_of_energies` is a Jensen-Shannon divergence in nats. Each score adds its
figures up, each in units of what would be a good value, so that no figure drowns another.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_core.metrics import js_divergence
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import edges
from calozoo_gan3d.layer_energies import LayerEnergies, energy_score
from calozoo_gan3d.networks import Generator, deposits
from calozoo_gan3d.training_data import Sample, dense

__all__ = ["draw_images", "energy_physics", "image_physics"]

#: Figures that would be good, by observable.
GOOD = {
    "layer_energy": 1e-4,
    "visible_energy": 5e-3,
    "depth": 5e-3,
    "score_of_energies": 0.1,
    "radius_energy": 5e-4,
    "radius_count": 5e-4,
    "layer_count": 5e-4,
    "energy_count": 1e-3,
    "core_energy": 1e-3,
    "n_voxels": 1e-2,
    "core_fraction": 1e-2,
    "centre_x": 1e-2,
    "centre_y": 1e-2,
}
VOXEL_EDGES_MEV = np.logspace(-2, 2, 61)
REPEATS = 4
SEED = 20_000


def energy_physics(net: LayerEnergies, sample: Sample) -> dict[str, float]:
    """Layer energies that a network draws for held-out primaries against what Geant4 gave."""
    condition = torch.from_numpy(sample.condition)
    incident = torch.from_numpy(sample.incident_gev)
    random = stream(SEED, 0, "energies")
    noise = random.standard_normal((REPEATS, len(sample), net.latent), np.float32)
    with torch.inference_mode():
        tiled = condition.expand(REPEATS, -1, -1)
        drawn = net(tiled, torch.from_numpy(noise))
        mine = net.energies(drawn.flatten(0, 1), incident.repeat(REPEATS)).numpy()
        truth = net.standardised(torch.from_numpy(sample.energies), incident)
        score = float(energy_score(drawn, truth))
    figures = {"layer_energy": js_divergence(mine.sum(0), sample.energies.sum(0))}
    many = np.tile(sample.incident_gev, REPEATS)
    for name, observable in (("visible_energy", _visible), ("depth", _depth)):
        figures[name] = _spectrum_distance(
            observable(mine, many), observable(sample.energies, sample.incident_gev)
        )
    figures["score_of_energies"] = score
    return figures | {"score": _score(figures)}


def draw_images(
    generator: Generator, net: LayerEnergies, sample: Sample, seed: int = SEED
) -> NDArray[np.float32]:
    """Images for the primaries and the layer energies of a sample, one for each shower."""
    grid, parts = generator.grid, []
    for first in range(0, len(sample), 50):
        rows = slice(first, first + 50)
        energy = torch.from_numpy(sample.energies[rows])
        n = len(energy)
        random = stream(seed, first, "images")
        latent = random.standard_normal((n, generator.config.latent), np.float32)
        noise = random.standard_normal((n, grid.layers, grid.cells, grid.cells), np.float32)
        with torch.inference_mode():
            roots = net.standardised(energy, torch.from_numpy(sample.incident_gev[rows]))
            condition = torch.from_numpy(sample.condition[rows])
            t = generator(condition, roots, torch.from_numpy(latent), torch.from_numpy(noise))
            parts.append(deposits(t, energy)[0].numpy())
    return np.concatenate(parts)


def image_physics(generator: Generator, net: LayerEnergies, sample: Sample) -> dict[str, float]:
    """Images for held-out showers, given their true layer energies, against Geant4's."""
    ones = np.ones(len(sample), np.float32)
    truth = dense(sample.voxels, np.arange(len(sample)), ones, generator.grid)
    return compared(draw_images(generator, net, sample), truth, generator.grid)


def compared(
    mine: NDArray[np.float32], truth: NDArray[np.float32], grid: GridConfig
) -> dict[str, float]:
    """Figures of drawn images against simulated ones, both of shape (n, layers, cells, cells)."""
    sums, theirs = _sums(mine, grid), _sums(truth, grid)
    figures = {name: js_divergence(sums[name], theirs[name]) for name in sums}
    spectra, references = _per_shower(mine, grid), _per_shower(truth, grid)
    for name, values in spectra.items():
        figures[name] = _spectrum_distance(values, references[name])
    return figures | {"score": _score(figures)}


def _sums(image: NDArray[np.float32], grid: GridConfig) -> dict[str, FloatArray]:
    radius = _radius(grid)
    fine = np.linspace(0, grid.half_mm, 61)
    hit = image > VOXEL_EDGES_MEV[0]
    core = image[:, :, radius < max(grid.core_mm / 2, 1.01 * radius.min())]
    return {
        "radius_energy": np.histogram(radius, fine, weights=image.sum((0, 1), dtype=np.float64))[0],
        "radius_count": np.histogram(radius, fine, weights=hit.sum((0, 1)))[0],
        "layer_count": hit.sum((0, 2, 3)).astype(np.float64),
        "energy_count": np.histogram(image[hit], VOXEL_EDGES_MEV)[0],
        "core_energy": np.histogram(core[core > 0], VOXEL_EDGES_MEV)[0],
    }


def _per_shower(image: NDArray[np.float32], grid: GridConfig) -> dict[str, FloatArray]:
    bounds = edges(grid)
    middle = (bounds[1:] + bounds[:-1]) / 2
    total = np.maximum(image.sum((1, 2, 3), dtype=np.float64), 1e-9)
    energy = np.maximum(image.sum((1, 2, 3)), 1.0) ** 0.7
    core = image[:, :, _radius(grid) < 2 * grid.core_mm].sum((1, 2), dtype=np.float64)
    return {
        "n_voxels": (image > VOXEL_EDGES_MEV[0]).sum((1, 2, 3)) / energy,
        "core_fraction": core / total,
        "centre_x": image.sum((1, 2), dtype=np.float64) @ middle / total,
        "centre_y": image.sum((1, 3), dtype=np.float64) @ middle / total,
    }


def _radius(grid: GridConfig) -> FloatArray:
    bounds = edges(grid)
    middle = (bounds[1:] + bounds[:-1]) / 2
    return np.hypot(middle[:, None], middle[None, :])


def _spectrum_distance(mine: FloatArray, truth: FloatArray) -> float:
    bounds = np.quantile(truth, np.linspace(0, 1, 21))
    bounds[0], bounds[-1] = -np.inf, np.inf
    return js_divergence(np.histogram(mine, bounds)[0], np.histogram(truth, bounds)[0])


def _score(figures: dict[str, float]) -> float:
    return sum(figure / GOOD[name] for name, figure in figures.items())


def _visible(energies: NDArray[np.float32], incident_gev: NDArray[np.float32]) -> FloatArray:
    return np.asarray(energies.sum(axis=1) / incident_gev, np.float64)


def _depth(energies: NDArray[np.float32], _: NDArray[np.float32]) -> FloatArray:
    total = np.maximum(energies.sum(axis=1), 1e-6)
    return np.asarray(energies @ np.arange(energies.shape[1]) / total, np.float64)
