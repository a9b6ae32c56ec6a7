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
from torch.nn.functional import leaky_relu, pad, pixel_shuffle, silu

from calozoo_convl2lflows.calibration import Powers, Spectrum
from calozoo_convl2lflows.cell_sampling import LARGEST, LEAST, ORDER, PHASES, SLOPE
from calozoo_convl2lflows.cells import CellFlow
from calozoo_convl2lflows.config import ConvL2LConfig, GridConfig
from calozoo_convl2lflows.contexts import ENERGY_SCALE_GEV, LAYER_FLOOR_MEV
from calozoo_convl2lflows.densities import LEAST_PROBABILITY
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_convl2lflows.hurdle import Density
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.subcell_sampling import PREVIOUS_LAYERS
from calozoo_convl2lflows.subcells import StickBreaking, SubCellFlow, position_features
from calozoo_core.nn.exported import MOST_POINTS, GridModel, Noise, PointModel
from calozoo_core.nn.normal_quantile import normal_quantile
from calozoo_core.random import stream

__all__ = ["ExportedGrid", "ExportedPoints", "Flows", "ShowerOfSubCells"]


class Flows(NamedTuple):
    """Trained flows of the layer energies, the cells and the sub-cells."""

    energies: LayerEnergies
    cells: CellFlow
    subcells: SubCellFlow


class Value(nn.Module):
    """Numbers of a density from uniform noise.

    Arguments:
        density: Trained density.
    """

    def __init__(self, density: Density) -> None:
        super().__init__()
        self.density = density

    def forward(self, normal: Tensor, features: Tensor) -> Tensor:
        """Numbers, shape (n,), of standard normal noise, shape (n,), and features."""
        return self.density.to_value(normal, features)


class PrimaryPart(nn.Module):
    """Features of a primary, of which all networks are conditioned."""

    def forward(self, energy: Tensor, direction: Tensor) -> Tensor:
        """Features, shape (1, 7), as `contexts.primary_features` has them."""
        slope = direction[:, :2] / direction[:, 2:]
        logs, scaled = (energy.log() - 3.5) / 1.5, energy / ENERGY_SCALE_GEV
        return torch.cat([logs[:, None], scaled[:, None], direction, slope / 1.7], dim=1)


class LayerEnergiesPart(nn.Module):
    """Energies of the layers, one after the other.

    Arguments:
        flow: Trained flow.
    """

    def __init__(self, flow: LayerEnergies) -> None:
        super().__init__()
        self.net, self.logit, self.value = flow.net, flow.logit, Value(flow.density)
        self.layers, self.floor_mev = flow.layers, LAYER_FLOOR_MEV
        self.least_probability = LEAST_PROBABILITY

    def forward(self, noise: Tensor, primary: Tensor) -> Tensor:
        """Energies in MeV, shape (1, layers).

        Arguments:
            noise: Uniform in [0, 1), shape (layers,).
            primary: Features of the primary, shape (1, 7).
        """
        scale = (primary[:, :1] * 1.5 + 3.5).exp() * 24
        total, moment = torch.zeros_like(scale), torch.zeros_like(scale)
        before = torch.zeros(1, self.layers, dtype=primary.dtype)  # nearest first
        energies: list[Tensor] = []
        for layer in range(self.layers):
            which = torch.zeros(1, self.layers, dtype=primary.dtype)
            which[:, layer] = 1.0
            centre = moment / total.clamp(min=1e-3)
            log_total = (total / self.floor_mev).log1p() / 4
            distance = (layer - centre) / self.layers * (total > 0)
            inputs = [primary, before, which, log_total, total / scale, distance]
            features = self.net(torch.cat(inputs, dim=1))
            logit = self.logit(features).reshape(1).double()
            uniform = noise[layer].reshape(1).double()
            probability = 1 - (1 - uniform) / torch.sigmoid(logit)
            least = self.least_probability
            normal = normal_quantile(probability.clamp(least, 1 - least)).to(primary.dtype)
            value = self.value(normal, features).clamp(1e-3, 14.0)
            is_hit = uniform > torch.sigmoid(-logit)
            deposit = torch.where(is_hit, value.expm1() * self.floor_mev, torch.zeros_like(value))
            deposit = deposit.unsqueeze(1)
            energies.append(deposit)
            total = total + deposit
            moment = moment + deposit * layer
            latest = (deposit / self.floor_mev).log1p() / 4
            before = torch.cat([latest, before[:, : self.layers - 1]], dim=1)
        return torch.cat(energies, dim=1)


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


class Sticks(nn.Module):
    """Shares of the members of groups, by stick-breaking.

    Arguments:
        sticks: Trained network and density.
    """

    def __init__(self, sticks: StickBreaking) -> None:
        super().__init__()
        self.groups, self.parts = sticks.groups, sticks.parts
        self.first, self.second = sticks.first, sticks.second
        self.value = Value(sticks.density)
        self.least_probability = LEAST_PROBABILITY

    def forward(self, noise: Tensor, inputs: Tensor, is_hit: Tensor) -> Tensor:
        """Shares, shape (n, groups, parts + 1).

        Arguments:
            noise: Uniform in [0, 1), shape (n, groups * parts).
            inputs: Input features, shape (n, inputs).
            is_hit: Members that are hit, shape (n, groups, parts + 1).
        """
        hidden = torch.unflatten(silu(self.first(inputs)), 1, [self.groups * self.parts, -1])
        hidden = silu(self.second(hidden))
        least = self.least_probability
        normal = normal_quantile(noise.double().clamp(least, 1 - least)).to(inputs.dtype)
        ratio = torch.sigmoid(self.value(normal.flatten(), hidden.flatten(0, 1)).double())
        ratio = torch.unflatten(ratio.to(inputs.dtype), 0, [-1, self.groups, self.parts])
        after = is_hit.flip(2).to(torch.int64).cumsum(dim=2).flip(2)
        is_free = is_hit[:, :, : self.parts] & (after[:, :, 1:] > 0)
        ratio = torch.where(is_free, ratio, torch.ones_like(ratio))
        ratio = torch.cat([ratio, torch.ones_like(ratio[:, :, :1])], dim=2) * is_hit
        shares = [ratio[:, :, 0]]
        rest = 1 - ratio[:, :, 0]
        for part in range(1, self.parts + 1):
            share = ratio[:, :, part] * rest
            shares.append(share)
            rest = rest - share
        return torch.stack(shares, dim=2)


class SubCellsPart(nn.Module):
    """Sub-cells of the cells of a layer that are hit.

    Arguments:
        flow: Trained flow.
        grid: The grid.
    """

    near_index: Tensor
    fine_index: Tensor
    positions: Tensor
    patterns: Tensor
    inside_row: Tensor
    inside_column: Tensor

    def __init__(self, flow: SubCellFlow, grid: GridConfig) -> None:
        super().__init__()
        cells, split = grid.cells, grid.split
        self.context, self.net, self.pattern = flow.context, flow.net, flow.pattern
        self.rows, self.columns = Sticks(flow.rows), Sticks(flow.columns)
        self.cells, self.split, self.side = cells, split, grid.side
        self.floor_mev, self.threshold_mev = CELL_FLOOR_MEV, max(grid.threshold_mev, 1e-12)
        number = torch.arange(cells**2)
        row, column = number // cells, number % cells
        self.register_buffer("near_index", _windows(row, column, cells + 2, 3, 1))
        self.register_buffer(
            "fine_index",
            _windows(row * split, column * split, grid.side + 2, split + 2, PREVIOUS_LAYERS),
        )
        self.register_buffer("positions", position_features(row, column, cells).float())
        bits = torch.arange(1, 2**split**2).unsqueeze(1) >> torch.arange(split**2)
        self.register_buffer("patterns", bits % 2 == 1)
        inside = torch.arange(split**2)
        self.register_buffer("inside_row", inside // split)
        self.register_buffer("inside_column", inside % split)

    def forward(
        self, noise: Tensor, used: int, image: Tensor, before: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Energies of the sub-cells in MeV, and their index in the layer, both (hit cells, 9).

        Arguments:
            noise: Uniform in [0, 1), shape (most, 9); a row a cell.
            used: Rows of noise that layers before took.
            image: Energies of the cells, in MeV, shape (cells, cells).
            before: Maps of the sub-cells of the two layers before, padded, shape (2, side + 2,
                side + 2).
            condition: Context vector, shape (1, n).
        """
        energy = image.flatten()
        index = torch.nonzero(energy > 0)[:, 0]
        n = index.shape[0]
        own = energy[index]
        maps = pad((image / self.floor_mev).log1p() / 2, [1, 1, 1, 1]).flatten()
        features = torch.cat(
            [
                condition.expand(n, -1),
                maps[self.near_index[index]],
                before.flatten()[self.fine_index[index]],
                self.positions[index],
            ],
            dim=1,
        )
        rows = torch.arange(n)
        uniform = noise[(rows + used) % noise.shape[0]]
        shares = self.shares(uniform, own, self.net(features))
        deposits = shares * own.unsqueeze(1)
        row = (index // self.cells).unsqueeze(1) * self.split + self.inside_row
        column = (index % self.cells).unsqueeze(1) * self.split + self.inside_column
        deposits = torch.where(deposits >= self.threshold_mev, deposits, torch.zeros_like(deposits))
        return deposits, row * self.side + column, used + n

    def shares(self, noise: Tensor, energy: Tensor, hidden: Tensor) -> Tensor:
        """Share of each sub-cell in its cell's energy, shape (n, 9)."""
        raw = self.pattern(hidden)
        weights = (raw - raw.max(dim=1, keepdim=True)[0]).exp().double().cumsum(dim=1)
        height = noise[:, :1].double() * weights[:, -1:]
        is_hit = self.patterns[(weights[:, :-1] < height).sum(dim=1)]
        inputs = torch.cat([hidden, is_hit.to(hidden.dtype)], dim=1)
        image = torch.unflatten(is_hit, 1, [self.split, self.split])
        rows = self.rows(noise[:, 1 : self.split], inputs, image.any(dim=2).unsqueeze(1))[:, 0]
        log_rows = (rows * energy.unsqueeze(1) / self.floor_mev).log1p() / 2
        columns = self.columns(noise[:, self.split :], torch.cat([inputs, log_rows], dim=1), image)
        shares: Tensor = (columns * rows.unsqueeze(2)).flatten(1)
        return shares


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


def _windows(row: Tensor, column: Tensor, width: int, size: int, planes: int) -> Tensor:
    """Indices of squares in padded planes, shape (cells, planes * size^2)."""
    steps = torch.arange(size)
    square = (steps.unsqueeze(1) * width + steps).flatten()
    offsets = (torch.arange(planes).unsqueeze(1) * (width * width) + square).flatten()
    return (row * width + column).unsqueeze(1) + offsets


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
