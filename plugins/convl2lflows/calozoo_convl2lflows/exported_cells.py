"""Cells of a layer for files that other programs run: all of them at once, hit or not."""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle

from calozoo_convl2lflows.cell_sampling import LARGEST, LEAST, ORDER, PHASES, SLOPE
from calozoo_convl2lflows.cells import CellFlow
from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.densities import LEAST_PROBABILITY
from calozoo_convl2lflows.exported_energies import Value
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_core.nn.normal_quantile import normal_quantile

__all__ = ["CellsPart"]


class Previous(nn.Module):
    """Hidden features of a layer's cells from the layers before.

    Arguments:
        flow: Trained flow.
    """

    def __init__(self, flow: CellFlow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, before: Tensor, condition: Tensor) -> Tensor:
        """Hidden features, shape (1, 4 hidden, half, half)."""
        return self.flow.previous_layers(before, condition)


class Phase(nn.Module):
    """One of the four couplings of a layer of cells.

    Arguments:
        flow: Trained flow.
        phase: Number of the coupling.
    """

    near: Tensor
    last_weight: Tensor
    last_bias: Tensor
    logit_weight: Tensor
    logit_bias: Tensor

    def __init__(self, flow: CellFlow, phase: int) -> None:
        super().__init__()
        part = slice(phase * flow.config.hidden, (phase + 1) * flow.config.hidden)
        self.begin, self.end = part.start, part.stop
        self.left = flow.left[phase]
        assert flow.last.bias is not None
        assert flow.logit.bias is not None
        near = flow.near.weight[part].clone()
        near[:, phase:] = 0  # only couplings before count
        self.register_buffer("near", near)
        self.register_buffer("last_weight", flow.last.weight[part].contiguous())
        self.register_buffer("last_bias", flow.last.bias[part].contiguous())
        self.register_buffer("logit_weight", flow.logit.weight[phase : phase + 1].contiguous())
        self.register_buffer("logit_bias", flow.logit.bias[phase : phase + 1].contiguous())
        self.slope = SLOPE

    def forward(self, hidden: Tensor, maps: Tensor, remaining: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden features of the cells, shape (cells, hidden), and logits of a hit, (cells,).

        Arguments:
            hidden: Features from the layers before, shape (1, 4 hidden, half, half).
            maps: Maps of the couplings before, the others zero, shape (1, 4, half, half).
            remaining: Context vector and features of the remaining energy, shape (1, n).
        """
        x = hidden[:, self.begin : self.end] + self.left(remaining).unsqueeze(-1).unsqueeze(-1)
        x = x + torch.conv2d(maps, self.near, padding=1)
        x = torch.conv2d(leaky_relu(x, self.slope), self.last_weight, self.last_bias)
        x = leaky_relu(x, self.slope)
        logit = torch.conv2d(x, self.logit_weight, self.logit_bias)
        return x[0].flatten(1).t(), logit.flatten()


class CellsPart(nn.Module):
    """Energies of the cells of a layer.

    Arguments:
        flow: Trained flow.
        grid: The grid.
    """

    one_hot: Tensor

    def __init__(self, flow: CellFlow, grid: GridConfig) -> None:
        super().__init__()
        self.context, self.previous = flow.context, Previous(flow)
        self.phases = nn.ModuleList(Phase(flow, phase) for phase in range(PHASES))
        self.at_hit, self.value = flow.at_hit, Value(flow.density)
        self.blocks, self.n_before = grid.cells // 2, flow.config.previous
        self.floor_mev, self.least, self.largest = CELL_FLOOR_MEV, LEAST, LARGEST
        self.least_probability = LEAST_PROBABILITY
        self.place: list[int] = [ORDER.index(k) for k in range(PHASES)]
        self.register_buffer("one_hot", torch.eye(PHASES, dtype=torch.float32))

    def forward(
        self, logistic: Tensor, before: Tensor, condition: Tensor, layer_energy: Tensor
    ) -> Tensor:
        """Energies in MeV by coupling, shape (1, 4, half, half).

        Arguments:
            logistic: Logistic noise, shape (4, cells).
            before: Maps of the layers before, the nearest first, shape (1, 4 previous, half, half).
            condition: Context vector, shape (1, n).
            layer_energy: Energy of the layer, in MeV, shape (1, 1).
        """
        hidden = self.previous(before, condition)
        maps = torch.zeros_like(before[:, :4])
        used = torch.zeros_like(layer_energy)
        deposits: list[Tensor] = []
        excesses: list[Tensor] = []
        for k, phase in enumerate(self.phases):
            remaining = (layer_energy - used).clamp(min=0)
            share = remaining / layer_energy.clamp(min=1e-3)
            log_remaining = (remaining / self.floor_mev).log1p() / 4
            features, logit = phase(
                hidden, maps, torch.cat([condition, log_remaining, share], dim=1)
            )
            excess = logit + logistic[k]
            double = logit.double()
            probability = 1 - torch.sigmoid(double - excess.double()) / torch.sigmoid(double)
            least = self.least_probability
            normal = normal_quantile(probability.clamp(least, 1 - least)).to(logit.dtype)
            value = self.value(normal, self.at_hit(features)).clamp(self.least, self.largest)
            value = torch.where(excess > 0, value, torch.zeros_like(value))
            deposit = value.expm1() * self.floor_mev
            image = (value / 2).view(1, 1, self.blocks, self.blocks)
            maps = maps + self.one_hot[k].view(1, -1, 1, 1) * image
            used = used + deposit.sum()
            deposits.append(deposit)
            excesses.append(excess)
        energy = torch.cat(deposits)
        likeliest = torch.cat(excesses).argmax()
        single = (torch.arange(energy.shape[0]) == likeliest).to(energy.dtype)
        is_empty = energy.sum() <= 0
        energy = torch.where(is_empty, single, energy)
        energy = energy * (layer_energy.reshape(1) / energy.sum())
        return energy.view(1, -1, self.blocks, self.blocks)

    def image(self, energy: Tensor) -> Tensor:
        """Energies by row and column, shape (cells, cells), of those by coupling."""
        image: Tensor = pixel_shuffle(energy[:, self.place], 2)[0, 0]
        return image
