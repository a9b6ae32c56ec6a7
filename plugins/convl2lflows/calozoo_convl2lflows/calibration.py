"""Calibration of generated showers: spectrum of the deposits, and positions near the axis."""

from __future__ import annotations

import numpy as np

from calozoo_convl2lflows.grid import POSITION_ROUNDING_MM
from calozoo_core.typing import AnyFloatArray, BoolArray, Float32Array, IntArray

__all__ = ["NEAR", "corrected_energy", "fitted_powers", "fitted_spectrum", "moved_inward"]

NEAR = 3
"""Sub-cells on either side of the axis in which points are moved inward."""

Spectrum = tuple[tuple[float, float], ...]
Powers = tuple[tuple[float, ...], ...]


def corrected_energy(energy: Float32Array, spectrum: Spectrum) -> Float32Array:
    """Deposits with a corrected spectrum, in MeV.

    The correction is linear in the logarithms between the nodes, and a constant factor below and
    above them. The published spline through the same nodes is smooth instead.

    Arguments:
        energy: Deposits in MeV, shape (N,).
        spectrum: Nodes of `fitted_spectrum`; empty for no correction.
    """
    if not spectrum:
        return energy
    nodes = np.log(np.array(spectrum))
    logs = np.log(energy)
    change = np.interp(logs, nodes[:, 0], nodes[:, 1] - nodes[:, 0])
    corrected: Float32Array = (energy * np.exp(change)).astype(np.float32)
    return corrected


def fitted_spectrum(
    generated: AnyFloatArray, reference: AnyFloatArray, nodes: int = 128
) -> Spectrum:
    """Pairs of a generated deposit and the reference deposit at the same quantile, in MeV.

    Arguments:
        generated: Generated deposits, in MeV.
        reference: Deposits of Geant4, in MeV.
        nodes: Number of pairs.
    """
    shares = (np.arange(nodes) + 0.5) / nodes
    pairs = np.column_stack([np.quantile(generated, shares), np.quantile(reference, shares)])
    rising = np.concatenate([[True], np.all(np.diff(pairs, axis=0) > 1e-9, axis=1)])
    return tuple((float(f"{a:.6g}"), float(f"{b:.6g}")) for a, b in pairs[rising])


def moved_inward(
    row: IntArray, column: IntArray, inside: Float32Array, powers: Powers, side: int
) -> Float32Array:
    """Positions inside sub-cells, moved towards the shower axis in those next to it.

    The distance from the sub-cell's edge nearest to the axis becomes a power of itself, which
    depends on the sub-cell. Elsewhere positions stay uniform.

    Arguments:
        row: Rows of the sub-cells, shape (N,).
        column: Columns of the sub-cells, shape (N,).
        inside: Uniform positions in [0, 1), along x' and y', shape (2, N).
        powers: Powers by distance from the axis in sub-cells, along the coordinate itself and along
            the other one; empty leaves all positions uniform.
        side: Sub-cells of a layer along each axis, an even number.

    Returns:
        Positions in [0, 1], shape (2, N).
    """
    if not powers:
        return inside
    table = np.array(powers, np.float32)
    (k_x, is_right), (k_y, is_above) = (_distance_to_axis(index, side) for index in (column, row))
    moved = inside.copy()
    near = (k_x < len(table)) & (k_y < len(table))
    for axis, own, other, is_beyond in ((0, k_x, k_y, is_right), (1, k_y, k_x, is_above)):
        power, beyond = table[own[near], other[near]], is_beyond[near]
        distance = np.where(beyond, inside[axis, near], 1 - inside[axis, near]) ** power
        moved[axis, near] = np.where(beyond, distance, 1 - distance)
    return moved


def fitted_powers(
    x: AnyFloatArray, y: AnyFloatArray, energy: AnyFloatArray, pitch_mm: float
) -> Powers:
    """Powers of `moved_inward` that reproduce the energy-weighted mean distances of points.

    Arguments:
        x: Positions along x' in the upright frame, in mm, shape (N,).
        y: Positions along y'.
        energy: Energies in MeV, shape (N,).
        pitch_mm: Pitch of the sub-cells.
    """
    random = np.random.default_rng(0)
    rounding = POSITION_ROUNDING_MM
    u, v = (
        np.abs(values + (random.random(len(values)) - 0.5) * rounding) / pitch_mm
        for values in (x, y)
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


def _distance_to_axis(index: IntArray, side: int) -> tuple[IntArray, BoolArray]:
    """Distance to the axis in sub-cells, and which sub-cells are on its positive side."""
    is_beyond = index >= side // 2
    return np.where(is_beyond, index - side // 2, side // 2 - 1 - index), is_beyond
