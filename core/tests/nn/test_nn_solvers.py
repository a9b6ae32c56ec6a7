"""Solvers on flows whose end is known."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.errors import InputError
from calozoo_core.nn.solvers import EVALUATIONS, Solver, integrate
from calozoo_core.typing import Float32Array

MEAN, SPREAD = 1.5, 0.5

FEW: dict[Solver, int] = {"euler": 32, "midpoint": 8, "rk4": 3, "adams": 32}
"""Steps at which the error is small, and above the rounding of 32 bits."""


def gaussian_velocity(x: Float32Array, time: float) -> Float32Array:
    """Exact velocity of the straight path from N(0, 1) to N(1.5, 0.5)."""
    slope = (time * SPREAD**2 - (1 - time)) / ((1 - time) ** 2 + time**2 * SPREAD**2)
    return np.asarray(MEAN + slope * (x - time * MEAN), np.float32)


def error(evaluations: int, solver: Solver) -> float:
    """Largest distance from the exact end, which is mean + spread x noise."""
    noise = np.linspace(-3, 3, 101).astype(np.float32)
    end = integrate(gaussian_velocity, noise, evaluations, solver)
    return float(np.abs(end - (MEAN + SPREAD * noise)).max())


@pytest.mark.parametrize(
    ("solver", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4), ("adams", 2)]
)
def test_the_error_falls_at_least_with_the_order_of_the_solver(solver: Solver, order: int) -> None:
    few = FEW[solver] * EVALUATIONS[solver]
    ratio = error(few, solver) / error(2 * few, solver)
    assert ratio > 0.95 * 2**order


def test_eight_evaluations_are_close_and_a_middle_helps() -> None:
    assert error(8, "midpoint") < 0.04 < error(8, "euler")


@pytest.mark.parametrize("solver", ["euler", "midpoint", "rk4", "adams"])
@pytest.mark.parametrize("evaluations", [1, 2, 3, 5, 7, 8])
def test_the_velocity_is_evaluated_as_often_as_asked_for(solver: Solver, evaluations: int) -> None:
    moments: list[float] = []

    def velocity(x: Float32Array, time: float) -> Float32Array:
        moments.append(time)
        return np.ones_like(x)

    end = integrate(velocity, np.zeros(3, np.float32), evaluations, solver)
    np.testing.assert_allclose(end, 1, rtol=1e-6)
    assert len(moments) == evaluations
    assert moments[0] == 0
    assert max(moments) <= 1


def test_two_steps_of_adams_are_exact_where_the_velocity_is_linear_in_time() -> None:
    """All but the first step, which is one of Euler."""
    first, rest = 2**-1.6, 1 - 2**-1.6
    end = integrate(lambda x, t: x * 0 + t, np.zeros(1, np.float32), 2, "adams")
    np.testing.assert_allclose(end, first * rest + rest**2 / 2, rtol=1e-6)


def test_no_evaluation_is_refused() -> None:
    with pytest.raises(InputError, match="at least one evaluation of its network, not 0"):
        integrate(gaussian_velocity, np.zeros(1, np.float32), 0)
