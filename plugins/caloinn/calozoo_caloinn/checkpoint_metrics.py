"""Metrics that checkpoints are chosen by: divergences of ring energies from held-out showers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calozoo_core.metrics import js_divergence, quantile_divergence
from calozoo_core.typing import Float32Array

__all__ = ["ring_metrics", "score"]

Observable = Callable[[Float32Array, Float32Array], NDArray[np.floating]]

GOOD = 3e-3
"""Good Jensen-Shannon divergence of a distribution in 20 bins, in nats, for 800 showers."""

GOOD_PROFILE = 1e-4
"""Good Jensen-Shannon divergence of a mean profile, in nats."""


def ring_metrics(
    sampled: Float32Array, truth: Float32Array, sampled_gev: Float32Array, truth_gev: Float32Array
) -> dict[str, float]:
    """Divergences, in nats, of mean profiles and of distributions over showers.

    Arguments:
        sampled: Ring energies of generated showers, in MeV, shape (m, layers, rings).
        truth: Ring energies of Geant4's showers, in MeV, shape (n, layers, rings).
        sampled_gev: Incident energies of the generated showers, shape (m,).
        truth_gev: Incident energies of Geant4's showers, shape (n,).
    """
    metrics = {
        "profile_layers": js_divergence(sampled.sum(axis=(0, 2)), truth.sum(axis=(0, 2))),
        "profile_rings": js_divergence(sampled.sum(axis=(0, 1)), truth.sum(axis=(0, 1))),
    }
    for name, observable in OBSERVABLES.items():
        metrics[name] = quantile_divergence(
            observable(sampled, sampled_gev), observable(truth, truth_gev)
        )
    return metrics


def score(metrics: dict[str, float], nll: float) -> float:
    """Sum of the metrics, each in units of a good value, and of the negative log-likelihood.

    The likelihood is the first to show that a network overfits.

    Arguments:
        metrics: By name.
        nll: Negative log-likelihood, in nats.
    """
    return nll + sum(
        value / (GOOD_PROFILE if name.startswith("profile") else GOOD)
        for name, value in metrics.items()
    )


def _share(energies: Float32Array, part: Float32Array) -> NDArray[np.floating]:
    shares: NDArray[np.floating] = part / np.maximum(energies.sum(axis=(1, 2)), 1e-6)
    return shares


def _visible(energies: Float32Array, energy_gev: Float32Array) -> NDArray[np.floating]:
    visible: NDArray[np.floating] = energies.sum(axis=(1, 2)) / energy_gev
    return visible


def _depth(energies: Float32Array, _: Float32Array) -> NDArray[np.floating]:
    return _share(energies, energies.sum(axis=2) @ np.arange(energies.shape[1]))


def _length(energies: Float32Array, energy_gev: Float32Array) -> NDArray[np.floating]:
    squared = _share(energies, energies.sum(axis=2) @ np.arange(energies.shape[1]) ** 2)
    return np.sqrt(np.maximum(squared - _depth(energies, energy_gev) ** 2, 0))


def _late(energies: Float32Array, _: Float32Array) -> NDArray[np.floating]:
    late = energies.shape[1] * 2 // 3
    return _share(energies, energies[:, late:].sum(axis=(1, 2)))


def _core(energies: Float32Array, _: Float32Array) -> NDArray[np.floating]:
    return _share(energies, energies[..., 0].sum(axis=1))


def _width(energies: Float32Array, _: Float32Array) -> NDArray[np.floating]:
    return _share(energies, energies.sum(axis=1) @ np.arange(energies.shape[2]))


OBSERVABLES: dict[str, Observable] = {
    "visible": _visible,
    "depth": _depth,
    "length": _length,
    "late": _late,
    "core": _core,
    "width": _width,
}
