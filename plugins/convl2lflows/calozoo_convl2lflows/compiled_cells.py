"""Generation of the cells of whole showers by a compiled kernel, with the weights as it reads them.

What `cell_sampling` computes in numpy, to rounding: here inputs without energy cost nothing.
"""

from __future__ import annotations

import numpy as np

from calozoo_convl2lflows.config import CellsConfig, GridConfig
from calozoo_core.nn.mlp import linear
from calozoo_core.nn.packing import COLUMNS, filled, matrix, packed, width
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays

__all__ = ["CompiledCells"]


class CompiledCells:
    """Generation of the cells of whole showers by one flow that all layers share.

    Arguments:
        grid: The grid.
        config: Sizes of the flow.
        arrays: Tensors of the flow.
    """

    def __init__(self, grid: GridConfig, config: CellsConfig, arrays: Arrays) -> None:
        self._grid, self._config = grid, config
        self._width, self._hidden = width(config.width), width(config.hidden)
        self._mix = self._mixing(arrays)
        weight, bias = linear(arrays, "gate")
        self._gate = filled(weight), filled(bias + np.float32(1))
        self._left = self._starts(arrays)
        self._weights = packed(self._parts(arrays))

    def __call__(
        self, noise: FloatArray, conditions: Float32Array, energies: Float32Array, lanes: int
    ) -> Float32Array:
        """Energies of the cells, in MeV, shape (n, layers, cells, cells).

        Arguments:
            noise: Uniform in [0, 1), shape (n, layers, 4, half, half).
            conditions: Context vectors, shape (n, layers, condition).
            energies: Energies of the layers, in MeV, shape (n, layers).
            lanes: Numbers in a vector of the kernel.
        """
        from calozoo_core.kernels import _compiled

        n, layers, side = len(energies), self._grid.layers, self._grid.cells
        rows = np.ascontiguousarray(conditions).reshape(-1, conditions.shape[-1])
        cells = np.empty((n, layers, side, side), np.float32)
        _compiled.fill_cells(
            np.ascontiguousarray(noise),
            np.ascontiguousarray(energies),
            rows @ self._mix[0] + self._mix[1],
            rows @ self._gate[0] + self._gate[1],
            rows @ self._left[0] + self._left[1],
            self._weights,
            cells,
            layers,
            side // 2,
            self._config.previous,
            self._config.maps,
            self._width,
            self._hidden,
            self._at_hit,
            self._config.bins,
            lanes,
        )
        return cells

    def _mixing(self, arrays: Arrays) -> tuple[Float32Array, Float32Array]:
        """Linear layer of the matrices that mix the maps, in blocks of columns."""
        weight, bias = linear(arrays, "mix")
        both = np.concatenate([weight, bias[None]])
        by_map = both.reshape(len(both), -1, self._config.maps).transpose(0, 2, 1)
        blocks = filled(by_map).reshape(len(both), self._config.maps, -1, COLUMNS)
        flat = blocks.transpose(0, 2, 1, 3).reshape(len(both), -1)
        return np.ascontiguousarray(flat[:-1]), flat[-1].copy()

    def _starts(self, arrays: Arrays) -> tuple[Float32Array, Float32Array]:
        """Linear layer of what the hidden features of the couplings begin with."""
        hidden, condition = self._config.hidden, self._config.condition
        weights, biases = [], []
        for phase in range(len(arrays["logit.bias"])):
            weight, bias = linear(arrays, f"left.{phase}")
            own = arrays["spread.bias"][phase * hidden : (phase + 1) * hidden]
            weights.append(filled(weight[:condition]))
            biases.append(filled(bias + own))
        return np.concatenate(weights, axis=1), np.concatenate(biases)

    def _parts(self, arrays: Arrays) -> list[Float32Array]:
        """Weights in the order of `read_flow` of the kernel."""
        config, inner, hidden = self._config, self._width, self._hidden
        phases = len(arrays["logit.bias"])
        by_phase = np.split(arrays["spread.weight"][:, :, 0, 0], phases)
        last = np.split(arrays["last.weight"][:, :, 0, 0], phases)
        near = arrays["near.weight"].reshape(phases, -1, phases, 3, 3).transpose(0, 2, 3, 4, 1)
        extra = [linear(arrays, f"left.{phase}")[0][config.condition :] for phase in range(phases)]
        at_hit, at_hit_bias = linear(arrays, "at_hit.0")
        head, head_bias = linear(arrays, "density.head")
        self._at_hit = width(at_hit.shape[1])
        return [
            arrays["maps"].reshape(config.maps, -1).T,
            filled(arrays["first.weight"].transpose(1, 2, 3, 0)),
            filled(arrays["first.bias"]),
            *(
                part
                for name in ("second", "third")
                for part in (
                    _windows(arrays[f"{name}.weight"], inner),
                    filled(arrays[f"{name}.bias"]),
                )
            ),
            *(matrix(own.T, rows=inner) for own in by_phase),
            filled(near),
            *(filled(own) for own in extra),
            *(matrix(own.T, rows=hidden) for own in last),
            filled(arrays["last.bias"].reshape(phases, -1)),
            filled(arrays["logit.weight"][:, :, 0, 0]),
            arrays["logit.bias"],
            matrix(at_hit, rows=hidden),
            filled(at_hit_bias),
            matrix(head, rows=self._at_hit),
            filled(head_bias),
        ]


def _windows(weight: Float32Array, inputs: int) -> Float32Array:
    """Matrix of a convolution whose images have so many channels, most of them of its weight."""
    by_pixel = weight.transpose(2, 3, 1, 0)
    added = inputs - by_pixel.shape[2]
    rows = np.pad(by_pixel, ((0, 0), (0, 0), (0, added), (0, 0)))
    return matrix(rows.reshape(9 * inputs, -1))
