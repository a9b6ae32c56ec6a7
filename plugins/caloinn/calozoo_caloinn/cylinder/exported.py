"""CaloINN on cylinders for files that other programs run: one shower in torch alone."""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_caloinn.cylinder.autoregressive import FLOOR_MEV, LEAST_MEV
from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.cylinder.sectors import BRIGHT_MEV, CLASSES, SectorTables, voxel_centres
from calozoo_caloinn.inn import Inn
from calozoo_core.nn.exported import CylinderModel, Noise
from calozoo_core.nn.stick_breaking import RATIO_FLOOR
from calozoo_core.random import stream

__all__ = ["ExportedCylinder", "Networks"]


class Networks(NamedTuple):
    """Trained networks of the visible energy, the layers and the rings."""

    visible: Inn
    layers: Inn
    rings: Inn


class Inverse(nn.Module):
    """Invertible network from noise to data.

    Arguments:
        inn: Trained network.
    """

    def __init__(self, inn: Inn) -> None:
        super().__init__()
        self.inn = inn

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Data, shape (1, dim)."""
        return self.inn.inverse(noise, condition)


class RingsPart(nn.Module):
    """Energies of the rings of every layer.

    Arguments:
        networks: Trained networks.
        config: Configuration of the model.
    """

    depths: Tensor

    def __init__(self, networks: Networks, config: CylinderConfig) -> None:
        super().__init__()
        self.of_visible = Inverse(networks.visible)
        self.of_layer = Inverse(networks.layers)
        self.of_rings = Inverse(networks.rings)
        codec = config.codec
        self.layers, self.rings = codec.layers, codec.voxels
        self.typical, self.power = float(codec.visible), float(codec.power)
        self.largest = -math.log(self.typical)
        self.noise_mev, self.floor_mev = float(codec.noise_mev), float(FLOOR_MEV)
        self.least_mev, self.ratio_floor = float(LEAST_MEV), RATIO_FLOOR
        self.register_buffer("depths", torch.arange(codec.layers, dtype=torch.float32))

    def forward(self, energy: Tensor, noise: Tensor) -> Tensor:
        """Energies in MeV, shape (layers, rings); empty ones have some noise left.

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            noise: Standard normal, shape (layers + layers (rings - 1),).
        """
        noise = noise.unsqueeze(0)
        first = self.of_visible(noise[:, :1], energy.log().unsqueeze(1))[:, 0]
        visible = 1000 * energy * (self.typical * first.clamp(-12.0, self.largest).exp())
        layers = self.layer_energies(energy, visible, noise[:, 1 : self.layers])
        energies = self.ring_energies(energy, layers, noise[:, self.layers :])
        return torch.maximum(energies - self.noise_mev / 2, energies / 2)

    def layer_energies(self, energy: Tensor, visible: Tensor, noise: Tensor) -> Tensor:
        """Energies of the layers, in MeV, shape (layers,)."""
        parts: list[Tensor] = []
        before = torch.zeros_like(visible)
        moment = torch.zeros_like(visible)
        rest = visible
        last, second, third = self.log(before), self.log(before), self.log(before)
        for at in range(self.layers - 1):
            left = (visible - before).clamp(min=0)
            log_left = self.log(left)
            columns = [
                torch.full_like(left, at / self.layers),
                energy.log(),
                (visible / energy).log(),
                log_left,
                self.log(before),
                last,
                second,
                third,
                last - log_left,
                moment / (before + self.floor_mev) / self.layers,
            ]
            logit = self.of_layer(noise[:, at : at + 1], torch.stack(columns, dim=1))[:, 0]
            ratio = torch.sigmoid(logit.clamp(-14.0, 14.0))
            own = rest * ratio
            rest = rest * (1 - ratio)
            parts.append(own)
            before = before + own
            moment = moment + own * at
            last, second, third = self.log(own), last, second
        parts.append(rest)
        return torch.cat(parts)

    def ring_energies(self, energy: Tensor, layers: Tensor, noise: Tensor) -> Tensor:
        """Energies of the rings, in MeV, shape (layers, rings)."""
        width = self.rings - 1
        nothing = torch.zeros(1, dtype=layers.dtype)
        padded = torch.cat([nothing, layers, nothing])
        before = layers.cumsum(dim=0) - layers
        behind = layers.sum() - before - layers
        earlier = torch.zeros(3, width, dtype=layers.dtype)
        parts: list[Tensor] = []
        total = torch.zeros(self.rings, dtype=layers.dtype)
        second = torch.zeros(self.rings, dtype=layers.dtype)
        for at in range(self.layers):
            columns = [
                energy.log(),
                torch.full_like(energy, at / self.layers),
                self.log(layers[at : at + 1]),
                self.log(padded[at : at + 1]),
                self.log(padded[at + 2 : at + 3]),
                self.log(before[at : at + 1]),
                self.log(behind[at : at + 1]),
            ]
            condition = torch.cat([torch.cat(columns), earlier.flatten()]).unsqueeze(0)
            ratios = self.of_rings(noise[:, at * width : (at + 1) * width], condition)[0]
            shares = self.shares(ratios)
            own = shares * (layers[at] / shares.sum())
            parts.append(own)
            total = total + own
            if at == 0:
                second = own
            earlier = self.ratios(torch.stack([own, second, total]))
            second = own
        return torch.stack(parts)

    def log(self, energy: Tensor) -> Tensor:
        """Logarithm of an energy, finite at 0."""
        return (energy + self.floor_mev).log()

    def ratios(self, energies: Tensor) -> Tensor:
        """Logits of the ratio of each ring to itself and those behind it, shape (3, rings - 1)."""
        powers = energies.clamp(min=self.least_mev).pow(self.power)
        behind = powers.flip(1).cumsum(dim=1).flip(1)
        ratio = (powers / behind)[:, :-1].clamp(self.ratio_floor, 1 - self.ratio_floor)
        return (ratio / (1 - ratio)).log()

    def shares(self, logits: Tensor) -> Tensor:
        """Relative energies of the rings, shape (rings,), of these logits."""
        ratio = torch.sigmoid(logits.clamp(-14.0, 14.0))
        one = torch.ones(1, dtype=logits.dtype)
        left = torch.cat([one, (1 - ratio).cumprod(dim=0)])
        return (torch.cat([ratio, one]) * left).pow(1 / self.power)


class SectorsPart(nn.Module):
    """Energies of voxels, from those of their rings.

    Arguments:
        tables: Fitted tables.
        config: Configuration of the model.
    """

    divisions: Tensor
    first: Tensor
    low: Tensor
    scale: Tensor
    ranking: Tensor
    wave: Tensor
    classes: Tensor
    ring_numbers: Tensor
    centres: Tensor
    side: Tensor
    sectors_around: Tensor

    def __init__(self, tables: SectorTables, config: CylinderConfig) -> None:
        super().__init__()
        zones, rings, levels, members, sectors = tables.shares.shape
        shares, knots, ranking, wave = (
            torch.tensor(table)
            for table in (tables.shares, tables.knots, tables.ranking, tables.wave)
        )
        layers = config.codec.layers
        self.layers, self.rings, self.sectors = layers, rings, sectors
        self.levels, self.members = levels, members
        zone = torch.arange(layers) * zones // layers
        ring = torch.arange(rings)
        first = (zone.unsqueeze(1) * rings + ring) * (levels * members)
        knots = knots[zone]
        centres = torch.from_numpy(voxel_centres(config.voxels))
        self.register_buffer("divisions", shares.reshape(-1, sectors))
        self.register_buffer("first", first)
        self.register_buffer("low", knots[..., 0].contiguous())
        self.register_buffer("scale", knots[..., 1].contiguous())
        self.register_buffer("ranking", ranking)
        self.register_buffer("wave", wave)
        self.register_buffer("classes", torch.from_numpy(CLASSES))
        self.register_buffer("ring_numbers", ring)
        self.register_buffer("centres", centres.permute(1, 0, 2).contiguous())
        self.register_buffer("side", (centres[:, 0] / centres[0, 0].norm()).t().contiguous())
        around = torch.arange(sectors, dtype=torch.float32) / sectors
        self.register_buffer("sectors_around", around)
        self.bright_mev = float(BRIGHT_MEV)

    def forward(self, rings: Tensor, uniform: Tensor) -> Tensor:
        """Energies in MeV, shape (layers, sectors, rings).

        Arguments:
            rings: Energies of the rings, in MeV, shape (layers, rings).
            uniform: Uniform in [0, 1), shape (layers, rings, sectors + 3).
        """
        level = (rings.clamp(min=1e-6).log() - self.low) * self.scale
        near = (level + uniform[:, :, 0]).floor().clamp(0, self.levels - 1).to(torch.int64)
        member = (uniform[:, :, 1] * self.members).to(torch.int64)
        shares = self.divisions[self.first + near * self.members + member]
        filled = (shares > 0).sum(dim=2).clamp(min=1)
        kind = (filled.unsqueeze(2) >= self.classes).sum(dim=2) - 1
        weights = self.ranking[self.ring_numbers, kind]
        height = self.wave[self.ring_numbers, kind].unsqueeze(2)
        turn = uniform[:, :, 2:3] - self.sectors_around
        noise = -(-uniform[:, :, 3:].clamp(1e-7, 1 - 1e-7).log()).log()
        noise = noise + height * (2 * math.pi * turn).cos()
        energies = shares * rings.unsqueeze(2)
        voxels = torch.zeros_like(energies)
        # One more in front, so that the first layer and the first ring have dark neighbours.
        bright = torch.zeros(self.layers + 1, self.rings + 1, self.sectors, dtype=rings.dtype)
        moment = torch.zeros(2, dtype=rings.dtype)
        total = torch.full_like(moment[:1], 1e-6)
        # What is divided together lies on a diagonal: layers before and rings within are done.
        for diagonal in range(self.layers + self.rings - 1):
            ring = torch.arange(max(0, diagonal - self.layers + 1), min(self.rings, diagonal + 1))
            layer = diagonal - ring
            own = weights[layer, ring]
            before, within = bright[layer, ring + 1], bright[layer + 1, ring]
            beside = before.roll(1, 1) + before.roll(-1, 1)
            lean = (moment / total) @ self.side
            score = own[:, 0:1] * before + own[:, 1:2] * beside + own[:, 2:3] * within
            score = score + own[:, 3:4] * lean + noise[layer, ring]
            order = score.argsort(dim=1, descending=True)
            placed = torch.zeros_like(score).scatter(1, order, energies[layer, ring])
            voxels = voxels.index_put([layer, ring], placed)
            bright = bright.index_put([layer + 1, ring + 1], (placed / self.bright_mev).log1p())
            arm = self.centres[ring]
            moment = moment + (placed.unsqueeze(2) * arm).sum(dim=1).sum(dim=0)
            total = total + placed.sum()
        return voxels.transpose(1, 2)


class ExportedCylinder(CylinderModel):
    """CaloINN on the mesh of data set 2 as a module of tensors.

    Arguments:
        networks: Trained networks.
        tables: Fitted tables of the sectors.
        config: Configuration of the model.
    """

    has_loops = True

    threshold: Tensor
    calibration: Tensor

    def __init__(self, networks: Networks, tables: SectorTables, config: CylinderConfig) -> None:
        layers, rings = config.codec.layers, config.codec.voxels
        super().__init__(
            [
                Noise("energy_noise", (layers * rings,)),
                Noise("sector_noise", (layers, rings, config.n_sectors + 3), "uniform"),
            ]
        )
        self.energies = RingsPart(networks, config)
        self.sectors = SectorsPart(tables, config)
        self.register_buffer("threshold", torch.tensor(tables.threshold))
        self.register_buffer("calibration", torch.tensor(tables.calibration))

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        parts: dict[str, tuple[Tensor, ...]] = {}
        for name in ("of_visible", "of_layer", "of_rings"):
            inn = getattr(self.energies, name).inn
            example = torch.zeros(1, inn.config.dim), torch.zeros(1, inn.config.conditions)
            parts[f"energies.{name}"] = example
        return parts

    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        random = stream(seed, number, "caloinn")
        normal = random.standard_normal(self.noise[0].shape, np.float32)
        return [
            torch.from_numpy(normal),
            torch.from_numpy(random.random(self.noise[1].shape, np.float32)),
        ]

    def voxels(self, energy: Tensor, noise: list[Tensor]) -> Tensor:
        sampled = self.energies(energy, noise[0])
        least = torch.minimum(self.threshold, sampled.max())
        kept = torch.where(sampled < least, torch.zeros_like(sampled), sampled) * self.calibration
        # Neither thresholds nor factors change the visible energy.
        rings = kept * (sampled.sum() / kept.sum())
        voxels: Tensor = self.sectors(rings, noise[1])
        return voxels
