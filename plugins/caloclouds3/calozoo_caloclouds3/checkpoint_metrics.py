"""How far what a network generates is from held-out Geant4 showers: what checkpoints go by.

Every figure is a Jensen-Shannon divergence in nats. Each score adds its figures up, each in units
of what would be a good value, so that no figure drowns another.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.distillation import run_teacher
from calozoo_caloclouds3.features import decode_position
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.layers import LayerContents, draw_layers
from calozoo_caloclouds3.numpy_flow import PlainFlow
from calozoo_caloclouds3.one_step import OneStep
from calozoo_caloclouds3.point_cloud import point_cloud
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_caloclouds3.training_data import Sample
from calozoo_core.metrics import js_divergence
from calozoo_core.observables import ENERGY_EDGES_MEV, RADIUS_EDGES_MM
from calozoo_core.random import stream

__all__ = ["flow_physics", "point_physics", "teacher_physics"]

#: Figures that would be good, by observable.
GOOD = {
    "layer_energy": 1e-4,
    "layer_count": 1e-4,
    "visible_energy": 5e-3,
    "n_points": 5e-3,
    "depth": 5e-3,
    "radius_energy": 2e-4,
    "radius_count": 2e-4,
    "energy_count": 5e-4,
    "core_energy": 5e-4,
}
CORE_MM = 3.0
REPEATS = 4
SEED = 20_000


def flow_physics(flow: ShowerFlow, sample: Sample, config: CaloCloudsConfig) -> dict[str, float]:
    """Layer contents that a flow draws for held-out primaries against what Geant4 gave."""
    condition = np.tile(sample.condition, (REPEATS, 1))
    drawn = draw_layers(PlainFlow(flow), condition, config, SEED, 0)
    reference = sample.layers
    energy_gev = sample.condition[:, 0] * config.energy_scale_gev
    figures = {
        "layer_energy": js_divergence(drawn.energies.sum(0), reference.energies.sum(0)),
        "layer_count": js_divergence(drawn.counts.sum(0), reference.counts.sum(0)),
    }
    observables = {"visible_energy": _visible, "n_points": _points, "depth": _depth}
    for name, observable in observables.items():
        truth = observable(reference, energy_gev)
        edges = np.quantile(truth, np.linspace(0, 1, 21))
        edges[0], edges[-1] = -np.inf, np.inf
        mine = observable(drawn, np.tile(energy_gev, REPEATS))
        figures[name] = js_divergence(np.histogram(mine, edges)[0], np.histogram(truth, edges)[0])
    values = np.concatenate([reference.counts + 0.5, np.maximum(reference.energies, 5e-3)], axis=1)
    with torch.inference_mode():
        log_prob = flow.log_prob(
            torch.from_numpy((values**config.flow.power).astype(np.float32)),
            torch.from_numpy(sample.condition),
        )
    return figures | {"score": _score(figures), "nll": -float(log_prob.mean())}


def point_physics(net: PointWiseNet, sample: Sample, config: CaloCloudsConfig) -> dict[str, float]:
    """One-step points for held-out showers, given their true layer contents, against Geant4's."""
    cloud = point_cloud(OneStep(net), sample.condition, sample.layers, config, SEED, 0)
    mine = _histograms(cloud.x, cloud.y, cloud.energy)
    truth = _histograms(sample.x, sample.y, sample.showers.energy)
    figures = {name: js_divergence(mine[name], truth[name]) for name in mine}
    return figures | {"score": _score(figures)}


def _histograms(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    energy: NDArray[np.float32],
    weight: NDArray[np.float64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    weight = np.ones(len(x)) if weight is None else weight
    radius = np.hypot(x, y)
    core = radius < CORE_MM
    return {
        "radius_energy": np.histogram(radius, RADIUS_EDGES_MM, weights=energy * weight)[0],
        "radius_count": np.histogram(radius, RADIUS_EDGES_MM, weights=weight)[0],
        "energy_count": np.histogram(energy, ENERGY_EDGES_MEV, weights=weight)[0],
        "core_energy": np.histogram(energy[core], ENERGY_EDGES_MEV, weights=weight[core])[0],
    }


def _score(figures: dict[str, float]) -> float:
    return sum(figure / GOOD[name] for name, figure in figures.items())


def _visible(layers: LayerContents, energy_gev: NDArray[np.float32]) -> NDArray[np.float32]:
    return layers.energies.sum(axis=1) / energy_gev


def _points(layers: LayerContents, energy_gev: NDArray[np.float32]) -> NDArray[np.float64]:
    return layers.counts.sum(axis=1) / energy_gev


def _depth(layers: LayerContents, energy_gev: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.maximum(layers.energies.sum(axis=1), 1e-6)
    return (layers.energies @ np.arange(N_LAYERS, dtype=np.float32)) / total


def teacher_physics(
    net: PointWiseNet, sample: Sample, config: CaloCloudsConfig, points: int = 60
) -> dict[str, float]:
    """The same for a teacher: a few points a shower, before they are sorted into layers."""
    noise = torch.from_numpy(
        stream(SEED, 0, "teacher").standard_normal((len(sample.condition), points, 4), np.float32)
    )
    ends = run_teacher(net, noise, torch.from_numpy(sample.condition), levels=24).numpy()
    x, y = decode_position(ends[..., 0].ravel(), ends[..., 1].ravel(), config.features)
    mean, std = config.features.log_energy
    energy = np.exp(ends[..., 3].ravel() * 2 * std + mean)
    weight = np.repeat(sample.layers.counts.sum(axis=1) / points, points)
    mine = _histograms(x, y, energy, weight)
    truth = _histograms(sample.x, sample.y, sample.showers.energy)
    figures = {name: js_divergence(mine[name], truth[name]) for name in mine}
    return figures | {"score": _score(figures)}
