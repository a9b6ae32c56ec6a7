"""Prediction of v: its loss on a law known exactly, and the algebra of distillation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from calozoo_core.nn.cosine_schedule import angle, ddim
from calozoo_core.nn.v_prediction import angles, distillation_loss, noisy, v_loss

MEAN, SPREAD = 1.5, 0.5


def exact(z: Tensor, time: Tensor, factor: float = 1.0) -> Tensor:
    """Exact v of data that are N(1.5, 0.5), or a multiple of it."""
    theta = angles(time, z.dim()).double()
    alpha, sigma = theta.cos(), theta.sin()
    gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
    data = MEAN + gain * (z - alpha * MEAN)
    return factor * (alpha * z - data) / sigma


def sample(n: int) -> tuple[Tensor, Tensor, torch.Generator]:
    """Noise, data of the law, and a generator for more."""
    generator = torch.Generator().manual_seed(4)
    noise, data = torch.randn(2, n, 1, generator=generator, dtype=torch.float64)
    return noise, MEAN + SPREAD * data, generator


def test_values_and_velocities_turn_into_noise() -> None:
    noise, data, _ = sample(5)
    begin, velocity = noisy(data, noise, torch.zeros(5))
    end, back = noisy(data, noise, torch.ones(5))
    for found, expected in ((begin, data), (velocity, noise), (end, noise), (back, -data)):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_the_exact_velocity_of_a_gaussian_has_the_least_loss() -> None:
    """Its loss is that of the law: the mean of s^2 / (alpha^2 s^2 + sigma^2), which is s."""
    n = 100_000
    noise, data, generator = sample(n)
    time = torch.rand(n, generator=generator)
    least = float(v_loss(exact, noise, data, time))
    assert least == pytest.approx(SPREAD, rel=0.02)
    for factor in (0.9, 1.1):
        other = v_loss(lambda z, t, f=factor: exact(z, t, f), noise, data, time)  # type: ignore[misc]
        assert float(other) > least + 0.01


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_target_is_the_published_one(steps: int) -> None:
    """The student's v for which one step ends where two of the teacher do, as the paper has it."""
    noise, data, _ = sample(steps)
    step = torch.arange(steps)
    targets = []

    def student(z: Tensor, time: Tensor) -> Tensor:
        targets.append(published_target(z, time, steps))
        return targets[0]

    loss = distillation_loss(student, exact, noise, data, step, steps=steps)
    assert float(loss) < 1e-6
    assert float(distillation_loss(exact, exact, noise, data, step, steps=steps)) > 1e-4


def published_target(z: Tensor, time: Tensor, steps: int) -> Tensor:
    """x* = (z'' - f z) / (alpha_s - f alpha), f = sigma_s / sigma; the teacher's x for the last."""

    def step(z: Tensor, u: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        now, later = angles(u, 2).double(), angles(s, 2).double()
        data = now.cos() * z - now.sin() * exact(z, u)
        noise = (z - now.cos() * data) / now.sin()
        return later.cos() * data + later.sin() * noise, data

    middle, end = time - 0.5 / steps, time - 1 / steps
    at, _ = step(z, time, middle)
    at, last = step(at, middle, end)
    alpha, sigma = angles(time, 2).double().cos(), angles(time, 2).double().sin()
    alpha_s, sigma_s = angles(end, 2).double().cos(), angles(end, 2).double().sin()
    factor = sigma_s / sigma
    data = (at - factor * z) / (alpha_s - factor * alpha)
    data = torch.where((end.abs() < 1e-6)[:, None], last, data)
    return alpha * (z - alpha * data) / sigma - sigma * data


@pytest.mark.parametrize("substeps", [2, 4])
def test_a_student_that_has_learnt_all_goes_where_its_teacher_goes(substeps: int) -> None:
    """From noise: one step of the student ends where all steps of the teacher do."""
    noise, data, _ = sample(50)
    wanted = torch.from_numpy(
        ddim(
            lambda z, t: exact(torch.from_numpy(z), torch.full((len(z),), t)).float().numpy(),
            noise.float().numpy(),
            substeps,
        )
    )

    def student(z: Tensor, time: Tensor) -> Tensor:
        # v of the one step from noise z to the teacher's data.
        turn = angle(1)
        return (math.cos(turn) * z - wanted) / math.sin(turn)

    loss = distillation_loss(
        student,
        exact,
        noise,
        torch.zeros_like(data),  # at time 1 there is next to nothing of the data
        torch.zeros(50, dtype=torch.int64),
        steps=1,
        substeps=substeps,
    )
    assert float(loss) < 1e-6


def test_a_linear_student_learns_a_step_of_its_teacher() -> None:
    """Of a Gaussian every v is linear in z: the student's two numbers come out by descent."""
    noise, data, _ = sample(2000)
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=20)
    step = torch.zeros(2000, dtype=torch.int64)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = distillation_loss(
            lambda z, _: weights[0] + weights[1] * z, exact, noise, data, step, steps=1, substeps=16
        )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)
    assert float(loss().detach()) < 1e-8
    # At time 1 the student's data are -v: nearly the exact mean and spread after 16 steps.
    assert -float(weights[0].detach()) == pytest.approx(MEAN, abs=0.05)
    assert -float(weights[1].detach()) == pytest.approx(SPREAD, abs=0.1)
