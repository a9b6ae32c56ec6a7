"""Metrics that checkpoints are chosen by: divergences of the core from held-out showers."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.metrics import checkpoint_metrics
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["core_metrics"]

GOOD_PROFILE: Final = 1e-4
"""Good Jensen-Shannon divergence of a mean profile, in nats."""

GOOD_SAMPLE: Final = 3e-3
"""Good Jensen-Shannon divergence of a distribution in 20 bins, in nats, for 800 showers."""

GOOD_LOSS: Final = 0.01
"""Change of the flow-matching loss that counts as much as one of those; it shows overfitting."""


def core_metrics(
    drawn: Float32Array,
    truth: Float32Array,
    energies_gev: tuple[Float32Array, Float32Array],
    loss: float,
) -> dict[str, float]:
    """Divergences, in nats, of mean profiles and of distributions over showers, and their sum.

    Arguments:
        drawn: Core of generated showers, in MeV, shape (m, layers, rings).
        truth: Core of Geant4's showers, in MeV, shape (n, layers, rings).
        energies_gev: Incident energies of both, shapes (m,) and (n,).
        loss: Flow-matching loss of held-out showers.
    """
    histograms = tuple(_profiles(core) for core in (drawn, truth))
    samples = tuple(
        _observables(core, energy)
        for core, energy in zip((drawn, truth), energies_gev, strict=True)
    )
    good = dict.fromkeys(histograms[0], GOOD_PROFILE) | dict.fromkeys(samples[0], GOOD_SAMPLE)
    good["loss"] = GOOD_LOSS
    return checkpoint_metrics(
        good, (histograms[0], histograms[1]), (samples[0], samples[1]), loss=loss
    )


def _profiles(core: Float32Array) -> dict[str, FloatArray]:
    return {
        "layers": core.sum(axis=(0, 2), dtype=np.float64),
        "rings": core.sum(axis=(0, 1), dtype=np.float64),
        "filled": (core > 0).mean(axis=0).ravel(),
    }


def _observables(core: Float32Array, energy_gev: Float32Array) -> dict[str, FloatArray]:
    """Numbers of each shower, each of shape (n,); without rings, those that need none."""
    n, layers, rings = core.shape
    visible = np.maximum(core.sum(axis=(1, 2), dtype=np.float64), 1e-6)
    along, across = core.sum(axis=2) / visible[:, None], core.sum(axis=1) / visible[:, None]
    depth, radius = np.arange(layers), np.arange(rings)
    mean = along @ depth
    observables = {
        "visible": visible / energy_gev,
        "depth": mean,
        "length": np.sqrt(np.maximum(along @ depth**2 - mean**2, 0)),
        "early": along[:, : layers // 5].sum(axis=1),
        "late": along[:, 2 * layers // 3 :].sum(axis=1),
        "roughness": np.abs(np.diff(along, axis=1)).sum(axis=1),
        "hottest": core.reshape(n, -1).max(axis=1) / visible,
        "hits": (core > 0).sum(axis=(1, 2)) / np.log(1000 * energy_gev),
    }
    if rings == 1:
        return observables
    return observables | {"inner": across[:, 0], "width": across @ radius}
