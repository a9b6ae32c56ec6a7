"""Flow of all sub-cells of a layer, as published, given up to five layers before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.contexts import ENERGY_SCALE_GEV
from calozoo_core.nn.flow import standard_normal_log_prob
from studies.convl2lflows.couplings import (
    LEAKY_SLOPE,
    ActNorm,
    Coupling,
    Mixing,
    PaddedConv,
    UNet,
    squeeze,
    unsqueeze,
)
from studies.convl2lflows.published_config import VoxelsConfig

__all__ = ["LayerEnergyEncoding", "VoxelEncoding", "VoxelFlow", "VoxelFlows", "primary_constants"]

MEV_PER_GEV = 1e3
LOG_FLOOR = 1e-7
DECADES = 7.0
EDGE = 1e-2
"""Share of the logit's range left out at either end."""
ENERGY_EDGE = 1e-6
EMPTY_MEV = 1e-5
"""Voxels with less count as empty; their noise is log-normal about 1 keV with 0.2 decades."""
EMPTY_NOISE_MEV, EMPTY_DECADES = 1e-3, 0.2


class VoxelFlow(nn.Module):
    """Flow of one layer: blocks of ActNorm, a coupling with a U-Net, and mixing.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: The grid.
        config: Sizes.
        previous: Number of layers before it in its condition.
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
        """Noise, in the shape of `x`, and log-determinants, shape (n,), of voxels.

        Arguments:
            x: Transformed voxels of the layer, shape (n, height, width).
            before: Those of the layers before, the nearest first, (n, previous, height, width).
            constants: Layer energy and primary, shape (n, constants).
        """
        context = self._context(before, constants)
        y = squeeze(x[:, None], self.squeeze)
        total = x.new_zeros(len(x))
        for step in self._invertible_steps():
            y, log_det = step.to_noise(y, context)
            total = total + log_det
        return unsqueeze(y, self.squeeze)[:, 0], total

    def to_value(self, noise: Tensor, before: Tensor, constants: Tensor) -> Tensor:
        """Voxels of noise, shape (n, height, width)."""
        context = self._context(before, constants)
        y = squeeze(noise[:, None], self.squeeze)
        for step in reversed(self._invertible_steps()):
            y = step.to_value(y, context)
        return unsqueeze(y, self.squeeze)[:, 0]

    def log_prob(self, x: Tensor, before: Tensor, constants: Tensor) -> Tensor:
        """Log-density of transformed voxels, shape (n,)."""
        noise, log_det = self.to_noise(x, before, constants)
        return log_det + standard_normal_log_prob(noise.flatten(1))

    def _invertible_steps(self) -> list[ActNorm | Coupling | Mixing]:
        return [step for step in self.steps if isinstance(step, ActNorm | Coupling | Mixing)]

    def _context(self, before: Tensor, constants: Tensor) -> Tensor:
        if self.embedding is not None:
            maps = constants[..., None, None].expand(-1, -1, *self.shape)
            out: Tensor = self.embedding(torch.cat([before[:, : self.previous], maps], dim=1))
            return out
        height, width = (n // f for n, f in zip(self.shape, self.squeeze, strict=True))
        return constants[..., None, None].expand(-1, -1, height, width)


class VoxelFlows(nn.Module):
    """Flows of all layers: one per layer, as published, or one that all layers share.

    A shared flow has the index of the layer as one more constant, and empty layers before the
    first.

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: VoxelsConfig) -> None:
        super().__init__()
        self.config, self.layers = config, grid.layers
        most = config.previous
        previous = [most] if config.shared else [min(i, most) for i in range(grid.layers)]
        self.flows = nn.ModuleList(VoxelFlow(grid, config, n) for n in previous)

    def of(self, layer: int) -> VoxelFlow:
        """The flow of a layer."""
        flow = self.flows[0 if self.config.shared else layer]
        assert isinstance(flow, VoxelFlow)
        return flow

    def log_prob(self, x: Tensor, before: Tensor, constants: Tensor, layer: Tensor) -> Tensor:
        """Log-density of images of different layers, shape (n,); see `VoxelFlow.log_prob`."""
        if self.config.shared:
            return self.of(0).log_prob(x, before, constants)
        log_prob = x.new_empty(len(x))
        for one in sorted(set(layer.tolist())):
            rows = layer == one
            log_prob[rows] = self.of(one).log_prob(x[rows], before[rows], constants[rows])
        return log_prob

    def constants_of(self, primary: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        """Constants in the condition of a layer's flow, shape (n, constants).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Index of the layer, shape (n,).
        """
        own = layer_constant(energies.gather(1, layer[:, None]))
        constants = [own, primary_constants(primary), layer[:, None] / self.layers]
        return torch.cat(constants, dim=1)[:, : self.config.constants]


class _Embedding(nn.Module):
    """Embedding of layers before and constants in a few channels at the squeezed resolution."""

    def __init__(self, config: VoxelsConfig, previous: int) -> None:
        super().__init__()
        width, factor = config.embedding, config.squeeze
        self.first = nn.Conv2d(previous + config.constants, width, 1)
        self.second = PaddedConv(width, width, circular=config.circular)
        self.shrink = (
            nn.Conv2d(width, width, 2, stride=2) if factor == (2, 2) else nn.AvgPool2d(factor)
        )
        self.third = PaddedConv(width, width, circular=config.circular)

    def forward(self, maps: Tensor) -> Tensor:
        x = leaky_relu(self.first(maps), LEAKY_SLOPE)
        x = leaky_relu(self.second(x), LEAKY_SLOPE)
        x = leaky_relu(self.shrink(x), LEAKY_SLOPE)
        out: Tensor = self.third(x)
        return out


def primary_constants(primary: Tensor) -> Tensor:
    """Energy, as 2 log10(E / GeV) - 3, and direction of primaries, shape (n, 4).

    Arguments:
        primary: Features of `contexts.primary_features`, shape (n, 7).
    """
    energy = primary[:, 1:2] * ENERGY_SCALE_GEV
    return torch.cat([2 * (energy + 1e-6).log10() - 3, primary[:, 2:5]], dim=1)


def layer_constant(energy_mev: Tensor) -> Tensor:
    """Energy of a layer as a constant of order one."""
    return (energy_mev / MEV_PER_GEV + 1e-6).log10() + 1


class VoxelEncoding:
    """Encoding of voxel energies as logits within about 4.6 of zero.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: Grid with the threshold, below which noise is added and cut away.
        config: Noise and maxima.
    """

    def __init__(self, grid: GridConfig, config: VoxelsConfig) -> None:
        self.threshold, self.noise = grid.threshold_mev, config.noise_mev
        maxima = torch.tensor(config.maxima_mev)
        self.maxima = maxima.expand(grid.layers) if len(maxima) == 1 else maxima

    def add_noise(self, energy: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Deposits with noise below the threshold, log-normal in empty voxels, in MeV.

        Arguments:
            energy: In MeV, any shape; nothing in it lies between 0 and the threshold.
            uniform: Uniform numbers in [0, 1), in the shape of `energy`.
            normal: Standard normal numbers, in the shape of `energy`.
        """
        empty = EMPTY_NOISE_MEV * 10 ** (EMPTY_DECADES * normal)
        noise = uniform * self.noise + torch.where(energy < EMPTY_MEV, empty, 0.0)
        return energy + noise.clamp(0, self.threshold)

    def forward(self, energy: Tensor, layer: Tensor) -> Tensor:
        """Logits of energies in MeV; `layer` has an index for each image of `energy`."""
        share = (energy / self._maximum_mev(layer)).clamp(0, 1)
        unit = (share + LOG_FLOOR).log10() / DECADES + 1
        return torch.logit(EDGE + (1 - 2 * EDGE) * unit)

    def inverse(self, value: Tensor, layer: Tensor) -> Tensor:
        """Energies in MeV of logits."""
        unit = (torch.sigmoid(value) - EDGE) / (1 - 2 * EDGE)
        share = (10 ** ((unit - 1) * DECADES) - LOG_FLOOR).clamp(0, 1)
        return share * self._maximum_mev(layer)

    def _maximum_mev(self, layer: Tensor) -> Tensor:
        return (self.maxima[layer] + 1e-3)[:, None, None]


class LayerEnergyEncoding:
    """Encoding of layer energies as logits.

    Arguments:
        scale_mev: Energy above that of any layer.
    """

    def __init__(self, scale_mev: float) -> None:
        self.scale = scale_mev

    def forward(self, energy: Tensor, normal: Tensor) -> Tensor:
        """Logits of energies in MeV, with noise of 1 +- 0.2 keV added."""
        share = ((energy + 1e-3 + 2e-4 * normal) / self.scale).clamp(0, 1)
        return torch.logit(ENERGY_EDGE + (1 - 2 * ENERGY_EDGE) * share)

    def inverse(self, value: Tensor) -> Tensor:
        """Energies in MeV of logits."""
        share = (torch.sigmoid(value) - ENERGY_EDGE) / (1 - 2 * ENERGY_EDGE)
        return share.clamp(0, 1) * self.scale - 1e-3
