"""The published flow: every sub-cell of a layer, given up to five layers before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_convl2lflows.config import GridConfig, VoxelsConfig
from calozoo_convl2lflows.couplings import ActNorm, Coupling, Mixing, squeeze, unsqueeze
from calozoo_convl2lflows.unet import SLOPE, UNet, padded_conv
from calozoo_convl2lflows.voxel_encoding import layer_constant, primary_constants

__all__ = ["VoxelFlow", "VoxelFlows"]

LOG_2_PI = 1.8378770664093453


class VoxelFlow(nn.Module):
    """The flow of one layer: eight blocks of ActNorm, a coupling with a U-Net, and mixing.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: The grid.
        config: Sizes.
        previous: Layers before it that it sees.
    """

    def __init__(self, grid: GridConfig, config: VoxelsConfig, previous: int) -> None:
        super().__init__()
        self.squeeze, self.shape, self.previous = config.squeeze, grid.shape, previous
        channels = config.squeeze[0] * config.squeeze[1]
        self.embedding = _Embedding(config, previous) if previous else None
        context = config.embedding if previous else config.constants
        moved = channels // 2
        outputs = Coupling.outputs(config.coupling, moved, config.bins)
        self.steps = nn.ModuleList()
        for _ in range(config.blocks):
            net = UNet(
                channels - moved + context,
                outputs,
                config.width,
                config.kernels,
                circular=config.circular,
            )
            coupling = Coupling(config.coupling, channels, config.bins, net, moved)
            self.steps.extend([ActNorm(channels), coupling, Mixing(channels)])

    def to_noise(self, x: Tensor, before: Tensor, constants: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that.

        Arguments:
            x: Transformed voxels of the layer, shape (n, height, width).
            before: Those of the layers before, the nearest first, (n, previous, height, width).
            constants: Layer energy and primary, shape (n, constants).
        """
        context = self._context(before, constants)
        y = squeeze(x[:, None], self.squeeze)
        total = x.new_zeros(len(x))
        for step in self._each():
            y, log_det = step.to_noise(y, context)
            total = total + log_det
        return unsqueeze(y, self.squeeze)[:, 0], total

    def to_value(self, noise: Tensor, before: Tensor, constants: Tensor) -> Tensor:
        """From noise to data, shape (n, height, width)."""
        context = self._context(before, constants)
        y = squeeze(noise[:, None], self.squeeze)
        for step in reversed(self._each()):
            y = step.to_value(y, context)
        return unsqueeze(y, self.squeeze)[:, 0]

    def log_prob(self, x: Tensor, before: Tensor, constants: Tensor) -> Tensor:
        """Log-density of transformed voxels, shape (n,)."""
        noise, log_det = self.to_noise(x, before, constants)
        return log_det - 0.5 * (noise.square() + LOG_2_PI).sum(dim=(1, 2))

    def _each(self) -> list[ActNorm | Coupling | Mixing]:
        return [step for step in self.steps if isinstance(step, ActNorm | Coupling | Mixing)]

    def _context(self, before: Tensor, constants: Tensor) -> Tensor:
        if self.embedding is not None:
            maps = constants[..., None, None].expand(-1, -1, *self.shape)
            out: Tensor = self.embedding(torch.cat([before[:, : self.previous], maps], dim=1))
            return out
        height, width = (n // f for n, f in zip(self.shape, self.squeeze, strict=True))
        return constants[..., None, None].expand(-1, -1, height, width)


class VoxelFlows(nn.Module):
    """One flow a layer, as published, or one for all layers, as the configuration says.

    A flow that all layers share sees their index as one more constant, and empty layers before the
    first.

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: VoxelsConfig) -> None:
        super().__init__()
        self.config, self.layers = config, grid.layers
        most = config.previous
        seen = [most] if config.shared else [min(i, most) for i in range(grid.layers)]
        self.flows = nn.ModuleList(VoxelFlow(grid, config, n) for n in seen)

    def of(self, layer: int) -> VoxelFlow:
        """The flow of a layer."""
        flow = self.flows[0 if self.config.shared else layer]
        assert isinstance(flow, VoxelFlow)
        return flow

    def log_prob(self, x: Tensor, before: Tensor, constants: Tensor, layer: Tensor) -> Tensor:
        """As `VoxelFlow.log_prob`, for images of different layers."""
        if self.config.shared:
            return self.of(0).log_prob(x, before, constants)
        log_prob = x.new_empty(len(x))
        for one in sorted(set(layer.tolist())):
            rows = layer == one
            log_prob[rows] = self.of(one).log_prob(x[rows], before[rows], constants[rows])
        return log_prob

    def constants_of(self, primary: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        """What conditions the flow of a layer, shape (n, constants).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Which layer it is, shape (n,).
        """
        own = layer_constant(energies.gather(1, layer[:, None]))
        seen = [own, primary_constants(primary), layer[:, None] / self.layers]
        return torch.cat(seen, dim=1)[:, : self.config.constants]


class _Embedding(nn.Module):
    """Layers before and constants as a few channels at the squeezed resolution."""

    def __init__(self, config: VoxelsConfig, previous: int) -> None:
        super().__init__()
        width, factor = config.embedding, config.squeeze
        self.first = nn.Conv2d(previous + config.constants, width, 1)
        self.second = padded_conv(width, width, circular=config.circular)
        self.shrink = (
            nn.Conv2d(width, width, 2, stride=2) if factor == (2, 2) else nn.AvgPool2d(factor)
        )
        self.third = padded_conv(width, width, circular=config.circular)

    def forward(self, maps: Tensor) -> Tensor:
        x = leaky_relu(self.first(maps), SLOPE)
        x = leaky_relu(self.second(x), SLOPE)
        x = leaky_relu(self.shrink(x), SLOPE)
        out: Tensor = self.third(x)
        return out
