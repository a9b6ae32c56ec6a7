"""How the energy of a ring divides among its sectors: tables, fitted on Geant4 showers.

A division is a set of shares, the largest first. For every ring, in groups of layers, the tables
keep divisions of Geant4's at some energies of the ring. Which sector gets which share is left to
chance, and to the neighbours: sectors are ranked as in a model of Plackett and Luce, where a sector
comes first with a probability in proportion to exp(score), the next among the others, and so on.
Sectors that are close get similar shares, since the score has a wave around the ring, of the same
height and anywhere. All of this is the same in every sector and for either sense of rotation, as
the detector is.

References:
    | Plackett, The analysis of permutations: https://doi.org/10.2307/2346567
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array
from calozoo_core.voxels import CylinderVoxels

__all__ = [
    "CLASSES",
    "SectorTables",
    "arms",
    "brightness",
    "filled_class",
    "fitted",
    "gumbel",
    "table_shapes",
    "wave_around",
]

CLASSES = np.array([1, 2, 4, 8, 16])
"""Fewest filled sectors of each class of rings that rank their sectors alike."""

HINTS = 4
"""What a score is made of: how bright the same sector is in the layer before, those beside it
there, and the same in the ring within; and how far the shower leans to its side, in mm."""

BRIGHT_MEV = np.float32(0.03)
"""A neighbour counts as the logarithm of its energy over this, plus one; a third of a minimum-
ionising deposit."""

FEWEST = 30
"""Divisions a level chooses from at least, from further off if need be."""

PHASES = 8
"""Places of the crest of a wave that a ranking is fitted with."""

FEWEST_RANKED = 200
"""With fewer rings of a kind no ranking is fitted."""


@dataclass(frozen=True, eq=False)
class SectorTables:
    """The tables. A cell is a ring of a layer, a zone a group of layers.

    Arguments:
        knots: ln of the energy (MeV) of the lowest level, and levels per unit of it, shape (zones,
            rings, 2).
        shares: Of the energy of a ring, the largest first, shape (zones, rings, levels, members,
            sectors).
        ranking: Part in the score of a sector that each hint has, shape (rings, classes, 4).
        wave: Height of the wave in the scores, shape (rings, classes).
        threshold: Energy below which a cell is empty, in MeV, shape (layers, rings).
        calibration: Factor on the energy of each cell, shape (layers, rings).
    """

    knots: Tensor
    shares: Tensor
    ranking: Tensor
    wave: Tensor
    threshold: Tensor
    calibration: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Its tables by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def table_shapes(config: CylinderConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every table."""
    codec, sectors = config.codec, config.sectors
    rings = codec.voxels
    return {
        "knots": (sectors.zones, rings, 2),
        "shares": (sectors.zones, rings, sectors.levels, sectors.members, config.n_sectors),
        "ranking": (rings, len(CLASSES), HINTS),
        "wave": (rings, len(CLASSES)),
        "threshold": (codec.layers, rings),
        "calibration": (codec.layers, rings),
    }


def fitted(voxels: Float32Array, config: CylinderConfig, seed: int) -> SectorTables:
    """Fit the tables on Geant4 showers.

    Arguments:
        voxels: Energies, in MeV, shape (n, layers, sectors, rings).
        config: Sizes.
        seed: Of the choice of divisions.
    """
    tables = {name: np.zeros(shape, np.float32) for name, shape in table_shapes(config).items()}
    tables["shares"][..., 0] = 1
    zones = np.arange(config.codec.layers) * config.sectors.zones // config.codec.layers
    for zone, ring in np.ndindex(config.sectors.zones, config.codec.voxels):
        random = stream(seed, zone * config.codec.voxels + ring, "sectors")
        some = voxels[:, zones == zone, :, ring].reshape(-1, config.n_sectors)
        some = some[some.sum(axis=1) > config.codec.noise_mev]
        if len(some):
            _fit_divisions(tables, (zone, ring), some, random)
    bright, lean = brightness(voxels), _leans(voxels, arms(config.voxels))
    for ring, one in np.ndindex(tables["wave"].shape):
        random = stream(seed, ring * len(CLASSES) + one, "ranking")
        rows = _alike(voxels[..., ring], one)
        rows = rows[random.permutation(len(rows))[: config.sectors.ranked]]
        if len(rows):
            shower, layer = rows.T
            hints = _hints(bright, lean, shower, layer, ring)
            weights, height = _plackett_luce(voxels[shower, layer, :, ring], hints)
            tables["ranking"][ring, one] = weights
            tables["wave"][ring, one] = height
    tables["threshold"][:] = config.codec.noise_mev
    tables["calibration"][:] = 1
    return SectorTables(**{name: torch.from_numpy(table) for name, table in tables.items()})


def arms(voxels: CylinderVoxels) -> Float32Array:
    """Where the middle of each voxel of a layer is, in mm, shape (sectors, rings, 2)."""
    bins = voxels.layers[0]
    edges = np.array(bins.r_edges_mm)
    angle = 2 * np.pi * (np.arange(bins.n_alpha) + 0.5) / bins.n_alpha - np.pi
    side = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middle = (edges[1:] + edges[:-1]) / 2
    arm: Float32Array = (side[:, None] * middle[:, None]).astype(np.float32)
    return arm


def brightness(energy: Float32Array) -> Float32Array:
    """What the energy of a voxel, in MeV, counts as for its neighbours."""
    result: Float32Array = np.log1p(energy / BRIGHT_MEV)
    return result


def filled_class(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of rings with so many filled sectors, the first also of empty ones."""
    found: NDArray[np.int64] = np.searchsorted(CLASSES, np.maximum(number, 1), side="right") - 1
    return found


def _fit_divisions(
    tables: dict[str, Float32Array],
    cell: tuple[int, int],
    rings: Float32Array,
    random: np.random.Generator,
) -> None:
    levels, members = tables["shares"].shape[2:4]
    energy = rings.sum(axis=1)
    divisions = -np.sort(-rings / energy[:, None], axis=1)
    log_energy = np.log(energy)
    low, high = np.quantile(log_energy, [0.002, 0.998])
    scale = (levels - 1) / max(high - low, 1e-3)
    tables["knots"][cell] = low, scale
    order = np.argsort(log_energy, kind="stable")
    at = (log_energy[order] - low) * scale
    for level in range(levels):
        first, last = np.searchsorted(at, [level - 0.5, level + 0.5])
        if last - first < FEWEST:
            first = np.clip(np.searchsorted(at, level) - FEWEST // 2, 0, max(len(at) - FEWEST, 0))
            last = min(first + FEWEST, len(at))
        # Evenly over the stretch, each from another part of it.
        chosen = (np.arange(members) + random.random(members)) / members * (last - first)
        tables["shares"][cell][level] = divisions[order[first + chosen.astype(np.int64)]]


def _leans(voxels: Float32Array, arm: Float32Array) -> Float32Array:
    """How far a shower leans to the side of each sector before each diagonal, in mm.

    A diagonal is what is divided together: cells whose layer and ring have the same sum. The lean
    is the centre of gravity of all those before, seen from a sector; shape (n, diagonals, sectors).
    """
    n, layers, _, rings = voxels.shape
    moment = np.zeros((n, layers + rings - 1, 2), np.float32)
    energy = np.zeros((n, layers + rings - 1, 1), np.float32)
    for ring in range(rings):
        own = slice(ring, ring + layers)
        moment[:, own] += voxels[..., ring] @ arm[:, ring]
        energy[:, own, 0] += voxels[..., ring].sum(axis=2)
    before = np.cumsum(moment, axis=1) - moment
    centre = before / np.maximum(np.cumsum(energy, axis=1) - energy, np.float32(1e-6))
    side = arm[:, 0] / np.hypot(*arm[0, 0])
    lean: Float32Array = centre @ side.T
    return lean


def _alike(energy: Float32Array, one: int) -> NDArray[np.int64]:
    """Shower and layer of the rings of a class, shape (m, 2); none if there are too few."""
    number = (energy > 0).sum(axis=2)
    rows = np.argwhere((filled_class(number) == one) & (number > 0))
    return rows if len(rows) >= FEWEST_RANKED else rows[:0]


def _hints(
    bright: Float32Array,
    lean: Float32Array,
    shower: NDArray[np.int64],
    layer: NDArray[np.int64],
    ring: int,
) -> Float32Array:
    """What the scores of some rings are made of, shape (m, sectors, 4)."""
    before = bright[shower, layer - 1, :, ring] * (layer > 0)[:, None]
    within = bright[shower, layer, :, ring - 1] * (ring > 0)
    beside = np.roll(before, 1, axis=1) + np.roll(before, -1, axis=1)
    return np.stack([before, beside, within, lean[shower, layer + ring]], axis=2)


def wave_around(phase: Float32Array, sectors: int) -> Float32Array:
    """A wave of height 1 around a ring, shape (..., sectors).

    Arguments:
        phase: Where its crest is, from 0 to 1 once around, shape (...).
        sectors: Of a ring.
    """
    at = np.arange(sectors, dtype=np.float32) / sectors
    return np.cos(np.float32(2 * np.pi) * (phase[..., None] - at))


def gumbel(uniform: Float32Array) -> Float32Array:
    """Noise under which the highest sum of score and noise is a sector's with its probability."""
    noise: Float32Array = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
    return noise


def _plackett_luce(energy: Float32Array, hints: Float32Array) -> tuple[NDArray[np.float64], float]:
    """Where the order of the filled sectors is likeliest: weights of the hints, height of the wave.

    The wave has its crest anywhere: the likelihood is the mean over some places for it.
    """
    sectors = energy.shape[1]
    order = np.argsort(-energy, axis=1, kind="stable")
    by_energy = np.take_along_axis(hints, order[..., None], axis=1)
    x = torch.from_numpy(by_energy.astype(np.float64))
    phases: Float32Array = np.arange(PHASES).astype(np.float32) / np.float32(PHASES)
    around = np.broadcast_to(wave_around(phases, sectors), (len(energy), PHASES, sectors))
    waves = np.take_along_axis(around, order[:, None], axis=2)
    wave = torch.from_numpy(waves.astype(np.float64))
    ranked = torch.from_numpy(np.take_along_axis(energy, order, axis=1) > 0)[:, None]
    weights = torch.zeros(HINTS, dtype=torch.float64, requires_grad=True)
    height = torch.full((), 0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, height], max_iter=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        score = (x @ weights)[:, None] + height * wave
        among = score.flip(2).logcumsumexp(2).flip(2)
        likelihood = ((score - among) * ranked).sum(dim=2).logsumexp(1)
        # A trace of a penalty, for a hint that is never there, and a wave that says nothing.
        penalty = 1e-4 * (weights @ weights + height * height)
        value: Tensor = penalty - likelihood.sum() / ranked.sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().numpy(), abs(float(height.detach()))
