"""Solvers of the differential equation of a flow, with few evaluations of its velocity.

References:
    | CaloDREAM, section 3.4: https://arxiv.org/abs/2405.09629
    | Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section III.5 (multistep
      methods with steps of several lengths): https://doi.org/10.1007/978-3-540-78862-1
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final, Literal, cast

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["EVALUATIONS", "Solver", "integrate", "times"]

Solver = Literal["euler", "midpoint", "rk4", "adams"]

Velocity = Callable[[Float32Array, float], Float32Array]
"""Function of values and a time, which is 0 for noise and 1 for data, to velocities."""

_CROWDING: Final = 1.6
"""Power of equally spaced times at which the steps of "adams" begin and end."""

EVALUATIONS: Final[dict[Solver, int]] = {"euler": 1, "midpoint": 2, "rk4": 4, "adams": 1}
"""Evaluations of the velocity that a step takes."""


def integrate(
    velocity: Velocity, noise: Float32Array, evaluations: int, solver: Solver = "midpoint"
) -> Float32Array:
    """Values at time 1 of a flow that begins as noise at time 0.

    What is left over from whole steps is made up by steps of Euler at the beginning, where the
    velocity changes least.

    Arguments:
        velocity: Velocity.
        noise: Values at time 0, any shape.
        evaluations: How often the velocity may be evaluated.
        solver: "euler", "midpoint" or "rk4", with equal steps; or "adams", the Adams-Bashforth
            method of two steps, with short steps where the flow begins: there it decides how many
            layers stay empty.

    Raises:
        InputError: If there is no evaluation.

    Example:
        >>> integrate(lambda x, t: x * 0 + 2 * t, np.zeros(1, np.float32), 2).tolist()
        [1.0]
    """
    if evaluations < 1:
        msg = f"A flow takes at least one evaluation of its network, not {evaluations}."
        raise InputError(msg, argument="steps")
    if solver == "adams":
        return _adams(velocity, noise, times(evaluations) ** _CROWDING)
    whole, rest = divmod(evaluations, EVALUATIONS[solver])
    x = noise
    for number, (start, end) in enumerate(pairwise(times(whole + rest))):
        step = _STEPS["euler" if number < rest else solver]
        x = step(velocity, x, float(start), float(end - start))
    return x


def times(steps: int) -> FloatArray:
    """Times at which steps begin and end, equally spaced from 0 to 1, shape (steps + 1,)."""
    return np.linspace(0, 1, steps + 1)


def _euler(velocity: Velocity, x: Float32Array, start: float, step: float) -> Float32Array:
    return _moved(x, velocity(x, start), step)


def _midpoint(velocity: Velocity, x: Float32Array, start: float, step: float) -> Float32Array:
    half = _moved(x, velocity(x, start), step / 2)
    return _moved(x, velocity(half, start + step / 2), step)


def _rk4(velocity: Velocity, x: Float32Array, start: float, step: float) -> Float32Array:
    first = velocity(x, start)
    second = velocity(_moved(x, first, step / 2), start + step / 2)
    third = velocity(_moved(x, second, step / 2), start + step / 2)
    fourth = velocity(_moved(x, third, step), start + step)
    return _moved(x, first + 2 * (second + third) + fourth, step / 6)


def _adams(velocity: Velocity, x: Float32Array, moments: FloatArray) -> Float32Array:
    before, last = None, 0.0
    for start, end in pairwise(moments.tolist()):
        step, now = end - start, velocity(x, start)
        moved = _moved(x, now, step)
        if before is not None:
            # The velocity is taken as linear in time from the last moment on.
            moved = _moved(moved, now - before, step**2 / (2 * (start - last)))
        x, before, last = moved, now, start
    return x


def _moved(x: Float32Array, velocity: Float32Array, step: float) -> Float32Array:
    return cast(Float32Array, x + np.float32(step) * velocity)


_STEPS: Final = {"euler": _euler, "midpoint": _midpoint, "rk4": _rk4}
