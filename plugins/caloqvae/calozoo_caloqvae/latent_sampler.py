"""Samplers of the latent nodes: block Gibbs, simulated annealing, or a quantum annealer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol, get_args

import numpy as np

from calozoo_caloqvae.annealers import quantum_annealer, simulated_annealer
from calozoo_caloqvae.effective_temperature import estimate_beta
from calozoo_caloqvae.ising import IsingSampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm, logistic
from calozoo_core.errors import InputError
from calozoo_core.typing import Float32Array

__all__ = ["SAMPLERS", "GibbsSampler", "LatentSampler", "SamplerName", "latent_sampler"]

SamplerName = Literal["gibbs", "annealing", "qpu"]

SAMPLERS: Final[tuple[str, ...]] = get_args(SamplerName)


class LatentSampler(Protocol):
    """Sampler of the latent nodes of showers."""

    def __call__(self, bits: Float32Array, streams: Sequence[np.random.Generator]) -> Float32Array:
        """States of the latent nodes, shape (n, 3 x nodes).

        Arguments:
            bits: States of the first partition, shape (n, nodes).
            streams: Random numbers of each shower, n of them.
        """


class GibbsSampler:
    """Sampler whose chain of each shower starts with fair coins and makes a number of sweeps.

    Arguments:
        rbm: Boltzmann machine.
        sweeps: Sweeps over all nodes.
    """

    def __init__(self, rbm: NumpyRbm, sweeps: int) -> None:
        self._rbm, self._sweeps = rbm, sweeps

    def __call__(self, bits: Float32Array, streams: Sequence[np.random.Generator]) -> Float32Array:
        """States of the latent nodes, shape (n, 3 x nodes).

        Arguments:
            bits: States of the first partition, shape (n, nodes).
            streams: Random numbers of each shower, n of them.
        """
        shape = (self._sweeps + 1, self._rbm.config.latents)
        uniform = np.stack([random.random(shape, np.float32) for random in streams])
        start = (uniform[:, 0] < 0.5).astype(np.float32)
        return self._rbm.gibbs(bits, start, logistic(uniform[:, 1:]))


def latent_sampler(
    name: str, rbm: NumpyRbm, steps: int, beta: float | None, bits: Float32Array
) -> LatentSampler:
    """Sampler of this name.

    Arguments:
        name: "gibbs", "annealing" (simulated, of dwave-samplers) or "qpu" (a quantum annealer).
        rbm: Boltzmann machine.
        steps: Sweeps for a shower; a quantum annealer knows none.
        beta: Effective inverse temperature of a quantum annealer; None estimates it.
        bits: Setting of the first partition that it is estimated with, shape (nodes,).

    Raises:
        InputError: If there is no such sampler, its package is not installed, the annealer's token
            is missing, or it has no place for the graph.
    """
    if name == "gibbs":
        return GibbsSampler(rbm, steps)
    if name == "annealing":
        return IsingSampler(rbm, *simulated_annealer(steps))
    if name == "qpu":
        annealer = IsingSampler(rbm, *quantum_annealer(), beta=beta or 1.0)
        if beta is None:
            estimate_beta(rbm, annealer, bits)
        return annealer
    msg = f"There is no sampler {name!r}; there are {', '.join(SAMPLERS)}."
    raise InputError(msg, argument="sampler")
