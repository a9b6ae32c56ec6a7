"""Convolutions on a cylinder in torch: sectors go round, layers and rings end.

Images have the shape (n, channels, layers, sectors, rings).

References:
    | CaloDiffusion, section 3: https://arxiv.org/abs/2308.03876
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from calozoo_core.nn.numpy_cylinder import Size, border, downsampled, kernel_of_upsampling, window

__all__ = ["CylinderConvolution", "Downsampling", "Upsampling"]


class CylinderConvolution(nn.Conv3d):
    """Convolution whose windows go round in the angle and see zeros beyond layers and rings.

    Arguments:
        inputs: Channels of the input.
        outputs: Channels of the output.
        kernel: Sizes of a window along layers, sectors and rings.
        stride: Steps of the windows.
        bias: Whether a number is added to each channel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size = (3, 3, 3),
        stride: Size = (1, 1, 1),
        *,
        bias: bool = True,
    ) -> None:
        along = (border(kernel[0]), 0, border(kernel[2]))
        super().__init__(inputs, outputs, kernel, stride, padding=along, bias=bias)

    def forward(self, image: Tensor) -> Tensor:
        """Output, shape (n, outputs, layers, sectors, rings)."""
        beside = border(self.kernel_size[1])
        if beside:
            image = pad(image, (0, 0, beside, beside, 0, 0), mode="circular")
        return super().forward(image)


class Downsampling(CylinderConvolution):
    """Convolution that leaves out windows: every other layer, sector or ring where a stride is 2.

    Arguments:
        channels: Channels of input and output.
        grid: Numbers of layers, sectors and rings of the input.
        strides: Steps of the windows.
    """

    def __init__(self, channels: int, grid: Size, strides: Size) -> None:
        super().__init__(channels, channels, window(grid, strides), strides)


class Upsampling(nn.Module):
    """Transposed convolution that makes a grid of the one that `Downsampling` left of it.

    Arguments:
        channels: Channels of input and output.
        grid: Numbers of layers, sectors and rings of the output.
        strides: Strides of the downsampling.
    """

    def __init__(self, channels: int, grid: Size, strides: Size) -> None:
        super().__init__()
        self._sectors = grid[1]
        kernel = kernel_of_upsampling(grid, strides)
        self._round = border(kernel[1])
        coarse = downsampled(grid, strides)
        along, beyond = [0, 0, 0], [0, 0, 0]
        for axis in (0, 2):
            along[axis] = border(kernel[axis])
            full = (coarse[axis] - 1) * strides[axis] + kernel[axis] - 2 * along[axis]
            beyond[axis] = grid[axis] - full
        self._first = self._round * (strides[1] + 1)
        self.convolution = nn.ConvTranspose3d(
            channels,
            channels,
            kernel,
            strides,
            padding=_triple(along),
            output_padding=_triple(beyond),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Image on the finer grid, shape (n, channels, layers, sectors, rings)."""
        beside = self._round
        if not beside:
            result: Tensor = self.convolution(image)
            return result
        # What the transposed convolution leaves at both ends of the turn is cut off.
        whole: Tensor = self.convolution(pad(image, (0, 0, beside, beside, 0, 0), mode="circular"))
        return whole[:, :, :, self._first : self._first + self._sectors]


def _triple(sizes: list[int]) -> Size:
    layers, sectors, rings = sizes
    return layers, sectors, rings
