"""Photon finder: peaks in the map of hits, projected from the interaction point on to the face.

It follows the way in which PandoraPFA looks for photons in a transverse map, without its
likelihood, tracks and merging.

References:
    | PandoraPFA's photon reconstruction: https://arxiv.org/abs/1509.00853
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo.reconstruction.parameters import FinderParameters
from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.hits import Hits
from calozoo_core.placement import Placement, load_placement
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["FoundPhotons", "PhotonFinder"]

_HALF_MAP = 1 << 20  # bins from the middle of the map to its edge
_NEIGHBOURS = np.array([(i, k) for i in (-1, 0, 1) for k in (-1, 0, 1) if (i, k) != (0, 0)])


@dataclass(frozen=True, eq=False)
class FoundPhotons:
    """Photons found in one event, in order of falling energy.

    Arguments:
        energy: Energies in GeV, shape (n,).
        position: Global positions on the face, in mm, shape (n, 3).
        photon_of_hit: Number of the photon of each hit of the event, -1 for none.
    """

    energy: FloatArray
    position: FloatArray
    photon_of_hit: IntArray

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def direction(self) -> FloatArray:
        """Global unit vectors from the interaction point, shape (n, 3)."""
        unit: FloatArray = self.position / np.linalg.norm(self.position, axis=1, keepdims=True)
        return unit


class PhotonFinder:
    """Finder of photons from the interaction point in the barrel of a detector.

    Arguments:
        detector: Detector with a barrel.
        parameters: Parameters.

    Raises:
        DetectorError: If the detector has no barrel.
    """

    def __init__(self, detector: Detector, parameters: FinderParameters) -> None:
        if detector.barrel is None:
            msg = f"The photon finder works in a barrel, and {detector.name} has none."
            raise DetectorError(msg)
        self.parameters = parameters
        self._placement: Placement = load_placement(detector)
        self._face_mm, self._sides = detector.face_mm, detector.barrel.sides

    def find(self, hits: Hits) -> FoundPhotons:
        """Photons of one event.

        Arguments:
            hits: Hits of the event; those of endcaps are not used.
        """
        part = hits.cell // self._placement.cells_per_part
        photon_of_hit = np.full(len(hits.cell), -1, np.int64)
        energies: list[FloatArray] = []
        positions: list[FloatArray] = []
        n_found = 0
        for stave in np.unique(part[part < self._sides]).tolist():
            rows = np.flatnonzero(part == stave)
            weight = self._weights(hits, rows)
            u, v = self._projected(hits, rows, stave)
            photon = self._photons(u, v, weight)
            n = int(photon.max(initial=-1)) + 1
            is_used = photon >= 0
            total = np.bincount(photon[is_used], weights=weight[is_used], minlength=n)
            middle_u, middle_v = (
                np.bincount(photon[is_used], weights=(weight * x)[is_used], minlength=n) / total
                for x in (u, v)
            )
            energies.append(total / self.parameters.response_mev_per_gev)
            positions.append(self._to_global(middle_u, middle_v, stave))
            photon_of_hit[rows[is_used]] = photon[is_used] + n_found
            n_found += n
        energy = np.concatenate([np.zeros(0), *energies])
        position = np.concatenate([np.zeros((0, 3)), *positions])
        order = np.argsort(-energy, kind="stable")
        rank = np.empty(n_found + 1, np.int64)
        rank[order], rank[n_found] = np.arange(n_found), -1
        return FoundPhotons(energy[order], position[order], rank[photon_of_hit])

    def energy_error(self, energy: FloatArray) -> FloatArray:
        """Expected errors of the energies of photons.

        Arguments:
            energy: Energies in GeV, shape (n,).

        Returns:
            Standard deviations in GeV, shape (n,).
        """
        p = self.parameters
        return np.sqrt(p.stochastic**2 * energy + (p.constant * energy) ** 2)

    def angle_error(self, energy: FloatArray) -> FloatArray:
        """Expected errors of the directions of photons.

        Arguments:
            energy: Their energies in GeV, shape (n,).

        Returns:
            Standard deviations in rad, shape (n,).
        """
        error: FloatArray = self.parameters.angle_mrad * 1e-3 / np.sqrt(energy)
        return error

    def _weights(self, hits: Hits, rows: IntArray) -> FloatArray:
        is_heavy = hits.layer[rows] >= self.parameters.heavy_from_layer
        factor = np.where(is_heavy, self.parameters.heavy_weight, 1.0)
        weight: FloatArray = hits.energy[rows].astype(np.float64) * factor
        return weight

    def _projected(self, hits: Hits, rows: IntArray, stave: int) -> tuple[FloatArray, FloatArray]:
        """Positions of hits on the face, along lines from the interaction point, in mm."""
        x, y, z = (c[rows].astype(np.float64) for c in (hits.x, hits.y, hits.z))
        cos, sin = self._turn(stave)
        scale = self._face_mm / (cos * x + sin * y)
        return z * scale, (sin * x - cos * y) * scale

    def _to_global(self, u: FloatArray, v: FloatArray, stave: int) -> FloatArray:
        cos, sin = self._turn(stave)
        x, y = self._face_mm * cos + v * sin, self._face_mm * sin - v * cos
        return np.stack([x, y, u], axis=1)

    def _turn(self, stave: int) -> tuple[float, float]:
        angle = 2 * np.pi * stave / self._sides
        return float(np.cos(angle)), float(np.sin(angle))

    def _photons(self, u: FloatArray, v: FloatArray, weight: FloatArray) -> IntArray:
        """Number of the photon of each hit in a stave, -1 for none."""
        p = self.parameters
        bins = np.floor(np.stack([u, v], axis=1) / p.bin_mm).astype(np.int64)
        key, bin_of_hit = np.unique(_keys(bins), return_inverse=True)
        height: FloatArray = np.bincount(bin_of_hit, weights=weight).astype(np.float64)
        peaks = self._peaks(_Map(key, height))
        place = np.stack([u, v], axis=1) / p.bin_mm - 0.5
        while True:
            photon = self._nearest(place, peaks)
            dropped = self._weakest(photon, weight, bin_of_hit, peaks)
            if dropped is None:
                return photon
            peaks = _Peaks(np.delete(peaks.at, dropped, axis=0), np.delete(peaks.height, dropped))

    def _peaks(self, bins: _Map) -> _Peaks:
        """Bins above their eight neighbours, with a valley to each stronger peak."""
        p = self.parameters
        high = np.flatnonzero(bins.height > p.min_peak_mev)
        at, height = bins.at(high), bins.height[high]
        around = bins.heights(at[:, None, :] + _NEIGHBOURS)
        is_peak = (around < height[:, None]).all(axis=1)
        at, height = at[is_peak], height[is_peak]
        order = np.lexsort([at[:, 1], at[:, 0], -height])
        kept: list[int] = []
        for i in order.tolist():
            near = [k for k in kept if np.hypot(*(at[i] - at[k])) <= p.neighbourhood_bins]
            if all(bins.lowest_between(at[i], at[k]) <= p.valley * height[i] for k in near):
                kept.append(i)
        return _Peaks(at[kept].astype(np.float64), height[kept])

    def _nearest(self, place: FloatArray, peaks: _Peaks) -> IntArray:
        """Peak of each hit: that with the least distance over the root of its height."""
        if len(peaks.height) == 0:
            return np.full(len(place), -1, np.int64)
        distance = np.linalg.norm(place[:, None, :] - peaks.at[None], axis=2)
        scaled = np.where(
            distance <= self.parameters.reach_bins, distance / np.sqrt(peaks.height), np.inf
        )
        nearest = scaled.argmin(axis=1)
        is_reached = np.isfinite(scaled[np.arange(len(place)), nearest])
        return np.where(is_reached, nearest, -1)

    def _weakest(
        self, photon: IntArray, weight: FloatArray, bin_of_hit: IntArray, peaks: _Peaks
    ) -> int | None:
        """Weakest candidate with too little energy or too few bins; None if there is none."""
        n = len(peaks.height)
        is_used = photon >= 0
        energy = np.bincount(photon[is_used], weights=weight[is_used], minlength=n)
        pairs = np.unique(photon[is_used] + n * bin_of_hit[is_used])
        n_bins = np.bincount(pairs % n, minlength=n) if n else np.zeros(0, np.int64)
        distance = np.linalg.norm(peaks.at[:, None] - peaks.at[None], axis=2)
        nearby = (distance <= self.parameters.neighbourhood_bins) @ energy
        is_bad = (energy < self.parameters.min_share * nearby) | (n_bins < self.parameters.min_bins)
        # A candidate alone is a photon, however few bins it has.
        if n <= 1 or not is_bad.any():
            return None
        bad = np.flatnonzero(is_bad)
        return int(bad[energy[bad].argmin()])


@dataclass(frozen=True, eq=False)
class _Peaks:
    """Peaks in bins, shape (n, 2), and their heights in MeV, shape (n,)."""

    at: FloatArray
    height: FloatArray


@dataclass(frozen=True, eq=False)
class _Map:
    """Bins with energy: their keys in order, and their heights in MeV."""

    key: IntArray
    height: FloatArray

    def at(self, rows: IntArray) -> IntArray:
        """Bins along u and v of some rows, shape (n, 2)."""
        return np.stack(np.divmod(self.key[rows], 2 * _HALF_MAP), axis=-1) - _HALF_MAP

    def heights(self, bins: IntArray) -> FloatArray:
        """Heights of bins, shape (..., 2); 0 where there is nothing."""
        wanted = _keys(bins)
        row = np.searchsorted(self.key, wanted).clip(max=len(self.key) - 1)
        return np.where(self.key[row] == wanted, self.height[row], 0.0)

    def lowest_between(self, begin: IntArray, end: IntArray) -> float:
        """Lowest bin on the straight line between two bins; of two on a tie, the higher one."""
        n = int(np.abs(end - begin).max())
        if n < 2:
            return float("inf")
        line = begin + (end - begin) * (np.arange(1, n) / n)[:, None]
        either = [np.floor(line + 0.5 - 1e-9), np.ceil(line - 0.5 + 1e-9)]
        on_way = [self.heights(bins.astype(np.int64)) for bins in either]
        return float(np.maximum(*on_way).min())


def _keys(bins: IntArray) -> IntArray:
    keys: IntArray = (bins[..., 0] + _HALF_MAP) * (2 * _HALF_MAP) + bins[..., 1] + _HALF_MAP
    return keys
