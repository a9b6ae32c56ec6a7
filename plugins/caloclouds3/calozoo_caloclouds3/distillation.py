"""The losses of PointWiseNet: a teacher that denoises, a student that jumps to the end at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from calozoo_caloclouds3.points import (
    SIGMA_DATA,
    SIGMA_MAX,
    PointWiseNet,
    consistency,
    denoise,
    heun_step,
    karras_sigmas,
)

__all__ = ["Loss", "consistency_loss", "run_teacher", "teacher_loss", "trajectory_loss"]

LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = -1.2, 1.2

Loss = Callable[[nn.Module, nn.Module, tuple[Tensor, ...]], Tensor]


def teacher_loss(network: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """How well a noisy point is denoised, in the units of the network's own output.

    References:
        | Karras et al., table 1: https://arxiv.org/abs/2206.00364
    """
    assert isinstance(network, PointWiseNet)
    x, condition, noise, level = batch
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_SPREAD * level).exp()
    s = sigma.view(-1, 1, 1)
    error = denoise(network, x + s * noise, sigma, condition) - x
    weight = (s.square() + SIGMA_DATA**2) / (s * SIGMA_DATA).square()
    return (weight * error.square()).mean()


def consistency_loss(teacher: PointWiseNet, levels: int) -> Loss:
    """Two neighbouring points of one path must end in the same place.

    The lower one is a Heun step of the teacher below the upper one; where it ends is said by the
    student's own running average.

    References:
        | Song et al., Consistency models, algorithm 2: https://arxiv.org/abs/2303.01469
    """
    sigmas = karras_sigmas(levels)

    def loss(network: nn.Module, average: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        assert isinstance(network, PointWiseNet)
        assert isinstance(average, PointWiseNet)
        x, condition, noise, level = batch
        table = sigmas.to(x.device)
        # The standard normal numbers of the batch, made uniform over the levels.
        index = (torch.special.ndtr(level) * (levels - 1)).long().clamp(0, levels - 2)
        upper, lower = table[index + 1], table[index]
        noisy = x + upper.view(-1, 1, 1) * noise
        with torch.no_grad():
            cleaner = heun_step(teacher, noisy, upper, lower, condition)
            target = consistency(average, cleaner, lower, condition)
        return (consistency(network, noisy, upper, condition) - target).square().mean()

    return loss


def trajectory_loss(network: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Pure noise must land where the teacher's whole path from it ends.

    This is consistency distillation with the path walked to its end by the teacher: nothing is
    bootstrapped, and the network need only know the one noise level it is used at.
    """
    assert isinstance(network, PointWiseNet)
    noise, condition, end = batch
    sigma = noise.new_full((len(noise),), SIGMA_MAX)
    return (consistency(network, SIGMA_MAX * noise, sigma, condition) - end).square().mean()


@torch.no_grad()
def run_teacher(
    teacher: PointWiseNet, noise: Tensor, condition: Tensor, levels: int = 32
) -> Tensor:
    """Where the teacher's paths end, walked level by level.

    The levels stop at 0.02, from where the denoised value is the end, and are spread with a rho of
    12: for these points 32 of them leave a third less error than with the usual 0.002 and 7.

    Arguments:
        teacher: The trained teacher.
        noise: Standard normal, shape (showers, points, 4).
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        levels: Noise levels; a step takes two calls of the network.
    """
    sigmas = karras_sigmas(levels, lowest=0.02, rho=12.0).to(noise.device).flip(0)
    x = noise * sigmas[0]
    for upper, lower in pairwise(sigmas):
        x = heun_step(teacher, x, upper.expand(len(x)), lower.expand(len(x)), condition)
    return denoise(teacher, x, sigmas[-1].expand(len(x)), condition)
