"""Diffusion as it was published: one network of all voxels, in 400 steps.

References:
    | CaloDiffusion, sections 3 and 4: https://arxiv.org/abs/2308.03876
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_calodiffusion.config import EncodingConfig, PublishedConfig
from calozoo_calodiffusion.glam import GeometryMapping
from calozoo_calodiffusion.unet import CylinderUnet
from calozoo_core.nn.ddpm import noise_loss
from calozoo_core.nn.edm import edm_loss
from calozoo_core.nn.numpy_ddpm import CosineSchedule, sample_ancestral
from calozoo_core.typing import Float32Array

__all__ = ["PublishedDiffusion", "decode", "encode", "energy_condition"]

FLOOR: Final = 1e-6
"""Normalised energies are kept this far from 0 and 1, or their logits would not be finite."""


def encode(voxels: Tensor, energy_gev: Tensor, config: EncodingConfig) -> Tensor:
    """Standardised logits of the energies of voxels, shape (n, ...).

    Arguments:
        voxels: In GeV, shape (n, ...).
        energy_gev: Incident energies, shape (n,).
        config: Encoding.
    """
    scale = config.largest * energy_gev.view(-1, *(1,) * (voxels.dim() - 1))
    part = FLOOR + (1 - 2 * FLOOR) * voxels / scale
    return ((part / (1 - part)).log() - config.mean) / config.spread


def decode(values: Tensor, energy_gev: Tensor, config: EncodingConfig) -> Tensor:
    """Energies of voxels, in GeV, shape (n, ...); the inverse of `encode`.

    Arguments:
        values: Shape (n, ...).
        energy_gev: Incident energies, shape (n,).
        config: Encoding.
    """
    part = (torch.sigmoid(values * config.spread + config.mean) - FLOOR) / (1 - 2 * FLOOR)
    return part.clamp(min=0) * config.largest * energy_gev.view(-1, *(1,) * (values.dim() - 1))


def energy_condition(energy_gev: Tensor, config: EncodingConfig) -> Tensor:
    """Logarithm of the incident energy, from 0 to 1, shape (n, 1).

    Arguments:
        energy_gev: Incident energies, shape (n,).
        config: Encoding.
    """
    span = float(np.log(config.highest_gev / config.lowest_gev))
    return (energy_gev / config.lowest_gev).log()[:, None] / span


class PublishedDiffusion(nn.Module):
    """Diffusion of all voxels of a shower, with the mapping of its layers where it has one.

    Arguments:
        config: Sizes.
        generator: Draws the little noise that the mapping begins with.
    """

    def __init__(self, config: PublishedConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config, self.schedule = config, CosineSchedule(config.steps)
        self.unet = CylinderUnet(config.unet)
        self.mapping = None
        if config.geometry is not None:
            self.mapping = GeometryMapping(config.geometry, generator)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Output for noisy values, of their shape.

        Arguments:
            x: Shape (n, layers, sectors, rings), or with a mapping (n, voxels).
            time: What says how noisy they are, shape (n,).
            condition: `energy_condition`, shape (n, 1).
        """
        if self.mapping is None:
            return self._unet(x, time, condition)
        return self.mapping.decode(self._unet(self.mapping.encode(x), time, condition))

    def _unet(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        output: Tensor = self.unet(x, time, condition)
        return output

    def loss(self, data: Tensor, condition: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Loss of encoded showers, a scalar.

        Arguments:
            data: `encode`, of the shape of the voxels.
            condition: `energy_condition`, shape (n, 1).
            noise: Standard normal, of the same shape as the data.
            step: Step of the schedule after which each shower is looked at, shape (n,).
        """
        if self.config.loss == "noise":
            return noise_loss(
                lambda x, time: self(x, time, condition), noise, data, step, self.schedule
            )
        levels = torch.from_numpy(self.schedule.levels).to(data)[step]
        return edm_loss(lambda x, time: self(x, _part(time), condition), noise, data, levels)

    @torch.inference_mode()
    def sample(self, condition: Tensor, random: np.random.Generator) -> Tensor:
        """Encoded showers, drawn step by step.

        Arguments:
            condition: `energy_condition`, shape (n, 1).
            random: Draws the noise.
        """
        voxels = self.config.unet.grid if self.mapping is None else (sum(self.mapping.sizes),)
        shape = (len(condition), *voxels)

        def predicted(x: Float32Array, time: float) -> Float32Array:
            values, moment = torch.from_numpy(x), torch.full((len(x),), time)
            output = self(values, moment, condition)
            if self.config.loss == "hybrid":
                # The output tells the data of what the signal leaves; the rest is noise.
                output = time * values - (1 - time**2) ** 0.5 * output
            result: Float32Array = output.numpy()
            return result

        def fresh() -> Float32Array:
            return random.standard_normal(shape, np.float32)

        drawn = sample_ancestral(predicted, fresh(), self.schedule, fresh, skip=self.config.skip)
        return torch.from_numpy(drawn)


def _part(time: Tensor) -> Tensor:
    """Noise in values of spread 1, of half the logarithm of the noise level."""
    square = (4 * time).exp()
    return (square / (1 + square)).sqrt()
