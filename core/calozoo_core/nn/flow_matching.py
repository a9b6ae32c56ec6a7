"""Flow matching: the straight path from noise to data, and the loss of a velocity network.

References:
    | Flow matching for generative modeling: https://arxiv.org/abs/2210.02747
    | CaloDREAM, section 3: https://arxiv.org/abs/2405.09629
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

__all__ = ["flow_matching_loss", "path", "uniform_times"]

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Function of values, shape (n, ...), and time, shape (n,), to velocities, shape (n, ...)."""


def path(noise: Tensor, data: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Values on the straight path x_t = (1 - t) noise + t data, and its velocity, data - noise.

    Arguments:
        noise: Standard normal, shape (n, ...).
        data: Shape (n, ...).
        time: 0 for noise, 1 for data, shape (n,).
    """
    t = time.view(-1, *(1,) * (data.dim() - 1))
    return (1 - t) * noise + t * data, data - noise


def flow_matching_loss(velocity: Velocity, noise: Tensor, data: Tensor, time: Tensor) -> Tensor:
    """Mean squared error of a network's velocity, a scalar.

    Arguments:
        velocity: Velocity network, its condition given.
        noise: Standard normal, shape (n, ...).
        data: Shape (n, ...).
        time: Between 0 and 1, shape (n,).
    """
    x, target = path(noise, data, time)
    return (velocity(x, time) - target).square().mean()


def uniform_times(n: int, generator: torch.Generator) -> Tensor:
    """Times of a batch, uniform, one in each of n equal parts of (0, 1), in random order.

    A training in several processes may draw them for the whole batch, as torch's own draws.

    Arguments:
        n: Number of times.
        generator: Generator that draws them.

    Returns:
        Times, shape (n,).
    """
    if has_torch_function_unary(generator):
        times: Tensor = handle_torch_function(uniform_times, (), n, generator)
        return times
    order = torch.randperm(n, generator=generator)
    return (order + torch.rand(n, generator=generator)) / n
