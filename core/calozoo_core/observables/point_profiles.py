"""A quick look at a sample: profiles and spectra of its points, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.frames import axis_offsets
from calozoo_core.metrics import js_divergence
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = [
    "ENERGY_EDGES_MEV",
    "RADIUS_EDGES_MM",
    "Profiles",
    "divergences",
    "profiles",
]

RADIUS_EDGES_MM = np.linspace(0.0, 100.0, 101)
"""Bins of the radial profile: 1 mm wide, 0 to 100 mm."""

ENERGY_EDGES_MEV = np.logspace(-3, 2, 101)
"""Bins of the point-energy spectrum: 0.05 decades, 1 keV to 100 MeV (CaloClouds3's own)."""

_SUMS = ("layer_energy", "layer_count", "radius_energy", "radius_count", "energy_count")


@dataclass
class Profiles:
    """Sums over a sample of showers.

    Arguments:
        layer_energy: Energy per layer, in MeV, shape (n_layers,).
        layer_count: Points per layer, shape (n_layers,).
        radius_energy: Energy per bin of distance to the axis, in MeV.
        radius_count: Points per bin of distance to the axis.
        energy_count: Points per bin of point energy.
        visible_energy: Energy of each shower, in MeV, shape (n,).
        n_points: Points of each shower, shape (n,).
    """

    layer_energy: FloatArray
    layer_count: FloatArray
    radius_energy: FloatArray
    radius_count: FloatArray
    energy_count: FloatArray
    visible_energy: FloatArray = field(default_factory=lambda: np.zeros(0))
    n_points: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def empty(cls, n_layers: int) -> Profiles:
        """Nothing summed yet."""
        n_radii, n_energies = len(RADIUS_EDGES_MM) - 1, len(ENERGY_EDGES_MEV) - 1
        return cls(
            layer_energy=np.zeros(n_layers),
            layer_count=np.zeros(n_layers),
            radius_energy=np.zeros(n_radii),
            radius_count=np.zeros(n_radii),
            energy_count=np.zeros(n_energies),
        )

    def add(self, showers: Showers, detector: Detector) -> None:
        """Add the showers of a batch.

        Raises:
            DetectorError: If a layer is beyond the detector's last.
        """
        dx, dy = axis_offsets(showers, detector)
        radius = _bins(np.hypot(showers.x - dx, showers.y - dy), RADIUS_EDGES_MM)
        self.layer_energy += _filled(showers.layer, len(self.layer_energy), showers.energy)
        self.layer_count += _filled(showers.layer, len(self.layer_count))
        self.radius_energy += _filled(radius, len(self.radius_energy), showers.energy)
        self.radius_count += _filled(radius, len(self.radius_count))
        energy = _bins(showers.energy, ENERGY_EDGES_MEV)
        self.energy_count += _filled(energy, len(self.energy_count))
        self.visible_energy = np.concatenate([self.visible_energy, showers.visible_energy])
        self.n_points = np.concatenate([self.n_points, showers.n_points])

    def __add__(self, other: Profiles) -> Profiles:
        """The sums over both samples."""
        return Profiles(
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
            visible_energy=np.concatenate([self.visible_energy, other.visible_energy]),
            n_points=np.concatenate([self.n_points, other.n_points]),
        )


def profiles(batches: Iterable[Showers], detector: Detector) -> Profiles:
    """Profiles of a sample that comes batch by batch."""
    sums = Profiles.empty(detector.n_layers)
    for showers in batches:
        sums.add(showers, detector)
    return sums


def divergences(generated: Profiles, reference: Profiles) -> dict[str, float]:
    """Jensen-Shannon divergences, in nats, of the profiles of two samples, by observable."""
    return {
        name: js_divergence(getattr(generated, name), getattr(reference, name)) for name in _SUMS
    }


def _bins(values: NDArray[np.floating], edges: FloatArray) -> NDArray[np.intp]:
    """The bin of each value; -1 and beyond the last bin for what lies outside."""
    return np.searchsorted(edges, values, side="right") - 1


def _filled(
    index: NDArray[np.integer], n_bins: int, weights: NDArray[np.floating] | None = None
) -> FloatArray:
    """Contents of the bins these indices fall into; what lies outside counts nowhere."""
    shifted = np.add(index, 1, dtype=np.int64)
    counts = np.bincount(shifted, weights=weights, minlength=n_bins + 2)
    return counts[1 : n_bins + 1].astype(np.float64)
