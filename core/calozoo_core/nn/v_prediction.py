r"""Diffusion whose network predicts v: its loss, and progressive distillation to fewer steps.

A student takes one step of DDIM where its teacher takes several. Its target is the one v whose step
ends where the teacher's do: with a step that turns by :math:`\delta`,

.. math:: v^* = \frac{\cos\delta\, z - z''}{\sin\delta}.

That is the target of the paper, x* = (z'' - f z) / (alpha_s - f alpha) with f = sigma_s / sigma,
written as a velocity.

References:
    | Progressive distillation: https://arxiv.org/abs/2202.00512
    | CaloScore v2: https://arxiv.org/abs/2308.03847
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from calozoo_core.nn.cosine_schedule import START

__all__ = ["angles", "distillation_loss", "noisy", "v_loss"]

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Function of values, shape (n, ...), and time, shape (n,), to v, shape (n, ...)."""


def angles(time: Tensor, dim: int) -> Tensor:
    """Angles at times, whose cosine is alpha and whose sine is sigma, shape (n, 1, ...).

    Arguments:
        time: 0 for data, 1 for noise, shape (n,).
        dim: Number of dimensions of what they are multiplied with.
    """
    return (START + (math.pi / 2 - 2 * START) * time).view(-1, *(1,) * (dim - 1))


def noisy(data: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Values alpha x + sigma e between data and noise, and their velocity alpha e - sigma x.

    Arguments:
        data: Shape (n, ...).
        noise: Standard normal, shape (n, ...).
        time: 0 for data, 1 for noise, shape (n,).
    """
    theta = angles(time, data.dim())
    alpha, sigma = theta.cos(), theta.sin()
    return alpha * data + sigma * noise, alpha * noise - sigma * data


def v_loss(velocity: Velocity, noise: Tensor, data: Tensor, time: Tensor) -> Tensor:
    """Mean squared error of a network's v, a scalar.

    Arguments:
        velocity: Network, its condition given.
        noise: Standard normal, shape (n, ...).
        data: Shape (n, ...).
        time: Between 0 and 1, shape (n,).
    """
    z, target = noisy(data, noise, time)
    return (velocity(z, time) - target).square().mean()


def distillation_loss(
    student: Velocity,
    teacher: Velocity,
    noise: Tensor,
    data: Tensor,
    step: Tensor,
    *,
    steps: int,
    substeps: int = 2,
) -> Tensor:
    """Mean squared error of a student's v from the one that leads where its teacher goes, a scalar.

    Arguments:
        student: Network that learns, its condition given.
        teacher: Network that it learns from, its condition given.
        noise: Standard normal, shape (n, ...).
        data: Shape (n, ...).
        step: Which of its steps the student takes: 0 is the last, which ends at the data, shape
            (n,).
        steps: Steps of the student.
        substeps: Steps of the teacher for one of the student.
    """
    start = (step + 1) / steps
    z, _ = noisy(data, noise, start)
    with torch.no_grad():
        target = _target(teacher, z, step, steps, substeps)
    return (student(z, start) - target).square().mean()


def _target(teacher: Velocity, z: Tensor, step: Tensor, steps: int, substeps: int) -> Tensor:
    """Velocity whose step ends where the teacher's do."""
    fine = steps * substeps
    place = (step + 1) * substeps
    begin = angles(place / fine, z.dim())
    at = z
    for number in range(substeps):
        now = (place - number) / fine
        turn = angles(now, z.dim()) - _end(place - number - 1, fine, z.dim())
        at = turn.cos() * at - turn.sin() * teacher(at, now)
    turn = begin - _end(place - substeps, fine, z.dim())
    return (turn.cos() * z - at) / turn.sin()


def _end(place: Tensor, steps: int, dim: int) -> Tensor:
    """Angles at which a step ends: 0 for the last one, which ends at the data."""
    end = angles(place / steps, dim)
    return torch.where((place == 0).view_as(end), torch.zeros_like(end), end)
