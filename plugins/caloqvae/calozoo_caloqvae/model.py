"""CaloQVAE: photon showers from a Boltzmann machine, a decoder and a library of halos."""

from __future__ import annotations

from typing import Any

import numpy as np

from calozoo_caloqvae.conditioning import condition_bits
from calozoo_caloqvae.config import CaloQvaeConfig
from calozoo_caloqvae.core_sampler import core_layout, core_sampler, needed_layout
from calozoo_caloqvae.latent_sampler import SAMPLERS, latent_sampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm
from calozoo_core.clumps.core_encoding import primary_condition
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.clumps.core_sampler import CoreSampler
from calozoo_core.errors import InputError
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.weights.layout import Layout
from calozoo_core.weights.trained_arrays import TrainedArrays, count_trained

__all__ = ["CaloQvae"]

ESTIMATE_GEV = 30.0
"""Energy of the primary that an annealer's temperature is estimated with."""


class CaloQvae(CoreGenerator[CaloQvaeConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL from a Boltzmann machine and a library.

    A flow samples the energy within 8 mm of the axis in every layer. How it divides among five
    rings is decoded from binary nodes z, whose prior is a Boltzmann machine with the couplings of
    a quantum annealer,

    .. math:: p(z) \propto \exp\Big(\sum_i b_i z_i + \sum_{(i, j)} W_{ij} z_i z_j\Big) .

    A quarter of the nodes is set by the primary. What lies beyond, and how rings divide among
    sectors, comes layer by layer from the showers of a library of Geant4's that match the core
    best. Each voxel is filled with the points of one of Geant4's voxels.

    References:
        | Conditioned Calo4pQVAE: https://arxiv.org/abs/2410.22870
        | Hierarchical Calo4pQVAE: https://arxiv.org/abs/2412.04677

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Sweeps over the nodes for a shower; None for what measured best.
        sampler: "gibbs", "annealing" for simulated annealing by dwave-samplers, or "qpu" for a
            quantum annealer, which does not give the same showers again.
        beta: Effective inverse temperature of the quantum annealer; None estimates it.

    Raises:
        InputError: If the number of steps makes no sense, there is no such sampler, or it is not
            available.
    """

    schema = CaloQvaeConfig

    def __init__(
        self,
        spec: ModelSpec,
        trained: TrainedArrays[CaloQvaeConfig],
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        runtime: str | None = None,
        steps: int | None = None,
        sampler: str = "gibbs",
        beta: float | None = None,
    ) -> None:
        if sampler not in SAMPLERS:
            msg = f"{spec.name} has the samplers {', '.join(SAMPLERS)}, and not {sampler!r}."
            raise InputError(msg, argument="sampler")
        is_number = isinstance(beta, int | float) and not isinstance(beta, bool)
        if beta is not None and not (is_number and 0.01 <= beta <= 1000):
            msg = f"An inverse temperature is a number from 0.01 to 1000, not {beta!r}."
            raise InputError(msg, argument="beta")
        if beta is not None and sampler != "qpu":
            msg = "Only a quantum annealer has a beta of its own; leave out beta."
            raise InputError(msg, argument="beta")
        self.sampler, self.beta = sampler, beta
        super().__init__(
            spec, trained, device=device, precision=precision, runtime=runtime, steps=steps
        )

    @classmethod
    def layout(cls, config: CaloQvaeConfig) -> Layout:
        return core_layout(config)

    def core_sampler(self) -> CoreSampler:
        config = self.trained.config
        rbm = NumpyRbm(config.prior, self.trained.part("prior"))
        condition = primary_condition(Incident(np.array([ESTIMATE_GEV]), (0, 0, 1)))
        bits = condition_bits(condition, config.prior.nodes)[0]
        latents = latent_sampler(self.sampler, rbm, self.steps, self.beta, bits)
        return core_sampler(self.trained, latents)

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"sampler": self.sampler, "beta": self.beta}

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Sweeps and sampler, as a file of its showers says it."""
        return {"steps": self.steps, "sampler": self.sampler}

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of the networks that a shower needs, not of tables."""
        return count_trained(needed_layout(self.trained.config))
