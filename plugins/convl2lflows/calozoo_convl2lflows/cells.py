"""The cells of a layer, given the layers before it: a convolutional flow in four couplings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pixel_unshuffle

from calozoo_convl2lflows.config import CellsConfig, GridConfig
from calozoo_convl2lflows.context import LayerContext
from calozoo_convl2lflows.hurdle import Density, hurdle_log_prob, hurdle_noise, log_deposit

__all__ = ["CellFlow", "CellFlows", "cell_map", "present"]

FLOOR_MEV = 0.03
PHASES = 4
#: Of the four cells of a block of 2 x 2: the first, the one diagonal to it, the two between.
ORDER = (0, 3, 1, 2)
SLOPE = 0.1
LEAST, LARGEST = 0.03, 8.5
"""A deposit e stays within these bounds of ln(1 + e / 0.03 MeV)."""


def cell_map(energy: Tensor) -> Tensor:
    """What the networks see of deposits: 0 for nothing, about 1 for a minimum-ionising particle."""
    return log_deposit(energy, FLOOR_MEV) / 2


class CellFlow(nn.Module):
    r"""Fills the cells of one layer.

    A layer is squeezed into four channels of half its width. Each channel is one coupling: whether
    its cells are hit, and with which energy, given the layers before, the channels before, and the
    energy that is left of the layer's. Where a cell is empty its noise is uniform below the hurdle
    (`hurdle.to_share`), so nothing has to be cut away afterwards, and splines are computed only
    where there is energy.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: CellsConfig) -> None:
        super().__init__()
        self.config, half = config, grid.cells // 2
        width, hidden = config.width, config.hidden
        self.context = LayerContext(grid.layers, config.condition)
        self.maps = nn.Parameter(_first_maps(config.maps, half))
        self.mix = nn.Linear(config.condition, width * config.maps)
        self.gate = nn.Linear(config.condition, width)
        self.first = nn.Conv2d(PHASES * config.previous, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.third = nn.Conv2d(width, width, 3, padding=1)
        self.spread = nn.Conv2d(width, PHASES * hidden, 1)
        self.near = nn.Conv2d(PHASES, PHASES * hidden, 3, padding=1, bias=False)
        self.left = nn.ModuleList(nn.Linear(config.condition + 2, hidden) for _ in range(PHASES))
        self.last = nn.Conv2d(PHASES * hidden, PHASES * hidden, 1, groups=PHASES)
        self.logit = nn.Conv2d(PHASES * hidden, PHASES, 1, groups=PHASES)
        self.at_hit = nn.Sequential(nn.Linear(hidden, 64), nn.SiLU())
        self.density = Density(64, config.bins, mean=2.2, std=1.2)
        nn.init.constant_(present(self.logit.bias), -3.0)  # one cell in twenty is hit
        seen = torch.zeros(PHASES, hidden, PHASES, 1, 1)
        for phase in range(PHASES):
            seen[phase, :, :phase] = 1
        self.register_buffer("seen", seen.flatten(0, 1), persistent=False)

    seen: Tensor

    def log_prob(
        self, energy: Tensor, before: Tensor, primary: Tensor, energies: Tensor, layer: Tensor
    ) -> Tensor:
        """Log-density of ln(1 + e / 0.03 MeV), and of which cells are empty, shape (n,).

        Arguments:
            energy: Energies of the cells, in MeV, shape (n, cells, cells).
            before: Maps of the layers before, the nearest first, shape (n, previous, cells, cells).
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Which layer it is, shape (n,).
        """
        known, logit, phases = self._given(energy, before, primary, energies, layer)
        hit = phases > 0
        value = log_deposit(phases[hit], FLOOR_MEV)
        density = self.density.log_prob(value, self.at_hit(known[hit].float()))
        total = hurdle_log_prob(logit, hit).flatten(1).sum(dim=1)
        return total.index_add(0, hit.nonzero()[:, 0], density)

    def to_noise(
        self,
        energy: Tensor,
        before: Tensor,
        primary: Tensor,
        energies: Tensor,
        layer: Tensor,
        inside: Tensor,
    ) -> Tensor:
        """The noise behind the cells of a layer, uniform in (0, 1), shape (n, 4, half, half).

        Arguments:
            energy: As in `log_prob`.
            before: As in `log_prob`.
            primary: As in `log_prob`.
            energies: As in `log_prob`.
            layer: As in `log_prob`.
            inside: Where below the hurdle the noise of empty cells lies, (n, 4, half, half).
        """
        known, logit, phases = self._given(energy, before, primary, energies, layer)
        hit = phases > 0
        value = log_deposit(phases[hit], FLOOR_MEV)
        normal, _ = self.density.to_noise(value, self.at_hit(known[hit]))
        return hurdle_noise(logit, hit, normal, inside)

    def _given(
        self, energy: Tensor, before: Tensor, primary: Tensor, energies: Tensor, layer: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What each coupling knows of its cells, their logits, and the cells, phase by phase."""
        phases = _squeeze(energy[:, None])
        condition = self.context(primary, energies, layer)
        known = self.known(_squeeze(before), condition)
        known = known + conv2d(cell_map(phases), self.near.weight * self.seen, padding=1)
        known = known + self._left(phases, condition, energies, layer)[..., None, None]
        known = leaky_relu(self.last(leaky_relu(known, SLOPE)), SLOPE)
        by_phase = torch.unflatten(known, 1, (PHASES, -1)).movedim(2, 4)
        return by_phase, self.logit(known).float(), phases

    def known(self, before: Tensor, condition: Tensor, weight: Tensor | None = None) -> Tensor:
        """What the layers before say of each block of cells, for each coupling.

        Arguments:
            before: Maps of the layers before, squeezed, shape (n, previous * 4, half, half).
            condition: From the context network, shape (n, condition).
            weight: Of the first convolution, where the layers before come in another order.
        """
        weight = self.first.weight if weight is None else weight
        mix = self.mix(condition).view(len(condition), self.config.width, -1)
        place = (mix @ self.maps.flatten(1)).unflatten(2, self.maps.shape[1:])
        gate = 1 + self.gate(condition)[..., None, None]
        x = conv2d(before, weight, self.first.bias, padding=1)
        x = leaky_relu(x * gate + place, SLOPE)
        x = leaky_relu(self.second(x), SLOPE)
        x = leaky_relu(self.third(x), SLOPE)
        known: Tensor = self.spread(x)
        return known

    def _left(self, phases: Tensor, condition: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        own = energies.gather(1, layer[:, None])
        sums = phases.sum(dim=(2, 3)).cumsum(dim=1)
        used = torch.cat([torch.zeros_like(own), sums[:, :-1]], dim=1)
        return torch.cat(
            [self._left_of(k, used[:, k : k + 1], own, condition) for k in range(PHASES)], dim=1
        )

    def _left_of(self, phase: int, used: Tensor, own: Tensor, condition: Tensor) -> Tensor:
        """What the energy that is left of a layer's adds to the network of one coupling."""
        left = (own - used).clamp(min=0)
        seen = [condition, cell_map(left) / 2, left / own.clamp(min=1e-3)]
        out: Tensor = self.left[phase](torch.cat(seen, dim=1))
        return out


class CellFlows(nn.Module):
    """One flow for all layers, or one a layer, as the configuration says.

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: CellsConfig) -> None:
        super().__init__()
        self.shared = config.shared
        number = 1 if config.shared else grid.layers
        self.flows = nn.ModuleList(CellFlow(grid, config) for _ in range(number))

    def of(self, layer: int) -> CellFlow:
        """The flow of a layer."""
        flow = self.flows[0 if self.shared else layer]
        assert isinstance(flow, CellFlow)
        return flow

    def log_prob(
        self, energy: Tensor, before: Tensor, primary: Tensor, energies: Tensor, layer: Tensor
    ) -> Tensor:
        """As `CellFlow.log_prob`, for images of different layers."""
        inputs = (energy, before, primary, energies, layer)
        if self.shared:
            return self.of(0).log_prob(*inputs)
        log_prob = energy.new_empty(len(energy))
        for one in sorted(set(layer.tolist())):
            rows = layer == one
            log_prob[rows] = self.of(one).log_prob(*(value[rows] for value in inputs))
        return log_prob


def present(bias: Tensor | None) -> Tensor:
    """A bias that is there."""
    assert bias is not None
    return bias


def _squeeze(image: Tensor) -> Tensor:
    """Blocks of 2 x 2 become channels, in the order of the couplings."""
    blocks = torch.unflatten(pixel_unshuffle(image, 2), 1, (-1, PHASES))
    return blocks[:, :, list(ORDER)].flatten(1, 2)


def _first_maps(number: int, half: int) -> Tensor:
    """Smooth functions of the place in the box to begin with; training changes them."""
    at = (torch.arange(half) + 0.5) / half * 2 - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    r = (x.square() + y.square()).sqrt()
    known = [
        torch.ones_like(x),
        x,
        y,
        r,
        (r + 0.05).log(),
        x * x - y * y,
        2 * x * y,
        r * r,
        x * (r + 0.05).log(),
        y * (r + 0.05).log(),
        (-((r / 0.1) ** 2)).exp(),
        (-((r / 0.2) ** 2)).exp(),
        (-((r / 0.4) ** 2)).exp(),
        x * (-((r / 0.2) ** 2)).exp(),
        y * (-((r / 0.2) ** 2)).exp(),
        x.square() * r,
    ]
    maps = [known[i] if i < len(known) else torch.sin((i - 12) * r) for i in range(number)]
    return torch.stack(maps)
