"""Calibration of ring energies: a threshold and a factor for each ring of each layer."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from calozoo_core.typing import Float32Array

__all__ = ["RingCalibration", "fit_ring_calibration"]

LARGEST_FACTOR: Final = 1.5
"""Largest factor; the smallest is its inverse."""

HIGHEST_THRESHOLD: Final = 20
"""Highest threshold in widths of the noise: a minimum-ionising deposit."""


class RingCalibration(NamedTuple):
    """Threshold and factor of each ring of each layer.

    Arguments:
        threshold: Energy below which a ring is empty, in MeV, shape (..., cells).
        factor: Factor on what is left, shape (..., cells).
    """

    threshold: Float32Array
    factor: Float32Array

    def __call__(self, energies: Float32Array) -> Float32Array:
        """Calibrated energies, in MeV, shape (n, cells).

        Arguments:
            energies: As they were sampled, in MeV, shape (n, cells).
        """
        kept = np.where(energies < self.threshold, np.float32(0), energies)
        return np.asarray(kept * self.factor, np.float32)

    def at(self, energy_gev: Float32Array, bands_gev: tuple[float, ...]) -> RingCalibration:
        """Calibration of each shower, between those of bands of incident energy.

        Thresholds and factors are linear in ln E from band to band, and constant beyond the last.

        Arguments:
            energy_gev: Incident energies, shape (n,).
            bands_gev: Energy of each band; the tables have shape (bands, cells).

        Returns:
            Tables of shape (n, cells).
        """
        knots = np.log(bands_gev)
        log_energy = np.log(energy_gev.astype(np.float64))
        shares = [np.interp(log_energy, knots, row) for row in np.eye(len(knots))]

        def between(bands: Float32Array) -> Float32Array:
            # Term by term: a product of matrices may depend on how many rows there are.
            total = np.zeros((len(log_energy), bands.shape[1]))
            for share, band in zip(shares, bands, strict=True):
                total += share[:, None] * band
            return total.astype(np.float32)

        return RingCalibration(between(self.threshold), between(self.factor))


def fit_ring_calibration(
    sampled: Float32Array, truth: Float32Array, noise_mev: float
) -> RingCalibration:
    """Calibration that makes rings empty as often as Geant4's, and their mean energies agree.

    Arguments:
        sampled: Energies of generated showers, in MeV, shape (m, cells).
        truth: Energies of Geant4's showers, in MeV, shape (n, cells).
        noise_mev: Energy up to which a ring counts as empty.
    """
    filled = (truth > noise_mev).mean(axis=0)
    quantiles = [np.quantile(column, 1 - f) for column, f in zip(sampled.T, filled, strict=True)]
    threshold = np.clip(quantiles, noise_mev, HIGHEST_THRESHOLD * noise_mev)
    mean = np.where(sampled < threshold, 0, sampled).mean(axis=0, dtype=np.float64)
    mean_truth = truth.mean(axis=0, dtype=np.float64)
    factor = np.clip(mean_truth / np.maximum(mean, 1e-12), 1 / LARGEST_FACTOR, LARGEST_FACTOR)
    # What no shower fills cannot be calibrated.
    factor = np.where((mean_truth > 0) & (mean > 0), factor, 1)
    return RingCalibration(threshold.astype(np.float32), factor.astype(np.float32))
