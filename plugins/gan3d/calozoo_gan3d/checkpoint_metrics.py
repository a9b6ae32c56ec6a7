"""Metrics that checkpoints are chosen by: divergences from held-out Geant4 showers.

Every metric but `score_of_energies` is a Jensen-Shannon divergence in nats. A score is the sum of
the metrics, each in units of a good value, so that none dominates.
"""

from __future__ import annotations

import numpy as np
import torch

from calozoo_core.metrics import checkpoint_metrics
from calozoo_core.random import stream
from calozoo_core.typing import AnyFloatArray, Float32Array, FloatArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import edges
from calozoo_gan3d.layer_energies import LayerEnergies, energy_score
from calozoo_gan3d.networks import Generator, deposits
from calozoo_gan3d.training_data import ImageSample, dense_images

__all__ = ["image_metrics", "layer_energy_metrics", "sample_images"]

#: Good values, by observable.
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


def layer_energy_metrics(network: LayerEnergies, sample: ImageSample) -> dict[str, float]:
    """Metrics of the layer energies that a network samples for held-out primaries."""
    condition = torch.from_numpy(sample.condition)
    incident = torch.from_numpy(sample.incident_gev)
    random = stream(SEED, 0, "energies")
    noise = random.standard_normal((REPEATS, len(sample), network.latent), np.float32)
    with torch.inference_mode():
        tiled = condition.expand(REPEATS, -1, -1)
        standardised = network(tiled, torch.from_numpy(noise))
        generated = network.energies(standardised.flatten(0, 1), incident.repeat(REPEATS)).numpy()
        truth = network.standardised(torch.from_numpy(sample.energies), incident)
        score = float(energy_score(standardised, truth))
    return checkpoint_metrics(
        GOOD,
        ({"layer_energy": generated.sum(0)}, {"layer_energy": sample.energies.sum(0)}),
        (
            _layer_observables(generated, np.tile(sample.incident_gev, REPEATS)),
            _layer_observables(sample.energies, sample.incident_gev),
        ),
        score_of_energies=score,
    )


def sample_images(
    generator: Generator, network: LayerEnergies, sample: ImageSample, seed: int = SEED
) -> Float32Array:
    """Generated images for the primaries and layer energies of a sample, one for each shower."""
    grid, parts = generator.grid, []
    for first in range(0, len(sample), 50):
        rows = slice(first, first + 50)
        energy = torch.from_numpy(sample.energies[rows])
        n = len(energy)
        random = stream(seed, first, "images")
        latent = random.standard_normal((n, generator.config.latent), np.float32)
        noise = random.standard_normal((n, grid.layers, grid.cells, grid.cells), np.float32)
        with torch.inference_mode():
            roots = network.standardised(energy, torch.from_numpy(sample.incident_gev[rows]))
            condition = torch.from_numpy(sample.condition[rows])
            t = generator(condition, roots, torch.from_numpy(latent), torch.from_numpy(noise))
            parts.append(deposits(t, energy)[0].numpy())
    return np.concatenate(parts)


def image_metrics(
    generator: Generator, network: LayerEnergies, sample: ImageSample
) -> dict[str, float]:
    """Metrics of the images generated for held-out showers, given their true layer energies."""
    ones = np.ones(len(sample), np.float32)
    truth = dense_images(sample.voxels, np.arange(len(sample)), ones, generator.grid)
    return compared(sample_images(generator, network, sample), truth, generator.grid)


def compared(generated: Float32Array, truth: Float32Array, grid: GridConfig) -> dict[str, float]:
    """Metrics of generated and simulated images, both of shape (n, layers, cells, cells)."""
    return checkpoint_metrics(
        GOOD,
        (_sums(generated, grid), _sums(truth, grid)),
        (_per_shower(generated, grid), _per_shower(truth, grid)),
    )


def _sums(image: Float32Array, grid: GridConfig) -> dict[str, FloatArray]:
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


def _per_shower(image: Float32Array, grid: GridConfig) -> dict[str, FloatArray]:
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


def _layer_observables(
    energies: Float32Array, incident_gev: Float32Array
) -> dict[str, AnyFloatArray]:
    total = energies.sum(axis=1)
    depth = energies @ np.arange(energies.shape[1]) / np.maximum(total, 1e-6)
    return {"visible_energy": total / incident_gev, "depth": depth}
