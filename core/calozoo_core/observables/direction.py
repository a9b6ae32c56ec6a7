"""The direction a shower itself points in: the first principal axis of its deposits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray, IntArray

__all__ = ["Residuals", "angular_residuals", "principal_axes"]


@dataclass(frozen=True, eq=False)
class Residuals:
    """Reconstructed minus true direction of n showers, in degrees; NaN where there is no axis.

    Arguments:
        phi: Around the polar axis x', measured from z' towards y', shape (n,).
        theta: To the polar axis x', shape (n,).
        angle: Between the two directions, never negative, shape (n,).
    """

    phi: FloatArray
    theta: FloatArray
    angle: FloatArray


def principal_axes(
    offsets: IntArray, position: FloatArray, energy: FloatArray, share: float = 1.0
) -> FloatArray:
    """First principal axes of showers, each deposit weighing as much as its energy.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        position: Local x', y', z' in mm, shape (N, 3).
        energy: In MeV, shape (N,).
        share: The part of the deposits that is used, those of highest energy, rounded up.

    Returns:
        Unit vectors that point into the calorimeter, shape (n, 3); NaN for showers of which fewer
        than two places are left.

    References:
        | CaloClouds3, section 4.3: https://arxiv.org/abs/2511.01460

    Example:
        >>> line = np.array([[0.0, 0, 7], [3, 0, 11], [6, 0, 15]])
        >>> (principal_axes(np.array([0, 3]), line, np.ones(3)).round(6) + 0).tolist()
        [[0.6, 0.0, 0.8]]
    """
    n, counts = len(offsets) - 1, np.diff(offsets)
    owner = np.repeat(np.arange(n), counts)
    if share < 1:
        order = np.lexsort((-energy, owner))
        rank = np.arange(len(owner)) - offsets[owner]
        # 4 % of 175 is 7, and not a little more, as rounding would have it.
        kept = order[rank < np.ceil(share * counts - 1e-9)[owner]]
        owner, position, energy = owner[kept], position[kept], energy[kept]

    def sums(values: FloatArray) -> FloatArray:
        return np.bincount(owner, values, minlength=n).astype(np.float64)

    total = sums(energy)
    weight = energy / np.where(total > 0, total, 1)[owner]
    mean = np.stack([sums(weight * position[:, k]) for k in range(3)], axis=1)
    away = position - mean[owner]
    spread = np.empty((n, 3, 3))
    for i in range(3):
        for j in range(i + 1):
            spread[:, i, j] = spread[:, j, i] = sums(weight * away[:, i] * away[:, j])
    axes: FloatArray = np.linalg.eigh(spread)[1][:, :, -1]
    axes = np.where(axes[:, 2:] < 0, -axes, axes)
    # A micrometre is less than any two cells are apart.
    has_axis = np.trace(spread, axis1=1, axis2=2) > 1e-6
    return np.where(has_axis[:, None], axes, np.nan)


def angular_residuals(
    offsets: IntArray,
    position: FloatArray,
    energy: FloatArray,
    direction: NDArray[np.floating],
    share: float = 1.0,
) -> Residuals:
    """Angular residuals of principal axes against primaries, in the coordinates of CaloClouds3.

    Its polar axis is the beam and its azimuth goes around the barrel. In the local frame of a
    stave these are x' and the plane of z' and y'; turning it to the top changes no difference.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        position: Local x', y', z' in mm, shape (N, 3).
        energy: In MeV, shape (N,).
        direction: Unit vectors of the primaries, local frame, shape (n, 3).
        share: The part of the deposits that is used, those of highest energy.
    """
    axis = principal_axes(offsets, position, energy, share)
    true = direction.astype(np.float64)
    cosine = np.clip((axis * true).sum(axis=1), -1, 1)
    return Residuals(
        phi=np.degrees(_azimuth(axis) - _azimuth(true)),
        theta=np.degrees(_polar(axis) - _polar(true)),
        angle=np.degrees(np.arccos(cosine)),
    )


def _azimuth(direction: FloatArray) -> FloatArray:
    azimuth: FloatArray = np.arctan2(direction[:, 1], direction[:, 2])
    return azimuth


def _polar(direction: FloatArray) -> FloatArray:
    polar: FloatArray = np.arccos(np.clip(direction[:, 0], -1, 1))
    return polar
