"""Convolutional flow of the cells of a layer, given the layers before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pixel_unshuffle

from calozoo_convl2lflows.cell_sampling import AT_HIT, ORDER, PHASES, SLOPE
from calozoo_convl2lflows.config import CellsConfig, GridConfig
from calozoo_convl2lflows.densities import CELL_SCALE
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_convl2lflows.hurdle import Density, hurdle_log_prob, hurdle_noise, log_deposit
from calozoo_convl2lflows.layer_energies import LayerContext

__all__ = ["CellFlow", "CellFlows", "log_energy_map"]


def log_energy_map(energy: Tensor) -> Tensor:
    """Deposits as inputs of networks: 0 if empty, about 1 for a minimum-ionising particle."""
    return log_deposit(energy, CELL_FLOOR_MEV) / 2


class CellFlow(nn.Module):
    r"""Flow of the cells of one layer.

    A layer is squeezed into four channels of half its width. Each channel is one coupling: which of
    its cells are hit, and with which energy, given the layers before, the channels before, and the
    remaining energy of the layer. The noise of an empty cell is uniform below the hurdle
    (`hurdle.hurdle_noise`), so no threshold is needed afterwards, and splines are computed only
    where there is energy.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    earlier_phases: Tensor

    def __init__(self, grid: GridConfig, config: CellsConfig) -> None:
        super().__init__()
        self.config, half = config, grid.cells // 2
        width, hidden = config.width, config.hidden
        self.context = LayerContext(grid.layers, config.condition)
        self.maps = nn.Parameter(_initial_maps(config.maps, half))
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
        self.at_hit = nn.Sequential(nn.Linear(hidden, AT_HIT), nn.SiLU())
        self.density = Density(AT_HIT, config.bins, *CELL_SCALE)
        assert self.logit.bias is not None
        nn.init.constant_(self.logit.bias, -3.0)  # one cell in twenty is hit
        mask = torch.zeros(PHASES, hidden, PHASES, 1, 1)
        for phase in range(PHASES):
            mask[phase, :, :phase] = 1
        self.register_buffer("earlier_phases", mask.flatten(0, 1), persistent=False)

    def log_prob(
        self, energy: Tensor, before: Tensor, primary: Tensor, energies: Tensor, layer: Tensor
    ) -> Tensor:
        """Log-density of ln(1 + e / 0.03 MeV) and of the empty cells, shape (n,).

        Arguments:
            energy: Energies of the cells, in MeV, shape (n, cells, cells).
            before: Maps of the layers before, the nearest first, shape (n, previous, cells, cells).
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Index of the layer, shape (n,).
        """
        hidden, logit, phases = self._features(energy, before, primary, energies, layer)
        is_hit = phases > 0
        value = log_deposit(phases[is_hit], CELL_FLOOR_MEV)
        density = self.density.log_prob(value, self.at_hit(hidden[is_hit].float()))
        total = hurdle_log_prob(logit, is_hit).flatten(1).sum(dim=1)
        return total.index_add(0, is_hit.nonzero()[:, 0], density)

    def to_noise(
        self,
        energy: Tensor,
        before: Tensor,
        primary: Tensor,
        energies: Tensor,
        layer: Tensor,
        fraction: Tensor,
    ) -> Tensor:
        """Noise of the cells of a layer, uniform in (0, 1), shape (n, 4, half, half).

        Arguments:
            energy: As in `log_prob`.
            before: As in `log_prob`.
            primary: As in `log_prob`.
            energies: As in `log_prob`.
            layer: As in `log_prob`.
            fraction: Position of empty cells below the hurdle, in (0, 1), shape
                (n, 4, half, half).
        """
        hidden, logit, phases = self._features(energy, before, primary, energies, layer)
        is_hit = phases > 0
        value = log_deposit(phases[is_hit], CELL_FLOOR_MEV)
        normal, _ = self.density.to_noise(value, self.at_hit(hidden[is_hit]))
        return hurdle_noise(logit, is_hit, normal, fraction)

    def _features(
        self, energy: Tensor, before: Tensor, primary: Tensor, energies: Tensor, layer: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden features of each coupling, logits of a hit, and cells, by phase."""
        phases = _squeeze(energy[:, None])
        condition = self.context(primary, energies, layer)
        hidden = self.previous_layers(_squeeze(before), condition)
        near = self.near.weight * self.earlier_phases
        hidden = hidden + conv2d(log_energy_map(phases), near, padding=1)
        hidden = (
            hidden + self._remaining_energy(phases, condition, energies, layer)[..., None, None]
        )
        hidden = leaky_relu(self.last(leaky_relu(hidden, SLOPE)), SLOPE)
        by_phase = torch.unflatten(hidden, 1, (PHASES, -1)).movedim(2, 4)
        return by_phase, self.logit(hidden).float(), phases

    def previous_layers(self, before: Tensor, condition: Tensor) -> Tensor:
        """Hidden features from the layers before, shape (n, 4 * hidden, half, half).

        Arguments:
            before: Maps of the layers before, the nearest first, squeezed, shape (n, previous * 4,
                half, half).
            condition: Context vector, shape (n, condition).
        """
        mix = self.mix(condition).view(len(condition), self.config.width, -1)
        place = (mix @ self.maps.flatten(1)).unflatten(2, self.maps.shape[1:])
        gate = 1 + self.gate(condition)[..., None, None]
        x = self.first(before)
        x = leaky_relu(x * gate + place, SLOPE)
        x = leaky_relu(self.second(x), SLOPE)
        x = leaky_relu(self.third(x), SLOPE)
        hidden: Tensor = self.spread(x)
        return hidden

    def _remaining_energy(
        self, phases: Tensor, condition: Tensor, energies: Tensor, layer: Tensor
    ) -> Tensor:
        """Hidden features from the remaining energy of the layer, shape (n, 4 * hidden)."""
        own = energies.gather(1, layer[:, None])
        sums = phases.sum(dim=(2, 3)).cumsum(dim=1)
        used = torch.cat([torch.zeros_like(own), sums[:, :-1]], dim=1)
        remaining = (own - used).clamp(min=0)
        energy = torch.stack(
            [log_energy_map(remaining) / 2, remaining / own.clamp(min=1e-3)], dim=2
        )
        return torch.cat(
            [
                network(torch.cat([condition, energy[:, phase]], dim=1))
                for phase, network in enumerate(self.left)
            ],
            dim=1,
        )


class CellFlows(nn.Module):
    """Flows of all layers: one that all share, or one per layer.

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
        """Log-density of images of different layers, shape (n,); see `CellFlow.log_prob`."""
        inputs = (energy, before, primary, energies, layer)
        if self.shared:
            return self.of(0).log_prob(*inputs)
        log_prob = energy.new_empty(len(energy))
        for one in sorted(set(layer.tolist())):
            rows = layer == one
            log_prob[rows] = self.of(one).log_prob(*(value[rows] for value in inputs))
        return log_prob


def _squeeze(image: Tensor) -> Tensor:
    """Image whose blocks of 2 x 2 became channels, in the order of the couplings."""
    blocks = torch.unflatten(pixel_unshuffle(image, 2), 1, (-1, PHASES))
    return blocks[:, :, list(ORDER)].flatten(1, 2)


def _initial_maps(number: int, half: int) -> Tensor:
    """Initial maps of the box, smooth functions of the position, shape (number, half, half)."""
    at = (torch.arange(half) + 0.5) / half * 2 - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    r = (x.square() + y.square()).sqrt()
    functions = [
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
    maps = [functions[i] if i < len(functions) else torch.sin((i - 12) * r) for i in range(number)]
    return torch.stack(maps)
