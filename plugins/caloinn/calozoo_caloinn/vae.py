"""Variational autoencoder of voxels, in front of an invertible network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from calozoo_caloinn.config import VaeConfig
from calozoo_caloinn.inn import StandardisedNetwork
from calozoo_caloinn.numpy_inn import HEADROOM, NumpyVae
from calozoo_caloinn.voxel_encoding import SHARE_FLOOR
from calozoo_core.nn.mlp import mlp
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["Vae"]


class Vae(StandardisedNetwork):
    """Conditional variational autoencoder of normalised voxels.

    References:
        | CaloINN, section 4 (VAE+INN): https://arxiv.org/abs/2312.09290

    Arguments:
        config: Sizes.

    Example:
        >>> vae = Vae(VaeConfig(dim=180, conditions=34, hidden=(64,), latent=10))
        >>> vae.encode(torch.zeros(3, 180), torch.zeros(3, 34)).shape
        torch.Size([3, 20])
    """

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config.dim, config.conditions)
        self.config = config
        self.encoder = mlp(config.dim + config.conditions, config.hidden, 2 * config.latent)
        self.decoder = mlp(config.latent + config.conditions, config.hidden[::-1], config.dim)

    def encode(self, voxels: Tensor, condition: Tensor) -> Tensor:
        """Means, then logarithms of variances, of the latent numbers, shape (n, 2 latent).

        Arguments:
            voxels: Logarithms of shares, shape (n, dim).
            condition: Condition and layer ratios, shape (n, conditions).
        """
        x = self.normalise(voxels)
        latent: Tensor = self.encoder(torch.cat([x, self.normalise_condition(condition)], dim=1))
        return latent

    def decode(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Logarithms of shares, shape (n, dim)."""
        shares = torch.sigmoid(self._logits(latent, condition)) / HEADROOM
        return (shares + SHARE_FLOOR).log()

    def to_numpy(self) -> NumpyVae:
        """The decoder in numpy, with copies of the weights."""
        return NumpyVae(self.config, network_arrays(self))

    def sampler(self, latent: Float32Array, condition: Float32Array) -> Float32Array:
        """`decode` on arrays."""
        with torch.inference_mode():
            voxels: Float32Array = self.decode(
                torch.from_numpy(latent), torch.from_numpy(condition)
            ).numpy()
        return voxels

    def loss(self, voxels: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        """Cross entropy and distance in logit space of the reconstruction, and the divergence.

        Arguments:
            voxels: Logarithms of shares, shape (n, dim).
            condition: Condition and layer ratios, shape (n, conditions).
            noise: Standard normal, shape (n, latent).
        """
        mean, log_variance = self.encode(voxels, condition).chunk(2, dim=1)
        latent = mean + (log_variance / 2).exp() * noise
        logits = self._logits(latent, condition)
        target = HEADROOM * (voxels.exp() - SHARE_FLOOR).clamp(SHARE_FLOOR, 1)
        config = self.config
        shape = binary_cross_entropy_with_logits(logits, target)
        distance = l1_loss(logits, target.logit())
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
        return (config.reconstruction * shape + distance) / 2 + config.divergence * divergence

    def _logits(self, latent: Tensor, condition: Tensor) -> Tensor:
        logits: Tensor = self.decoder(
            torch.cat([latent, self.normalise_condition(condition)], dim=1)
        )
        return logits
