"""The regular grid in its tilted box: deposits into sub-cells, and sub-cells back into points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_convl2lflows.config import GridConfig
from calozoo_core.typing import Float32Array as FloatArray
from calozoo_core.typing import IntArray

__all__ = ["SubCells", "fill", "positions"]


class SubCells(NamedTuple):
    """The sub-cells with energy in them, sorted by shower, layer, row and column.

    Arguments:
        shower: Which shower each belongs to, shape (N,).
        layer: Its layer.
        row: Its row, along y'.
        column: Its column, along x'.
        energy: In MeV, float32.
    """

    shower: IntArray
    layer: IntArray
    row: IntArray
    column: IntArray
    energy: FloatArray


def fill(
    x: FloatArray,
    y: FloatArray,
    layer: NDArray[np.uint8],
    energy: FloatArray,
    shower: IntArray,
    grid: GridConfig,
) -> SubCells:
    """Deposits of upright showers, summed sub-cell by sub-cell.

    The axis of the shower runs through the middle of the box. What lies outside the box, and
    sub-cells that stay below the threshold, are left out.

    Arguments:
        x: Positions about the shower axis, in mm, shape (N,).
        y: The same, the other way.
        layer: Layer of each deposit.
        energy: In MeV.
        shower: Which shower each deposit belongs to.
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
    row: IntArray, column: IntArray, inside: NDArray[np.floating], grid: GridConfig
) -> tuple[FloatArray, FloatArray]:
    """Points inside sub-cells, x' and y' about the shower axis in mm.

    Arguments:
        row: Rows of the sub-cells, shape (N,).
        column: Columns.
        inside: Where in its sub-cell each point lies, along x' and y', in [0, 1), shape (2, N).
        grid: Number and size of the sub-cells.
    """
    middle = grid.side / 2
    x = (column + inside[0] - middle) * grid.pitch_mm
    y = (row + inside[1] - middle) * grid.pitch_mm
    return x.astype(np.float32), y.astype(np.float32)
