"""Diffusion in fixed steps (DDPM) in torch: the loss of a network that predicts noise.

References:
    | Ho, Jain and Abbeel, Denoising diffusion probabilistic models: https://arxiv.org/abs/2006.11239
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from calozoo_core.nn.numpy_ddpm import CosineSchedule

__all__ = ["noise_loss"]

Network = Callable[[Tensor, Tensor], Tensor]
"""Function of noisy values, shape (n, ...), and times, shape (n,), to the noise in them."""


def noise_loss(
    network: Network, noise: Tensor, data: Tensor, step: Tensor, schedule: CosineSchedule
) -> Tensor:
    """Mean squared error of the noise that a network predicts, a scalar.

    Arguments:
        network: Network, its condition given.
        noise: Standard normal, shape (n, ...).
        data: Of mean 0 and spread 1, shape (n, ...).
        step: Step of the schedule after which each is looked at, shape (n,).
        schedule: Schedule of the noise.
    """
    signal = torch.from_numpy(schedule.signal).to(data)[step]
    part = signal.view(-1, *(1,) * (data.dim() - 1))
    x = part.sqrt() * data + (1 - part).sqrt() * noise
    return (network(x, (1 - signal).sqrt()) - noise).square().mean()
