"""Convolutions on a cylinder in numpy, as generation uses them: channels last.

Images have the shape (n, layers, sectors, rings, channels). Sectors go round; layers and rings end.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from calozoo_core.typing import Float32Array

__all__ = [
    "NumpyCylinderConvolution",
    "NumpyUpsampling",
    "Size",
    "border",
    "downsampled",
    "kernel_of_upsampling",
    "window",
]

Size = tuple[int, int, int]
"""Numbers along layers, sectors and rings."""

CHUNK_BYTES = 1 << 20
"""Size of the matrix of windows that is multiplied at once, so that it stays in the cache."""


def border(kernel: int) -> int:
    """Number of voxels that windows of this size reach beyond an image."""
    return 1 if kernel > 1 else 0


def window(grid: Size, strides: Size) -> Size:
    """Sizes of a window of a downsampling; an axis of one stays one.

    Arguments:
        grid: Numbers of layers, sectors and rings of the input.
        strides: Steps of the windows.
    """
    across = [4 if stride == 2 else 3 for stride in strides[1:]]
    layers, sectors, rings = (1 if n == 1 else k for n, k in zip(grid, (3, *across), strict=True))
    return layers, sectors, rings


def downsampled(grid: Size, strides: Size) -> Size:
    """Numbers of layers, sectors and rings that a downsampling leaves.

    Arguments:
        grid: Numbers of layers, sectors and rings of the input.
        strides: Steps of the windows.

    Example:
        >>> downsampled((45, 16, 9), (2, 2, 2))
        (23, 8, 4)
    """
    layers, sectors, rings = (
        (n + 2 * border(k) - k) // stride + 1
        for n, k, stride in zip(grid, window(grid, strides), strides, strict=True)
    )
    return layers, sectors, rings


def kernel_of_upsampling(grid: Size, strides: Size) -> Size:
    """Sizes of a window of the upsampling to a grid: in depth as the number of layers asks for.

    Arguments:
        grid: Numbers of layers, sectors and rings of the output.
        strides: Strides of the downsampling.
    """
    layers, sectors, rings = window(grid, strides)
    if strides[0] == 2 and grid[0] % 2 == 0:
        layers = 4
    return layers, sectors, rings


class NumpyCylinderConvolution:
    """Convolution on a cylinder, the same function as `CylinderConvolution`.

    Each window becomes a row of a matrix, whose product with the weights is the output.

    Arguments:
        weight: Weight of torch's Conv3d, shape (outputs, inputs, layers, sectors, rings).
        bias: Bias, shape (outputs,); None for no bias.
        stride: Steps of the windows.
    """

    def __init__(
        self, weight: Float32Array, bias: Float32Array | None = None, stride: Size = (1, 1, 1)
    ) -> None:
        outputs, _, *kernel = weight.shape
        self._kernel = (kernel[0], kernel[1], kernel[2])
        self._stride, self._bias = stride, bias
        rows = weight.transpose(2, 3, 4, 1, 0).reshape(-1, outputs)
        self._weight = np.ascontiguousarray(rows, np.float32)

    def __call__(self, image: Float32Array) -> Float32Array:
        """Output, shape (n, layers, sectors, rings, outputs).

        Arguments:
            image: Images, shape (n, layers, sectors, rings, inputs), contiguous.
        """
        if self._kernel == (1, 1, 1):
            output = image.reshape(-1, image.shape[-1]) @ self._weight
            if self._bias is not None:
                output += self._bias
            return output.reshape(*image.shape[:-1], -1)
        padded = _padded(image, self._kernel)
        n, *grid = padded.shape[:4]
        inputs, outputs = image.shape[-1], self._weight.shape[1]
        out = [(m - k) // s + 1 for m, k, s in zip(grid, self._kernel, self._stride, strict=True)]
        steps = padded.strides
        walked = tuple(step * s for step, s in zip(steps[1:4], self._stride, strict=True))
        # The channels of all rings of a window lie one after the other.
        windows = as_strided(
            padded,
            (n, *out, *self._kernel[:2], self._kernel[2] * inputs),
            (steps[0], *walked, steps[1], steps[2], steps[4]),
            writeable=False,
        )
        size, wide = int(np.prod(out)), self._weight.shape[0]
        output = np.empty((n, *out, outputs), np.float32)
        at_once = max(1, CHUNK_BYTES // (4 * size * wide))
        rows = np.empty((min(n, at_once), *windows.shape[1:]), np.float32)
        for first in range(0, n, at_once):
            number = min(at_once, n - first)
            rows[:number] = windows[first : first + number]
            np.matmul(
                rows[:number].reshape(number * size, wide),
                self._weight,
                out=output[first : first + number].reshape(number * size, outputs),
            )
        if self._bias is not None:
            output += self._bias
        return output


class NumpyUpsampling:
    """Transposed convolution on a cylinder, the same function as `Upsampling`.

    Arguments:
        weight: Weight of torch's ConvTranspose3d, shape (inputs, outputs, layers, sectors, rings).
        bias: Bias, shape (outputs,).
        grid: Numbers of layers, sectors and rings of the output.
        strides: Strides of the downsampling.
    """

    def __init__(self, weight: Float32Array, bias: Float32Array, grid: Size, strides: Size) -> None:
        inputs, self._outputs, *kernel = weight.shape
        self._kernel = (kernel[0], kernel[1], kernel[2])
        self._grid, self._strides, self._bias = grid, strides, bias
        rows = weight.transpose(2, 3, 4, 0, 1).reshape(-1, inputs, self._outputs)
        self._weights = np.ascontiguousarray(rows, np.float32)

    def __call__(self, image: Float32Array) -> Float32Array:
        """Output, shape (n, layers, sectors, rings, outputs).

        Arguments:
            image: Images, shape (n, layers, sectors, rings, inputs).
        """
        n, *coarse, inputs = image.shape
        (_, ka, kr), (sz, sa, sr) = self._kernel, self._strides
        flat = np.ascontiguousarray(image).reshape(-1, inputs)
        whole = np.zeros((n, *self._room(coarse), self._outputs), np.float32)
        for tap, weight in enumerate(self._weights):
            z, a, r = tap // (ka * kr), tap // kr % ka, tap % kr
            part = (flat @ weight).reshape(n, *coarse, self._outputs)
            whole[
                :,
                z : z + sz * coarse[0] : sz,
                a : a + sa * coarse[1] : sa,
                r : r + sr * coarse[2] : sr,
            ] += part
        return self._cut(whole, coarse[1] * sa)

    def _room(self, coarse: list[int]) -> list[int]:
        """Sizes of an array that holds what every number of the image contributes."""
        beyond = zip(coarse, self._strides, self._kernel, self._grid, strict=True)
        return [max((c - 1) * s + k, g + 2 * border(k)) for c, s, k, g in beyond]

    def _cut(self, whole: Float32Array, turn: int) -> Float32Array:
        """Part on the grid, with what went beyond a turn added where it comes round."""
        at_z, at_a, at_r = (border(k) for k in self._kernel)
        layers, sectors, rings = self._grid
        whole = whole[:, at_z : at_z + layers, :, at_r : at_r + rings]
        places = np.arange(whole.shape[2]) - at_a
        turned = np.zeros((*whole.shape[:2], sectors, *whole.shape[3:]), np.float32)
        if self._kernel[1] == 1:
            turned += whole
        else:
            # Sectors repeat after a turn of the image; an odd last one is the first again.
            for place, column in zip(places, range(whole.shape[2]), strict=True):
                for sector in range(sectors):
                    if (sector - place) % turn == 0:
                        turned[:, :, sector] += whole[:, :, column]
        turned += self._bias
        return turned


def _padded(image: Float32Array, kernel: Size) -> Float32Array:
    """Images with their neighbours around: zeros, but in the angle what comes round."""
    at_z, at_a, at_r = (border(k) for k in kernel)
    n, layers, sectors, rings, channels = image.shape
    size = (n, layers + 2 * at_z, sectors + 2 * at_a, rings + 2 * at_r, channels)
    padded = np.zeros(size, np.float32)
    inner = padded[:, at_z : at_z + layers, :, at_r : at_r + rings]
    inner[:, :, at_a : at_a + sectors] = image
    if at_a:
        inner[:, :, 0], inner[:, :, -1] = image[:, :, -1], image[:, :, 0]
    return padded
