"""Convolutions in numpy, as generation uses them: images with their channels last."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from calozoo_core.kernels import compiled_lanes
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout

__all__ = ["Convolution3x3", "convolution_layout"]

OUTPUTS_AT_ONCE = 16
"""Outputs that the compiled kernel computes together."""

CHUNK_BYTES = 1 << 19
"""Size of the matrix of windows that is multiplied at once, so that it stays in the cache."""


def convolution_layout(
    name: str, inputs: int, outputs: int, size: int = 3, *, groups: int = 1, bias: bool = True
) -> Layout:
    """Layout of a convolution of this name, as torch's Conv2d has it."""
    layout = {f"{name}.weight": TensorLayout((outputs, inputs // groups, size, size))}
    return layout | {f"{name}.bias": TensorLayout((outputs,))} if bias else layout


class Convolution3x3:
    """Convolution with windows of 3 x 3 and one pixel of zeros around the image.

    Each window becomes a row of a matrix, whose product with the weights is the output; compiled
    kernels do without the matrix, where the processor has the vectors that they need.

    Arguments:
        weight: Weight of torch's Conv2d, shape (outputs, inputs, 3, 3).
        bias: Bias, shape (outputs,); None for no bias.
    """

    def __init__(self, weight: Float32Array, bias: Float32Array | None = None) -> None:
        outputs, self._inputs = weight.shape[:2]
        rows = weight.transpose(2, 3, 1, 0).reshape(9 * self._inputs, outputs)
        self._weight, self._bias = np.ascontiguousarray(rows), bias
        blocks = -(-outputs // OUTPUTS_AT_ONCE)
        filled = np.zeros((len(rows), blocks * OUTPUTS_AT_ONCE), np.float32)
        filled[:, :outputs] = rows
        by_block = filled.reshape(len(rows), blocks, OUTPUTS_AT_ONCE).transpose(1, 0, 2)
        self._blocks = np.ascontiguousarray(by_block)
        self._filled_bias = np.zeros(blocks * OUTPUTS_AT_ONCE, np.float32)
        self._filled_bias[:outputs] = 0 if bias is None else bias

    @classmethod
    def of(cls, arrays: Arrays, name: str) -> Convolution3x3:
        """Convolution of this name."""
        return cls(arrays[f"{name}.weight"], arrays.get(f"{name}.bias"))

    def __call__(self, image: Float32Array, leak: float = 1.0) -> Float32Array:
        """Output, shape (n, height, width, outputs).

        Arguments:
            image: Images, shape (n, height, width, inputs).
            leak: Slope of a leaky ReLU behind it: 1 for none, 0 for ReLU.
        """
        lanes = compiled_lanes()
        if lanes:
            return self._compiled(np.ascontiguousarray(image), leak, lanes, is_padded=False)
        n, height, width, inputs = image.shape
        padded = np.zeros((n, height + 2, width + 2, inputs), np.float32)
        padded[:, 1:-1, 1:-1] = image
        return self.of_padded(padded, leak)

    def of_padded(self, padded: Float32Array, leak: float = 1.0) -> Float32Array:
        """Output of images that have their pixel of zeros around already.

        Arguments:
            padded: Images, shape (n, height + 2, width + 2, inputs), contiguous.
            leak: Slope of a leaky ReLU behind it: 1 for none, 0 for ReLU.
        """
        lanes = compiled_lanes()
        if lanes:
            return self._compiled(padded, leak, lanes, is_padded=True)
        output = self._product(padded)
        if self._bias is not None:
            output += self._bias
        if leak != 1:
            np.maximum(output, output * np.float32(leak), out=output)
        return output

    def _product(self, padded: Float32Array) -> Float32Array:
        n, height, width, inputs = padded.shape
        height, width = height - 2, width - 2
        steps = padded.strides
        windows = as_strided(
            padded,
            (n, height, width, 3, 3 * inputs),
            (*steps[:3], steps[1], steps[3]),
            writeable=False,
        )
        size, outputs = height * width, self._weight.shape[1]
        output = np.empty((n, height, width, outputs), np.float32)
        at_once = max(1, CHUNK_BYTES // (size * 36 * inputs))
        rows = np.empty((min(n, at_once), height, width, 3, 3 * inputs), np.float32)
        for first in range(0, n, at_once):
            number = min(at_once, n - first)
            rows[:number] = windows[first : first + number]
            np.matmul(
                rows[:number].reshape(number * size, -1),
                self._weight,
                out=output[first : first + number].reshape(number * size, outputs),
            )
        return output

    def _compiled(
        self, image: Float32Array, leak: float, lanes: int, *, is_padded: bool
    ) -> Float32Array:
        from calozoo_core.kernels import _compiled

        n, height, width, inputs = image.shape
        if is_padded:
            height, width = height - 2, width - 2
        outputs = self._weight.shape[1]
        output = np.empty((n, height, width, outputs), np.float32)
        _compiled.convolve_3x3(
            image,
            self._blocks,
            self._filled_bias,
            output,
            height,
            width,
            inputs,
            outputs,
            leak,
            is_padded,
            lanes,
        )
        return output
