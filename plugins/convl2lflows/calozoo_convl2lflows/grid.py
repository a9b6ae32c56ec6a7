"""Regular grid in the upright frame: deposits into sub-cells, and sub-cells back into points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_convl2lflows.config import GridConfig
from calozoo_core.typing import AnyFloatArray, Float32Array, IntArray

__all__ = ["CELL_FLOOR_MEV", "POSITION_ROUNDING_MM", "SubCells", "fill", "positions"]

POSITION_ROUNDING_MM = 0.25
"""Rounding of positions in training files, which has to be undone before binning."""


CELL_FLOOR_MEV = 0.03
"""Energy below which the logarithmic map of a deposit is nearly linear."""


class SubCells(NamedTuple):
    """Sub-cells with energy, sorted by shower, layer, row and column.

    Arguments:
        shower: Index of the shower, shape (N,).
        layer: Index of the layer.
        row: Index along y'.
        column: Index along x'.
        energy: Energy in MeV.
    """

    shower: IntArray
    layer: IntArray
    row: IntArray
    column: IntArray
    energy: Float32Array


def fill(
    x: Float32Array,
    y: Float32Array,
    layer: NDArray[np.uint8],
    energy: Float32Array,
    shower: IntArray,
    grid: GridConfig,
) -> SubCells:
    """Sub-cells of deposits in the upright frame.

    The axis of the shower runs through the middle of the box. Deposits outside the box, and
    sub-cells below the threshold, are left out.

    Arguments:
        x: Positions along x', in mm, shape (N,).
        y: Positions along y'.
        layer: Index of the layer of each deposit.
        energy: Energy of each deposit, in MeV.
        shower: Index of the shower of each deposit.
        grid: Number and size of the sub-cells.
    """
    side, n_layers = grid.side, grid.layers
    column = np.floor(x / grid.pitch_mm + side / 2).astype(np.int64)
    row = np.floor(y / grid.pitch_mm + side / 2).astype(np.int64)
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    key = ((shower * n_layers + layer) * side + row) * side + column
    key, index = np.unique(key[inside], return_inverse=True)
    total = np.bincount(index, energy[inside], minlength=len(key)).astype(np.float32)
    filled = total >= grid.threshold_mev
    key, total = key[filled], total[filled]
    key, column = np.divmod(key, side)
    key, row = np.divmod(key, side)
    shower, layer_index = np.divmod(key, n_layers)
    return SubCells(shower, layer_index, row, column, total)


def positions(
    row: IntArray, column: IntArray, inside: AnyFloatArray, grid: GridConfig
) -> tuple[Float32Array, Float32Array]:
    """Positions along x' and y' in the upright frame, in mm, of points inside sub-cells.

    Arguments:
        row: Rows of the sub-cells, shape (N,).
        column: Columns of the sub-cells, shape (N,).
        inside: Positions inside the sub-cells, along x' and y', in [0, 1), shape (2, N).
        grid: Number and size of the sub-cells.
    """
    middle = grid.side / 2
    x = (column + inside[0] - middle) * grid.pitch_mm
    y = (row + inside[1] - middle) * grid.pitch_mm
    return x.astype(np.float32), y.astype(np.float32)
