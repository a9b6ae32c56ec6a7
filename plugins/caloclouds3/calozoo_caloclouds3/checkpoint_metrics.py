"""Metrics that checkpoints are chosen by: divergences from held-out Geant4 showers.

Every metric is a Jensen-Shannon divergence in nats. A score is the sum of the metrics, each in
units of a good value, so that none dominates.
"""

from __future__ import annotations

import numpy as np
import torch

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.distillation import run_teacher
from calozoo_caloclouds3.features import LayerContents, decode_position, sample_layers
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.point_cloud import point_cloud
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.training_data import TrainingShowers
from calozoo_core.metrics import checkpoint_metrics
from calozoo_core.observables import ENERGY_EDGES_MEV, RADIUS_EDGES_MM
from calozoo_core.random import stream
from calozoo_core.typing import AnyFloatArray, Float32Array, FloatArray

__all__ = ["flow_metrics", "point_metrics", "teacher_metrics"]

#: Good values, by observable.
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


def flow_metrics(
    flow: ShowerFlow, sample: TrainingShowers, config: CaloCloudsConfig
) -> dict[str, float]:
    """Metrics of the layer contents that a flow samples for held-out primaries."""
    condition = np.tile(sample.condition, (REPEATS, 1))
    sampled = sample_layers(flow.to_numpy(), condition, config, SEED, 0)
    reference = sample.layers
    energy_gev = sample.condition[:, 0] * config.energy_scale_gev
    metrics = checkpoint_metrics(
        GOOD,
        (_layer_sums(sampled), _layer_sums(reference)),
        (
            _observables(sampled, np.tile(energy_gev, REPEATS)),
            _observables(reference, energy_gev),
        ),
    )
    values = np.concatenate([reference.counts + 0.5, np.maximum(reference.energies, 5e-3)], axis=1)
    with torch.inference_mode():
        log_prob = flow.log_prob(
            torch.from_numpy((values**config.flow.power).astype(np.float32)),
            torch.from_numpy(sample.condition),
        )
    return metrics | {"nll": -float(log_prob.mean())}


def point_metrics(
    net: PointWiseNet, sample: TrainingShowers, config: CaloCloudsConfig
) -> dict[str, float]:
    """Metrics of one-step points for held-out showers, given their true layer contents."""
    cloud = point_cloud(net.to_numpy(), sample.condition, sample.layers, config, SEED, 0)
    mine = _histograms(cloud.x, cloud.y, cloud.energy)
    truth = _histograms(sample.x, sample.y, sample.showers.energy)
    return checkpoint_metrics(GOOD, (mine, truth))


def teacher_metrics(
    net: PointWiseNet, sample: TrainingShowers, config: CaloCloudsConfig, points: int = 60
) -> dict[str, float]:
    """Metrics of a teacher: a few points of each shower, before they are sorted into layers."""
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
    return checkpoint_metrics(GOOD, (mine, truth))


def _histograms(
    x: Float32Array,
    y: Float32Array,
    energy: Float32Array,
    weight: FloatArray | None = None,
) -> dict[str, FloatArray]:
    weight = np.ones(len(x)) if weight is None else weight
    radius = np.hypot(x, y)
    core = radius < CORE_MM
    return {
        "radius_energy": np.histogram(radius, RADIUS_EDGES_MM, weights=energy * weight)[0],
        "radius_count": np.histogram(radius, RADIUS_EDGES_MM, weights=weight)[0],
        "energy_count": np.histogram(energy, ENERGY_EDGES_MEV, weights=weight)[0],
        "core_energy": np.histogram(energy[core], ENERGY_EDGES_MEV, weights=weight[core])[0],
    }


def _layer_sums(layers: LayerContents) -> dict[str, AnyFloatArray]:
    return {"layer_energy": layers.energies.sum(0), "layer_count": layers.counts.sum(0)}


def _observables(layers: LayerContents, energy_gev: Float32Array) -> dict[str, AnyFloatArray]:
    """Visible energy and number of points for each GeV, and depth, of each shower."""
    visible = layers.energies.sum(axis=1)
    depth = layers.energies @ np.arange(N_LAYERS, dtype=np.float32) / np.maximum(visible, 1e-6)
    return {
        "visible_energy": visible / energy_gev,
        "n_points": layers.counts.sum(axis=1) / energy_gev,
        "depth": depth,
    }
