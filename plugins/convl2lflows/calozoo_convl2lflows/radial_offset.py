"""Where in their sub-cells points lie near the shower axis: not anywhere, but towards it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_convl2lflows.training_data import POSITION_ROUNDING_MM

__all__ = ["NEAR", "fitted_powers", "inward"]

NEAR = 3
"""Sub-cells from the axis, either way, in which points are drawn inwards."""

Powers = tuple[tuple[float, ...], ...]


def inward(
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    inside: NDArray[np.float32],
    powers: Powers,
    side: int,
) -> NDArray[np.float32]:
    """Uniform numbers of places in sub-cells, made those of places nearer to the axis.

    The distance from the edge that is nearer to the axis is a power of a uniform number; which, the
    place of the sub-cell says. Elsewhere points stay as they are, uniform.

    Arguments:
        row: Rows of the sub-cells, shape (N,).
        column: Columns.
        inside: Uniform in [0, 1), along x' and y', shape (2, N).
        powers: Power by sub-cells from the axis along the own coordinate, and along the other; none
            leaves all places uniform.
        side: Sub-cells of a layer along each, an even number.
    """
    if not powers:
        return inside
    table = np.array(powers, np.float32)
    (k_x, right), (k_y, above) = (_from_axis(place, side) for place in (column, row))
    moved = inside.copy()
    near = (k_x < len(table)) & (k_y < len(table))
    for number, own, other, beyond in ((0, k_x, k_y, right), (1, k_y, k_x, above)):
        power, away = table[own[near], other[near]], beyond[near]
        distance = np.where(away, inside[number, near], 1 - inside[number, near]) ** power
        moved[number, near] = np.where(away, distance, 1 - distance)
    return moved


def fitted_powers(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    energy: NDArray[np.floating],
    pitch_mm: float,
) -> Powers:
    """The powers with which the mean distances, weighted with energy, are those of given points.

    Arguments:
        x: Positions about the shower axis, in mm, shape (N,).
        y: The same, the other way.
        energy: In MeV.
        pitch_mm: Of the sub-cells.
    """
    random = np.random.default_rng(0)
    rounding = POSITION_ROUNDING_MM
    u, v = (
        np.abs(place + (random.random(len(place)) - 0.5) * rounding) / pitch_mm for place in (x, y)
    )
    near = (u < NEAR) & (v < NEAR)
    u, v, weight = u[near], v[near], energy[near].astype(np.float64)
    cell = np.concatenate(
        [u.astype(int) * NEAR + v.astype(int), v.astype(int) * NEAR + u.astype(int)]
    )
    inside = np.concatenate([u % 1, v % 1])
    both = np.tile(weight, 2)
    total = np.bincount(cell, both, minlength=NEAR**2)
    mean = np.bincount(cell, both * inside, minlength=NEAR**2) / np.maximum(total, 1e-12)
    powers = np.where(total > 0, 1 / np.maximum(mean, 1e-3) - 1, 1.0)
    return tuple(tuple(round(float(p), 4) for p in own) for own in powers.reshape(NEAR, NEAR))


def _from_axis(
    place: NDArray[np.integer], side: int
) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """How many sub-cells from the axis, and whether beyond it in the sense of the coordinate."""
    beyond = place >= side // 2
    return np.where(beyond, place - side // 2, side // 2 - 1 - place), beyond
