"""Generation of the sub-cells of whole showers by a compiled kernel, with weights as it reads them.

What `subcell_sampling` computes in numpy, to rounding: here fractions that no sub-cell needs are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.grid import SubCells
from calozoo_core.nn.mlp import linear
from calozoo_core.nn.packing import filled, matrix, packed, width
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, part

__all__ = ["CompiledSubCells"]


class CompiledSubCells:
    """Generation of the sub-cells of whole showers.

    Arguments:
        grid: The grid.
        arrays: Tensors of the flow.
        position: Features of the position of each cell, shape (cells, cells, features).
    """

    #: Numbers of sub-cells along an axis of a cell that the kernel can do.
    splits = (2, 3)

    def __init__(self, grid: GridConfig, arrays: Arrays, position: Float32Array) -> None:
        self._grid = grid
        first, bias = linear(arrays, "net.0")
        second, second_bias = linear(arrays, "net.2")
        pattern, pattern_bias = linear(arrays, "pattern")
        self._condition = len(arrays["context.net.2.bias"])
        self._hidden = width(len(bias))
        self._step = width(len(arrays["rows.second.bias"]))
        self._bins = (len(arrays["rows.density.head.bias"]) - 1) // 3
        self._noise = 1 + (grid.split - 1) * (grid.split + 1)
        self._weights = packed(
            [
                position,
                matrix(first[: self._condition]),
                matrix(first[self._condition :]),
                filled(bias),
                matrix(second, rows=self._hidden),
                filled(second_bias),
                matrix(pattern, rows=self._hidden),
                filled(pattern_bias),
                *self._sticks(part(arrays, "rows"), len(bias)),
                *self._sticks(part(arrays, "columns"), len(bias)),
            ]
        )

    def __call__(
        self,
        streams: Sequence[np.random.Generator],
        cells: Float32Array,
        conditions: Float32Array,
        lanes: int,
    ) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            streams: Random stream of each shower.
            cells: Energies of the cells, in MeV, shape (n, layers, cells, cells).
            conditions: Context vectors, shape (n, layers, condition).
            lanes: Numbers in a vector of the kernel.
        """
        from calozoo_core.kernels import _compiled

        grid, n = self._grid, len(cells)
        counts = np.count_nonzero(cells.reshape(n, -1), axis=1).astype(np.int64)
        noise = [
            random.random((count, self._noise))
            for random, count in zip(streams, counts.tolist(), strict=True)
        ]
        most = int(counts.sum()) * grid.split**2
        numbers = np.empty((n, grid.layers), np.int64)
        row, column = np.empty((2, most), np.int64)
        energy = np.empty(most, np.float32)
        _compiled.split_cells(
            np.ascontiguousarray(cells),
            np.concatenate(noise),
            counts,
            np.ascontiguousarray(conditions),
            self._weights,
            numbers,
            row,
            column,
            energy,
            grid.layers,
            grid.cells,
            grid.split,
            self._condition,
            self._hidden,
            self._step,
            self._bins,
            max(grid.threshold_mev, 1e-12),
            lanes,
        )
        total = int(numbers.sum())
        number = np.repeat(np.arange(numbers.size), numbers.ravel())
        shower, layer = np.divmod(number, grid.layers)
        return SubCells(shower, layer, row[:total], column[:total], energy[:total])

    def _sticks(self, arrays: Arrays, hidden: int) -> list[Float32Array]:
        """Weights of the fractions of rows, or of sub-cells, as the kernel reads them."""
        first, first_bias = linear(arrays, "first")
        second, second_bias = linear(arrays, "second")
        head, head_bias = linear(arrays, "density.head")
        step = len(second)
        # Behind the hidden features, which are filled up, are those of the pattern and the rows.
        rows = np.zeros((self._hidden + len(first) - hidden, first.shape[1]), np.float32)
        rows[:hidden], rows[self._hidden :] = first[:hidden], first[hidden:]
        by_fraction = filled(rows.reshape(len(rows), -1, step))
        return [
            matrix(by_fraction.reshape(len(rows), -1)),
            filled(first_bias.reshape(-1, step)),
            matrix(second, rows=self._step),
            filled(second_bias),
            matrix(head, rows=self._step),
            filled(head_bias),
        ]
