"""ConvL2LFlows for files that other programs run: one shower in torch alone.

The same steps as in generation, with two differences: the cells of a layer are computed all at
once, hit or not, and every shower of a layer without energy is computed and masked.
"""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from calozoo_convl2lflows.calibration import Powers, Spectrum
from calozoo_convl2lflows.cell_sampling import PHASES
from calozoo_convl2lflows.cells import CellFlow
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.exported_cells import CellsPart
from calozoo_convl2lflows.exported_energies import LayerEnergiesPart, PrimaryPart, Value
from calozoo_convl2lflows.exported_subcells import SubCellsPart
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_core.nn.exported import MOST_POINTS, GridModel, Noise, PointModel
from calozoo_core.random import stream

__all__ = ["ExportedGrid", "ExportedPoints", "Flows", "ShowerOfSubCells"]


class Flows(NamedTuple):
    """Trained flows of the layer energies, the cells and the sub-cells."""

    energies: LayerEnergies
    cells: CellFlow
    subcells: SubCellFlow


class ShowerOfSubCells(nn.Module):
    """Sub-cells with energy of one shower.

    Arguments:
        flows: Flows of the layer energies, the cells and the sub-cells.
        config: Configuration of the model.
    """

    spectrum_logs: Tensor
    spectrum_change: Tensor
    layer_numbers: Tensor

    def __init__(self, flows: Flows, config: ConvL2LConfig) -> None:
        super().__init__()
        self.primary, self.energies = PrimaryPart(), LayerEnergiesPart(flows.energies)
        self.cells = CellsPart(flows.cells, config.grid)
        self.subcells = SubCellsPart(flows.subcells, config.grid)
        self.layers, self.side = config.grid.layers, config.grid.side
        self.has_spectrum = bool(config.calibration.spectrum)
        logs, change = _log_spectrum(config.calibration.spectrum)
        self.register_buffer("spectrum_logs", logs)
        self.register_buffer("spectrum_change", change)
        self.register_buffer("layer_numbers", torch.arange(config.grid.layers))

    def noise(self) -> list[Noise]:
        """Random numbers it takes."""
        half, layers = self.cells.blocks, self.layers
        return [
            Noise("layer_noise", (layers,), "uniform"),
            Noise("cell_noise", (layers, PHASES, half * half), "uniform"),
            Noise("subcell_noise", (MOST_POINTS, 1 + self.subcells.split**2 - 1), "uniform"),
        ]

    def stream_noise(self, seed: int, number: int) -> list[Tensor]:
        """Random numbers of a shower of the generator, which rounds them to float32 later."""
        purposes = ("energies", "cells", "subcells")
        return [
            torch.from_numpy(
                stream(seed, number, purpose).random(one.shape).astype(np.float32)
            ).clamp(max=1 - 2**-24)
            for one, purpose in zip(self.noise(), purposes, strict=True)
        ]

    def forward(
        self, energy: Tensor, direction: Tensor, noise: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Layers, indices in the layer (row * side + column) and energies in MeV, each (N,).

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            direction: Unit vector, shape (1, 3).
            noise: Random numbers, as `noise` describes them; more may follow.
        """
        primary = self.primary(energy, direction)
        layer_energies = self.energies(noise[0], primary)
        n = layer_energies.shape[1]
        owners = self.layer_numbers
        repeated = primary.expand(n, -1), layer_energies.expand(n, -1)
        of_cells = self.cells.context(repeated[0], repeated[1], owners)
        of_subcells = self.subcells.context(repeated[0], repeated[1], owners)
        uniform = noise[1]
        logistic = uniform.double().log() - (-uniform.double()).log1p()
        logistic = logistic.to(uniform.dtype)
        half, side = self.cells.blocks, self.side + 2
        maps = torch.zeros(1, 4 * self.cells.n_before, half, half, dtype=primary.dtype)
        blank = torch.zeros(1, side, side, dtype=primary.dtype)
        fine = [blank, blank]
        used = 0
        parts: list[Tensor] = []
        places: list[Tensor] = []
        numbers: list[Tensor] = []
        for layer in range(self.layers):
            own = layer_energies[:, layer : layer + 1]
            filled = self.cells(logistic[layer], maps, of_cells[layer : layer + 1], own)
            latest = (filled / self.cells.floor_mev).log1p() / 2
            maps = torch.cat([latest, maps[:, :-4]], dim=1)
            deposits, index, used = self.subcells(
                noise[2],
                used,
                self.cells.image(filled),
                torch.cat(fine),
                of_subcells[layer : layer + 1],
            )
            flat, place = deposits.flatten(), index.flatten()
            plane = torch.zeros(self.side * self.side, dtype=primary.dtype)
            plane = plane.scatter(0, place, (flat / self.cells.floor_mev).log1p() / 2)
            fine = [pad(plane.view(1, self.side, self.side), [1, 1, 1, 1]), fine[0]]
            is_hit = torch.nonzero(flat > 0)[:, 0]
            parts.append(flat[is_hit])
            places.append(place[is_hit])
            numbers.append(torch.full_like(is_hit, layer))
        layer_index, deposit = torch.cat(numbers), torch.cat(parts)
        deposit = self.corrected(deposit)
        sums = torch.zeros_like(layer_energies[0]).index_add(0, layer_index, deposit)
        factor = layer_energies[0] / sums.clamp(min=1e-12)
        return layer_index, torch.cat(places), deposit * factor[layer_index]

    def corrected(self, deposit: Tensor) -> Tensor:
        """Deposits with the corrected spectrum, in MeV."""
        if not self.has_spectrum:
            return deposit
        nodes = self.spectrum_logs
        logs = deposit.log().clamp(nodes[0], nodes[-1])
        right = (logs.unsqueeze(1) >= nodes).sum(dim=1).clamp(1, nodes.shape[0] - 1)
        low, high = nodes[right - 1], nodes[right]
        share = (logs - low) / (high - low)
        change = self.spectrum_change
        return deposit * (change[right - 1] * (1 - share) + change[right] * share).exp()


class ExportedPoints(PointModel):
    """ConvL2LFlows as points in its sub-cells.

    Arguments:
        shower: Its sub-cells.
        config: Configuration of the model.
        layer_depth_mm: Depths of the layers.
    """

    has_loops = True

    powers: Tensor

    def __init__(
        self, shower: ShowerOfSubCells, config: ConvL2LConfig, layer_depth_mm: Sequence[float]
    ) -> None:
        positions = Noise("position_noise", (2, MOST_POINTS), "uniform")
        super().__init__([*shower.noise(), positions], layer_depth_mm)
        self.shower, self.side, self.pitch_mm = shower, config.grid.side, config.grid.pitch_mm
        self.register_buffer("powers", _powers(config.calibration.inward))

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        return _traced(self.shower)

    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        noise = self.shower.stream_noise(seed, number)
        n = len(self.shower(energy, direction, noise)[0])
        inside = np.zeros(self.noise[-1].shape, np.float32)
        inside[:, :n] = stream(seed, number, "positions").random((2, n), np.float32)
        return [*noise, torch.from_numpy(inside)]

    def upright(
        self, energy: Tensor, direction: Tensor, noise: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        layer, index, deposit = self.shower(energy, direction, noise)
        n = layer.shape[0]
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            n = min(n, self.most_points)
            layer, index, deposit = layer[:n], index[:n], deposit[:n]
        else:
            torch._check(n <= self.most_points)  # type: ignore[no-untyped-call]
        row, column = index // self.side, index % self.side
        inside = noise[3][:, :n]
        x = self.along(column, row, inside[0])
        y = self.along(row, column, inside[1])
        return x, y, layer, deposit

    def along(self, own: Tensor, other: Tensor, inside: Tensor) -> Tensor:
        """Positions along an axis, in mm, moved towards the shower axis next to it.

        Arguments:
            own: Indices of the sub-cells along the axis, shape (N,).
            other: Indices along the other axis.
            inside: Uniform positions inside the sub-cells.
        """
        middle = self.side // 2
        reach = self.powers.shape[0] - 1
        own_distance = torch.where(own >= middle, own - middle, middle - 1 - own)
        other_distance = torch.where(other >= middle, other - middle, middle - 1 - other)
        power = self.powers[own_distance.clamp(max=reach), other_distance.clamp(max=reach)]
        moved = torch.where(own >= middle, inside, 1 - inside).pow(power)
        moved = torch.where(own >= middle, moved, 1 - moved)
        return (own + moved - self.side / 2) * self.pitch_mm


class ExportedGrid(GridModel):
    """ConvL2LFlows as the grid of its sub-cells.

    Arguments:
        shower: Its sub-cells.
        config: Configuration of the model.
    """

    has_loops = True

    def __init__(self, shower: ShowerOfSubCells, config: ConvL2LConfig) -> None:
        super().__init__(shower.noise())
        self.shower, self.side, self.layers = shower, config.grid.side, config.grid.layers

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        return _traced(self.shower)

    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        return self.shower.stream_noise(seed, number)

    def grid(self, energy: Tensor, direction: Tensor, noise: list[Tensor]) -> Tensor:
        layer, index, deposit = self.shower(energy, direction, noise)
        cells = torch.zeros(self.layers * self.side * self.side, dtype=deposit.dtype)
        cells = cells.scatter(0, layer * (self.side * self.side) + index, deposit)
        by_row = cells.view(self.layers, self.side, self.side)
        return by_row.transpose(1, 2)  # x' runs along columns


def _traced(shower: ShowerOfSubCells) -> dict[str, tuple[Tensor, ...]]:
    """Parts that are traced, with an example for each."""
    cells = shower.cells
    layers = torch.arange(shower.layers)
    primary, energies = torch.ones(shower.layers, 7), torch.ones(shower.layers, shower.layers)
    parts: dict[str, tuple[Tensor, ...]] = {
        "shower.primary": (torch.ones(1), torch.tensor([[0.0, 0.0, 1.0]])),
        "shower.cells.context": (primary, energies, layers),
        "shower.subcells.context": (primary, energies, layers),
        "shower.cells.previous": (
            torch.zeros(1, 4 * cells.n_before, cells.blocks, cells.blocks),
            torch.zeros(1, _width(cells.context)),
        ),
    }
    for name, module in shower.named_modules():
        if isinstance(module, Value):
            features = module.density.head.in_features
            parts[f"shower.{name}"] = (torch.zeros(5), torch.zeros(5, features))
    return parts


def _width(context: nn.Module) -> int:
    last = context.net[2]  # type: ignore[index]
    assert isinstance(last, nn.Linear)
    return last.out_features


def _log_spectrum(spectrum: Spectrum) -> tuple[Tensor, Tensor]:
    """Logarithms of generated deposits, and what is added to them, at the nodes."""
    if not spectrum:
        return torch.zeros(2), torch.zeros(2)
    nodes = np.log(np.array(spectrum))
    logs, change = nodes[:, 0], nodes[:, 1] - nodes[:, 0]
    return torch.from_numpy(logs).float(), torch.from_numpy(change).float()


def _powers(inward: Powers) -> Tensor:
    """Powers by distance from the axis, 1 from where positions stay uniform."""
    table = torch.tensor(inward, dtype=torch.float32) if inward else torch.ones(0, 0)
    return pad(table, [0, 1, 0, 1], value=1.0)
