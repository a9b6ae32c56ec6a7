"""How far drawn ring energies are from those of held-out showers: what checkpoints go by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calozoo_core.metrics import js_divergence, quantile_divergence
from calozoo_core.typing import Float32Array

__all__ = ["figures", "score"]

Observable = Callable[[Float32Array, Float32Array], NDArray[np.floating]]

GOOD = 3e-3
"""A good Jensen-Shannon divergence of a distribution over 20 bins, in nats, with 800 showers."""

GOOD_PROFILE = 1e-4
"""A good one of a mean profile."""


def figures(
    drawn: Float32Array, truth: Float32Array, drawn_gev: Float32Array, truth_gev: Float32Array
) -> dict[str, float]:
    """Divergences, in nats, of mean profiles and of distributions over showers.

    Arguments:
        drawn: Ring energies, in MeV, shape (m, layers, rings).
        truth: Those of Geant4, shape (n, layers, rings).
        drawn_gev: Incident energies, shape (m,).
        truth_gev: The same, shape (n,).
    """
    found = {
        "profile_layers": js_divergence(drawn.sum(axis=(0, 2)), truth.sum(axis=(0, 2))),
        "profile_rings": js_divergence(drawn.sum(axis=(0, 1)), truth.sum(axis=(0, 1))),
    }
    for name, observable in OBSERVABLES.items():
        found[name] = quantile_divergence(
            observable(drawn, drawn_gev), observable(truth, truth_gev)
        )
    return found


def score(found: dict[str, float], nll: float) -> float:
    """Each figure in units of what would be good, and the negative log-likelihood in nats.

    The likelihood says soonest that a network learns its showers by heart.
    """
    return nll + sum(
        figure / (GOOD_PROFILE if name.startswith("profile") else GOOD)
        for name, figure in found.items()
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
