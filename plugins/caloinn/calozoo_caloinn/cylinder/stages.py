"""What each network of a CaloINN on cylinders learns, and how it is judged on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_caloinn.checkpoint_metrics import figures, score
from calozoo_caloinn.cylinder.autoregressive import told_of_layer, told_of_rings
from calozoo_caloinn.cylinder.networks import Networks
from calozoo_caloinn.cylinder.ring_energies import RingDrawer
from calozoo_caloinn.cylinder.training_voxels import Sample
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.random import stream
from calozoo_core.training import Batch
from calozoo_core.typing import Float32Array

__all__ = ["STAGES", "Stage"]

REPEATS = 8
SEED = 20_000

EXPECTED = 800
"""Held-out showers for which a good divergence is as `physics` has it; of fewer it is larger."""


class Stage(ABC):
    """The training of one network.

    Arguments:
        codec: From energies of rings to vectors.
        networks: All; those that are not trained here are not used.
        sample: Showers to train on.
        validation: Held-out showers.
    """

    name: str
    #: Its part of a budget.
    share: float
    #: What it is judged by, besides the likelihood.
    judged_by: tuple[str, ...]

    def __init__(
        self, codec: Codec, networks: Networks, sample: Sample, validation: Sample
    ) -> None:
        self.codec, self.networks = codec, networks
        self._rings, self._energy_gev = sample.rings, sample.energy_gev
        self._truth, self._truth_gev = validation.rings, validation.energy_gev
        random = stream(SEED, 0, "validation")
        self._filled = codec.filled(self._truth, random)
        self._held_out = self._vectors(self._filled, self._truth_gev)

    @abstractmethod
    def _vectors(self, filled: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        """What the network models, and what it is told, a row each.

        Arguments:
            filled: Ring energies with noise on them, in MeV, shape (n, layers, rings).
            energy_gev: Incident energies, shape (n,).
        """

    @abstractmethod
    def _drawn(
        self, drawer: RingDrawer, energy_gev: Float32Array, filled: Float32Array
    ) -> Float32Array:
        """Ring energies, of which this network draws its part, the rest being the truth."""

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """Vectors of some showers, the batch of one optimiser step, and a seed."""
        random = stream(seed, step, "batch")
        rows = random.integers(len(self._rings), size=size)
        filled = self.codec.filled(self._rings[rows], random)
        x, condition = self._vectors(filled, self._energy_gev[rows])
        return x, condition, torch.tensor(random.integers(2**62))

    def loss(self, network: Any, _: nn.Module, batch: Batch) -> Tensor:
        """Negative log-likelihood; what is dropped out comes from the batch's seed."""
        x, condition, seed = batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            loss: Tensor = -network.log_prob(x, condition).mean()
        return loss

    def physics(self, network: Any) -> dict[str, float]:
        """Figures of what the network draws for held-out primaries."""
        x, condition = self._held_out
        with torch.inference_mode():
            rows = len(x) / len(self._truth)
            nll = float(-network.log_prob(x, condition).mean()) * rows
        energy_gev = np.tile(self._truth_gev, REPEATS)
        networks = self.networks._replace(**{self.name: network})
        filled = np.tile(self._filled, (REPEATS, 1, 1))
        drawn = self._drawn(RingDrawer(self.codec, networks), energy_gev, filled)
        found = figures(
            _per_gev(self.codec.emptied(drawn), energy_gev),
            _per_gev(self._truth, self._truth_gev),
            np.ones_like(energy_gev),
            np.ones_like(self._truth_gev),
        )
        found = {name: found[name] for name in self.judged_by}
        few = EXPECTED / len(self._truth)
        in_units = {name: figure / few for name, figure in found.items()}
        return found | {"nll": nll, "score": score(in_units, nll)}

    def _noise(self, n: int, width: int) -> Float32Array:
        return stream(SEED, 1, "validation").standard_normal((n, width), np.float32)


class Visible(Stage):
    """The visible energy, given ln E; of a single number the likelihood says it all."""

    name = "visible"
    share = 0.1
    judged_by = ()

    def _vectors(self, filled: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        first = self.codec.encode(filled, energy_gev).layers[:, :1]
        return torch.from_numpy(first), torch.from_numpy(np.log(energy_gev)[:, None])

    def _drawn(
        self, drawer: RingDrawer, energy_gev: Float32Array, filled: Float32Array
    ) -> Float32Array:
        visible = drawer.visible(energy_gev, self._noise(len(filled), 1))
        scaled: Float32Array = filled * (visible / filled.sum(axis=(1, 2)))[:, None, None]
        return scaled


class Layers(Stage):
    """The ratio of a layer, given those before it; a row is a layer."""

    name = "layers"
    share = 0.3
    judged_by = ("profile_layers", "depth", "length", "late")

    def _vectors(self, filled: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        layers = filled.sum(axis=2)
        visible, ratios = layers.sum(axis=1), layers.shape[1] - 1
        told = [told_of_layer(at, energy_gev, visible, layers) for at in range(ratios)]
        return _rows(self.codec.encode(filled, energy_gev).layers[:, 1:, None], told)

    def _drawn(
        self, drawer: RingDrawer, energy_gev: Float32Array, filled: Float32Array
    ) -> Float32Array:
        noise = self._noise(len(filled), filled.shape[1] - 1)
        layers = drawer.layers(energy_gev, filled.sum(axis=(1, 2)), noise)
        scaled: Float32Array = filled * (layers / filled.sum(axis=2))[..., None]
        return scaled


class Rings(Stage):
    """The ratios of the rings of a layer, given its surroundings; a row is a layer."""

    name = "rings"
    share = 0.6
    judged_by = ("profile_rings", "core", "width")

    def _vectors(self, filled: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        layers = filled.sum(axis=2)
        told = [
            told_of_rings(at, self.codec, energy_gev, layers, filled)
            for at in range(layers.shape[1])
        ]
        return _rows(self.codec.ratios(filled), told)

    def _drawn(
        self, drawer: RingDrawer, energy_gev: Float32Array, filled: Float32Array
    ) -> Float32Array:
        noise = self._noise(len(filled), self.codec.config.width)
        return drawer.rings(energy_gev, filled.sum(axis=2), noise)


STAGES: tuple[type[Stage], ...] = (Visible, Layers, Rings)
"""In the order in which they are trained."""


def _rows(x: Float32Array, told: list[Float32Array]) -> tuple[Tensor, Tensor]:
    """What is modelled, shape (n, layers, ...), and what is told of each layer, as rows."""
    conditions = np.stack(told, axis=1)
    return (
        torch.from_numpy(np.ascontiguousarray(x).reshape(-1, x.shape[2])),
        torch.from_numpy(conditions.reshape(-1, conditions.shape[2])),
    )


def _per_gev(rings: Float32Array, energy_gev: Float32Array) -> Float32Array:
    """Over three decades of energy a mean would be one of the highest energies alone."""
    return rings / energy_gev[:, None, None]
