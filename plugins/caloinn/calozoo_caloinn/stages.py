"""What each network of a CaloINN learns, and how it is judged on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_caloinn.checkpoint_metrics import figures, score
from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.networks import Drawer, drawing
from calozoo_caloinn.training_data import Batch, Sample, vectors
from calozoo_caloinn.vae import Vae
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array

__all__ = ["STAGES", "Stage"]

REPEATS = 4
SEED = 20_000


class Stage(ABC):
    """The training of one network.

    Arguments:
        config: Of the model.
        networks: All of them; those before this one are trained.
        validation: Held-out showers.
    """

    name: str

    def __init__(self, config: CaloInnConfig, networks: nn.ModuleDict, validation: Sample) -> None:
        self.config, self.networks, self.validation = config, networks, validation
        self.codec = Codec(config.codec)
        random = stream(SEED, 0, "validation")
        condition = validation.condition
        self._held_out = vectors(validation, self.codec, slice(None), condition, random)

    @abstractmethod
    def told(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the network models, and what it is told."""

    def initialise(self, batch: Batch) -> None:
        """Take standardisations from a large batch."""
        network: Any = self.networks[self.name]
        network.initialise(*self.told(batch))

    def loss(self, network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
        """The loss of a batch; what the network draws for itself comes from the batch's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(batch[-1][0]))
            return self._loss(network, *self.told(batch))

    def _loss(self, network: Any, x: Tensor, condition: Tensor) -> Tensor:
        loss: Tensor = -network.log_prob(x, condition).mean()
        return loss

    def physics(self, network: nn.Module) -> dict[str, float]:
        """Figures of what the network draws for held-out primaries."""
        with torch.inference_mode():
            nll = float(self._loss(network, *self.told(self._held_out)))
        sample = self.validation
        energy_gev = np.tile(sample.energy_gev, REPEATS)
        drawn = self.codec.emptied(self.codec.decode(*self._drawn(network), energy_gev))
        found = figures(drawn, sample.rings.energies, energy_gev, sample.energy_gev)
        found = {name: found[name] for name in found if self._is_judged_by(name)}
        return found | {"nll": nll, "score": score(found, nll)}

    def _is_judged_by(self, figure: str) -> bool:
        return True

    def _drawn(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        """Vectors for the held-out primaries, several times over."""
        parts = nn.ModuleDict({**dict(self.networks.items()), self.name: network})
        drawer = Drawer(self.config, parts)
        return drawer(self._noise(drawer.noise), np.tile(self.validation.condition, (REPEATS, 1)))

    def _noise(self, width: int) -> Float32Array:
        size = (REPEATS * len(self.validation), width)
        return stream(SEED, 1, "validation").standard_normal(size, np.float32)

    def _true(self, part: int) -> Float32Array:
        return np.tile(self._held_out[part].numpy(), (REPEATS, 1))


class Layers(Stage):
    """The layer ratios, if they have a network of their own."""

    name = "layers"

    def told(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch[0], batch[2]

    def _drawn(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        condition = np.tile(self.validation.condition, (REPEATS, 1))
        layers = drawing(network)(self._noise(self.config.codec.layers), condition)
        return layers, self._true(1)

    def _is_judged_by(self, figure: str) -> bool:
        return figure in ("profile_layers", "visible", "depth", "length", "late")


class Voxels(Stage):
    """The voxels, or everything, or the latent numbers."""

    name = "inn"

    def told(self, batch: Batch) -> tuple[Tensor, Tensor]:
        layers, voxels, condition, told, _ = batch
        if self.config.arrangement == "factorised":
            return voxels, told
        if self.config.arrangement == "joint":
            return torch.cat([layers, voxels], dim=1), condition
        vae = self.networks["vae"]
        assert isinstance(vae, Vae)
        with torch.no_grad():
            latent = vae.encode(voxels, told)
        return torch.cat([layers, latent], dim=1), condition


class Autoencoder(Stage):
    """The autoencoder."""

    name = "vae"

    def told(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch[1], batch[3]

    def _loss(self, network: Any, x: Tensor, condition: Tensor) -> Tensor:
        noise = torch.randn(len(x), network.config.latent)
        loss: Tensor = network.loss(x, condition, noise)
        return loss

    def physics(self, network: nn.Module) -> dict[str, float]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return super().physics(network)

    def _drawn(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        """What comes back of the held-out showers."""
        assert isinstance(network, Vae)
        voxels, condition = self.told(self._held_out)
        with torch.inference_mode():
            mean, log_variance = network.encode(voxels, condition).chunk(2, dim=1)
            mean, log_variance = mean.repeat(REPEATS, 1), log_variance.repeat(REPEATS, 1)
            noise = torch.from_numpy(self._noise(mean.shape[1]))
            latent = mean + (log_variance / 2).exp() * noise
            back = network.decode(latent, condition.repeat(REPEATS, 1))
        return self._true(0), back.numpy()


STAGES: dict[str, type[Stage]] = {"vae": Autoencoder, "layers": Layers, "inn": Voxels}
"""By name, in the order in which they are trained."""
