"""Effective inverse temperature of an annealer, which nobody tells and which drifts.

References:
    | Conditioned Calo4pQVAE, adaptive mapping: https://arxiv.org/abs/2410.22870
"""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_caloqvae.ising import IsingSampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm, logistic
from calozoo_core.errors import InputError
from calozoo_core.typing import Float32Array

__all__ = ["estimate_beta"]

RANGE: Final = (0.05, 100.0)
"""Inverse temperatures that are tried."""


def estimate_beta(
    rbm: NumpyRbm,
    annealer: IsingSampler,
    bits: Float32Array,
    *,
    start: float = 5.0,
    reads: int = 256,
    rounds: int = 30,
    sweeps: int = 200,
    seed: int = 0,
) -> float:
    r"""Inverse temperature at which an annealer samples, by the mean energy of its states.

    The model that it is given is divided by :math:`\beta`. If that is the annealer's own, energies
    are as of block Gibbs sampling; otherwise

    .. math:: \beta \leftarrow \beta - \frac{\beta}{\mathrm{Var}(E)}
       \left(\langle E \rangle_\mathrm{annealer} - \langle E \rangle_\mathrm{Gibbs}\right) .

    Arguments:
        rbm: Boltzmann machine.
        annealer: Sampler of its states; its `beta` is set to what is found.
        bits: States of the first partition, shape (nodes,).
        start: Value to begin with.
        reads: States of a round.
        rounds: Most rounds.
        sweeps: Sweeps of the Gibbs sampler.
        seed: Seed of the Gibbs sampler.

    Raises:
        InputError: If it does not settle.
    """
    random = np.random.default_rng(seed)
    given = np.tile(bits, (reads, 1))
    shape = (reads, sweeps + 1, rbm.config.latents)
    uniform = random.random(shape, np.float32)
    first = (uniform[:, 0] < 0.5).astype(np.float32)
    wanted = rbm.energy(given, rbm.gibbs(given, first, logistic(uniform[:, 1:])))
    beta = start
    for _ in range(rounds):
        annealer.beta = beta
        found = rbm.energy(given, annealer.states(bits, reads))
        difference = float(found.mean() - wanted.mean())
        spread, other = float(found.std()), float(wanted.std())
        if abs(difference) < 2 * spread * other / max(np.sqrt(reads) * (spread + other), 1e-9):
            return beta
        # Newton's step: the mean energy falls with the inverse temperature by its variance.
        step = beta * difference / max(spread**2, 1e-6)
        beta = float(np.clip(np.clip(beta - step, beta / 2, 2 * beta), *RANGE))
    msg = f"The annealer's temperature does not settle within {rounds} rounds; try again."
    raise InputError(msg)
