"""Diffusion by noise levels (EDM) in numpy: scalings of a network, and samplers in few steps.

Noise of the level sigma is added to data of mean 0 and spread 1. A network F of what that gives,
scaled to spread 1, says what the data were:

.. math:: D(x, s) = \\frac{x}{1 + s^2} + \\frac{s}{\\sqrt{1 + s^2}}
    F\\left(\\frac{x}{\\sqrt{1 + s^2}}, \\frac{\\ln s}{2}\\right)

References:
    | Karras et al., Elucidating the design space of diffusion models:
    | https://arxiv.org/abs/2206.00364
    | Lu et al., DPM-Solver++: https://arxiv.org/abs/2211.01095
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final, Literal, cast

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.nn.solvers import integrate
from calozoo_core.typing import Float32Array, FloatArray

__all__ = [
    "HIGHEST",
    "Denoiser",
    "EdmSolver",
    "Network",
    "denoiser",
    "noise_levels",
    "sample",
    "time_of",
]

EdmSolver = Literal["angle", "ddim", "dpm", "heun"]

Network = Callable[[Float32Array, float], Float32Array]
"""Function of scaled noisy values and a time to what the scalings make a denoiser of."""

Denoiser = Callable[[Float32Array, float], Float32Array]
"""Function of noisy values and a noise level to the mean of the data that they may come from."""

HIGHEST: Final = 80.0
"""Noise level that sampling begins at."""

LOWEST: Final = 0.002
"""Lowest noise level before none."""

CURVATURE: Final = 7.0
"""Exponent rho of the noise levels: the larger it is, the closer they lie at low noise."""


def time_of(sigma: float) -> float:
    """Time that a network is given for a noise level: half its logarithm."""
    return 0.5 * float(np.log(sigma))


def denoiser(network: Network) -> Denoiser:
    """Denoiser of a network.

    Arguments:
        network: Network.
    """

    def denoised(x: Float32Array, sigma: float) -> Float32Array:
        scale = (1 + sigma**2) ** -0.5
        out = network(_float(x * scale), time_of(sigma))
        return _float(scale**2 * x + sigma * scale * out)

    return denoised


def noise_levels(steps: int) -> FloatArray:
    """Noise levels that steps lead through, from 80 to 0.002 and to none, shape (steps + 1,).

    Arguments:
        steps: Number of steps.

    Example:
        >>> noise_levels(3).round(3).tolist()
        [80.0, 2.515, 0.002, 0.0]
    """
    share = np.linspace(0, 1, max(steps, 2))[:steps]
    first, last = HIGHEST ** (1 / CURVATURE), LOWEST ** (1 / CURVATURE)
    return np.append((first + share * (last - first)) ** CURVATURE, 0.0)


def sample(
    network: Network, noise: Float32Array, evaluations: int, solver: EdmSolver = "angle"
) -> Float32Array:
    """Data drawn by a network, the end of a path without further noise.

    Arguments:
        network: Network.
        noise: Standard normal, any shape.
        evaluations: How often the network may be evaluated.
        solver: "angle" goes by the midpoint rule in equal steps of the angle whose tangent is the
            noise level, "ddim" in straight lines, "heun" likewise with a correction, "dpm" by the
            multistep method of DPM-Solver++.

    Raises:
        InputError: If there is no evaluation.
    """
    if evaluations < 1:
        msg = f"A diffusion takes at least one evaluation of its network, not {evaluations}."
        raise InputError(msg, argument="steps")
    if solver == "angle":
        return _by_angle(network, noise, evaluations)
    return _STEPS[solver](denoiser(network), _float(noise * HIGHEST), evaluations)


def _by_angle(network: Network, noise: Float32Array, evaluations: int) -> Float32Array:
    """Midpoint rule in the angle, in which scaled values move by what the network says."""
    first = float(np.arctan(HIGHEST))

    def velocity(x: Float32Array, time: float) -> Float32Array:
        return _float(first * network(x, time_of(np.tan(first * (1 - time)))))

    return integrate(velocity, noise, evaluations, "midpoint")


def _ddim(denoise: Denoiser, x: Float32Array, evaluations: int) -> Float32Array:
    for sigma, lower in pairwise(noise_levels(evaluations)):
        x = _towards(denoise(x, sigma), x, lower / sigma)
    return x


def _heun(denoise: Denoiser, x: Float32Array, evaluations: int) -> Float32Array:
    """Steps of two evaluations; the last takes one, and the first if the number is even."""
    steps = evaluations // 2 + 1
    for number, (sigma, lower) in enumerate(pairwise(noise_levels(steps))):
        data = denoise(x, sigma)
        end = _towards(data, x, lower / sigma)
        if lower > 0 and (number or evaluations % 2):
            slope = (x - data) / sigma + (end - denoise(end, lower)) / lower
            end = _float(x + 0.5 * (lower - sigma) * slope)
        x = end
    return x


def _dpm(denoise: Denoiser, x: Float32Array, evaluations: int) -> Float32Array:
    levels = noise_levels(evaluations)
    before: Float32Array | None = None
    for number, (sigma, lower) in enumerate(pairwise(levels)):
        data = denoise(x, sigma)
        aimed = data
        if before is not None and lower > 0:
            ratio = np.log(levels[number - 1] / sigma) / np.log(sigma / lower)
            aimed = _float(data + (data - before) / (2 * ratio))
        x = _towards(aimed, x, lower / sigma)
        before = data
    return x


def _towards(data: Float32Array, x: Float32Array, ratio: float) -> Float32Array:
    """Values on the line from data to noisy values, at this part of it."""
    return _float(data + ratio * (x - data))


def _float(values: FloatArray | Float32Array) -> Float32Array:
    return cast(Float32Array, np.asarray(values, np.float32))


_STEPS: Final = {"ddim": _ddim, "heun": _heun, "dpm": _dpm}
