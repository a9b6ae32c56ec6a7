"""The networks of a configuration, and how they draw the vector of a shower together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.numpy_inn import PlainInn
from calozoo_caloinn.vae import Vae
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.typing import Float32Array

__all__ = ["Drawer", "built", "conditions", "drawing"]

Draw = Callable[[Float32Array, Float32Array], Float32Array]


def conditions(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """What the networks are told: (ln E, p_x, p_y, p_z), shape (n, 4)."""
    return np.column_stack([np.log(energy_gev), direction]).astype(np.float32)


def built(config: CaloInnConfig, generator: torch.Generator | None = None) -> nn.ModuleDict:
    """The networks of a configuration, untrained: "layers", "inn" and "vae", as it has them.

    Arguments:
        config: Of the model.
        generator: Draws the permutations; needed only for networks that are going to be trained.
    """
    networks = nn.ModuleDict()
    if config.layers is not None:
        networks["layers"] = Inn(config.layers, generator)
    networks["inn"] = Inn(config.inn, generator)
    if config.vae is not None:
        networks["vae"] = Vae(config.vae)
    return networks


class Drawer:
    """Draws the vectors of showers, both parts.

    Arguments:
        config: Of the model.
        networks: Trained.
    """

    def __init__(self, config: CaloInnConfig, networks: nn.ModuleDict) -> None:
        self.config = config
        self._codec = Codec(config.codec)
        self._layers = drawing(networks["layers"]) if config.layers is not None else None
        self._inn = drawing(networks["inn"])
        vae = networks["vae"] if config.vae is not None else None
        assert vae is None or isinstance(vae, Vae)
        self._vae = vae
        self.noise = config.inn.dim + (config.layers.dim if config.layers else 0)
        self.noise += config.vae.latent if config.vae else 0

    def __call__(
        self, noise: Float32Array, condition: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """The layers' part and the voxels' part.

        Arguments:
            noise: Standard normal, shape (n, `noise`).
            condition: As `conditions` gives it, shape (n, 4).
        """
        head = self.config.codec.layers
        if self._layers is not None:
            layers = self._layers(noise[:, :head], condition)
            return layers, self._inn(noise[:, head:], self._codec.told(layers, condition))
        whole = self._inn(noise[:, : self.config.inn.dim], condition)
        layers, rest = whole[:, :head], whole[:, head:]
        if self._vae is None:
            return layers, rest
        told = self._codec.told(layers, condition)
        mean, log_variance = np.split(rest, 2, axis=1)
        # A network may stray; no spread of the latent numbers is above that of their prior by much.
        spread = np.exp(np.clip(log_variance, -20, 2) / 2)
        latent = mean + spread * noise[:, self.config.inn.dim :]
        with torch.inference_mode():
            voxels = self._vae.decode(torch.from_numpy(latent), torch.from_numpy(told))
        return layers, voxels.numpy()


def drawing(inn: nn.Module) -> Draw:
    """A function that draws from an invertible network: in numpy where that is possible."""
    assert isinstance(inn, Inn)
    if PlainInn.can_be(inn):
        return PlainInn(inn)

    def draw(noise: Float32Array, condition: Float32Array) -> Float32Array:
        with torch.inference_mode():
            data = inn.inverse(torch.from_numpy(noise), torch.from_numpy(condition))
        return data.numpy()

    return draw
