"""Annealers with the interface of dimod: D-Wave's simulated one, and their quantum annealers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from calozoo_caloqvae.ising import DimodSampler
from calozoo_core.errors import InputError

__all__ = ["quantum_annealer", "simulated_annealer"]

ANNEALING: Final = ("annealing", "dwave-samplers")
"""Extra of this distribution, and what it brings."""

QPU: Final = ("qpu", "dwave-system")
"""Extra of this distribution, and what it brings."""


def simulated_annealer(sweeps: int) -> tuple[DimodSampler, dict[str, Any]]:
    """Simulated annealing that does not cool, and its parameters.

    Left to itself it looks for the state of the lowest energy. Held at the inverse temperature 1
    it samples the Boltzmann distribution.

    Arguments:
        sweeps: Sweeps for a state.

    Raises:
        InputError: If dwave-samplers is not installed.
    """
    try:
        from dwave.samplers import SimulatedAnnealingSampler
    except ImportError as error:
        raise _not_installed(ANNEALING) from error
    parameters = {
        "beta_schedule_type": "custom",
        "beta_schedule": np.ones(sweeps),
        "num_sweeps_per_beta": 1,
        "proposal_acceptance_criteria": "Gibbs",
    }
    return SimulatedAnnealingSampler(), parameters


def quantum_annealer() -> tuple[DimodSampler, dict[str, Any]]:
    """Quantum annealer that the user's token of D-Wave opens, and its parameters.

    Raises:
        InputError: If dwave-system is not installed, the token is missing, or the annealer does
            not answer.
    """
    try:
        from dwave.system import DWaveSampler
    except ImportError as error:
        raise _not_installed(QPU) from error
    try:
        sampler: DimodSampler = DWaveSampler()
    except Exception as error:  # of the client, the network or the configuration
        msg = (
            f"No quantum annealer answers ({str(error).rstrip('.')}); set DWAVE_API_TOKEN to a "
            "token of D-Wave's, or choose sampler='gibbs'."
        )
        raise InputError(msg, argument="sampler='gibbs'") from error
    return sampler, {"auto_scale": False, "answer_mode": "raw"}


def _not_installed(package: tuple[str, str]) -> InputError:
    """Error that names the extra of this distribution that brings a package."""
    extra, distribution = package
    return InputError(
        f"sampler={extra!r} needs {distribution}; type `pip install 'calozoo-caloqvae[{extra}]'`, "
        "or choose sampler='gibbs'.",
        argument=(f"sampler={extra!r}", "sampler='gibbs'"),
    )
