"""Diffusion by noise levels (EDM) in torch: the loss of a denoiser, and the levels it is taught.

References:
    | Karras et al., Elucidating the design space of diffusion models:
    | https://arxiv.org/abs/2206.00364
    | CaloDiffusion: https://arxiv.org/abs/2308.03876
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from calozoo_core.nn.flow_matching import uniform_times

__all__ = ["edm_loss", "hybrid_weight", "log_normal_levels"]

Network = Callable[[Tensor, Tensor], Tensor]
"""Function of scaled noisy values, shape (n, ...), and times, shape (n,)."""


def hybrid_weight(sigma: Tensor) -> Tensor:
    """Weight of the squared error of data denoised from a level: 1 + 1 / sigma^2.

    It makes the errors of the network itself count alike at all levels.

    Arguments:
        sigma: Noise levels, of any shape.

    Returns:
        Weights, of the shape of the levels.
    """
    return 1 + sigma**-2


def edm_loss(network: Network, noise: Tensor, data: Tensor, sigma: Tensor) -> Tensor:
    """Weighted mean squared error of a network's denoised data, a scalar.

    Arguments:
        network: Network, its condition given.
        noise: Standard normal, shape (n, ...).
        data: Of mean 0 and spread 1, shape (n, ...).
        sigma: Noise level of each, shape (n,).
    """
    level = sigma.view(-1, *(1,) * (data.dim() - 1))
    x = data + level * noise
    scale = (1 + level**2).rsqrt()
    denoised = scale**2 * x + level * scale * network(scale * x, sigma.log() / 2)
    return (hybrid_weight(level) * (denoised - data).square()).mean()


def log_normal_levels(
    n: int, generator: torch.Generator, mean: float = -1.2, spread: float = 1.2
) -> Tensor:
    """Noise levels of a batch, one in each of n equally likely ranges, in random order.

    Arguments:
        n: How many.
        generator: Draws them.
        mean: Mean of their logarithm.
        spread: Standard deviation of it.

    Returns:
        Noise levels sigma, of standardised data, shape (n,).
    """
    uniform = uniform_times(n, generator)
    normal = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))
    levels: Tensor = (mean + spread * normal).exp()
    return levels
