"""Made-up showers and samples of tail observables."""

from __future__ import annotations

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.observables.tails import TAIL_OBSERVABLES, AxisPoints, TailSample
from calozoo_core.random import stream
from calozoo_core.showers import Showers

DETECTOR = load_detector("ild_siecal_regular")
NAMES = [o.name for o in TAIL_OBSERVABLES]


def primaries(n: int, seed: int) -> Incident:
    rng = stream(seed, 0, "primaries")
    theta, phi = rng.uniform(0, 1, n), rng.uniform(0, 6.28, n)
    direction = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    return Incident(rng.uniform(10, 100, n), np.stack(direction, axis=1))


def made_up(n: int, seed: int, *, width: float = 8.0, shift: float = 0.0, more: float = 1.0):
    """Showers of gamma-distributed depth, some wider, deeper or richer than others."""
    incident = primaries(n, seed)
    rng = stream(seed, 1, "made up")
    counts = rng.poisson(2 * more * incident.energy) + 20
    owner = np.repeat(np.arange(n), counts)
    deep = rng.normal(shift, 1.0, n)[owner]
    layer = np.clip(rng.normal(11 + deep, 5), 0, 29).astype(np.uint8)
    spread = width * np.exp(rng.normal(0, 0.1, n))[owner]
    slope = incident.direction[:, :2] / incident.direction[:, 2:]
    axis = DETECTOR.layer_depth_mm[layer][:, None] * slope[owner]
    x, y = (rng.normal(0, spread) + along for along in axis.T)
    energy = rng.exponential(0.4, len(owner))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Showers(offsets, x, y, layer, energy, incident, "x25", DETECTOR.name)


def gaussian(n: int, seed: int, shift: float = 0.0, column: int = 1) -> TailSample:
    values = stream(seed, 2, "gaussian").normal(size=(n, len(NAMES)))
    values[:, column] += shift
    return TailSample(values, primaries(n, seed))


def as_sample(showers: Showers) -> TailSample:
    return TailSample.from_points(AxisPoints.from_showers(showers, DETECTOR))
