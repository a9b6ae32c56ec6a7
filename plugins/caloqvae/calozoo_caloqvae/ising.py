"""Ising form of the Boltzmann machine, for samplers with the interface of dimod.

References:
    | dimod: https://docs.dwavequantum.com/en/latest/ocean/api_ref_dimod/
    | Conditioned Calo4pQVAE, section on annealers: https://arxiv.org/abs/2410.22870
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np

from calozoo_caloqvae.numpy_rbm import NumpyRbm
from calozoo_caloqvae.placement import node_labels
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["DimodSampler", "IsingSampler"]

LARGEST_SEED: Final = 2**31


class DimodSampler(Protocol):
    """Protocol of the part of `dimod.Sampler` that is used."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Names of the keyword arguments of `sample_ising`, and more about each."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """Of an annealer its topology, and the ranges that it can be set to."""

    def sample_ising(
        self,
        h: Mapping[int, float],
        J: Mapping[Any, float],  # noqa: N803  dimod calls it so
        **parameters: Any,
    ) -> Any:
        """Sample set of spins.

        Arguments:
            h: Field of each spin.
            J: Coupling of each pair of spins.
            parameters: As the sampler has them.
        """


class IsingSampler:
    """Sampler of the latent nodes by a sampler of Ising models.

    With spins s = 2 z - 1 couplings are J = -W / 4 and fields h = -b / 2 - sum W / 4. The nodes
    that are set become fields of those that they are coupled to. Both are divided by the inverse
    temperature at which the sampler samples.

    A sampler that takes a seed is asked for one state of each shower, with a seed of the shower's
    own. Any other one is asked once for all showers with the same bits, and cannot be reproduced.

    Arguments:
        rbm: Boltzmann machine.
        sampler: Sampler with the interface of dimod.
        parameters: Further keyword arguments of its `sample_ising`.
        beta: Effective inverse temperature of the sampler.

    Raises:
        InputError: If an annealer has no place for the graph.
    """

    def __init__(
        self,
        rbm: NumpyRbm,
        sampler: DimodSampler,
        parameters: Mapping[str, Any] | None = None,
        *,
        beta: float = 1.0,
    ) -> None:
        self._rbm, self._sampler, self._parameters = rbm, sampler, dict(parameters or {})
        #: Effective inverse temperature of the sampler.
        self.beta = beta
        nodes = rbm.config.nodes
        label = node_labels(rbm.config, rbm.graph, sampler)
        inner = rbm.graph.edges[0] >= nodes
        first, second = rbm.graph.edges[:, inner]
        self._label = label[nodes:].tolist()
        self._pairs = list(zip(label[first].tolist(), label[second].tolist(), strict=True))
        self._coupling = -rbm.coupling[inner].astype(np.float64) / 4
        half = np.bincount(first, self._coupling, len(label))
        self._shift = (half + np.bincount(second, self._coupling, len(label)))[nodes:]
        self._takes_seed = "seed" in sampler.parameters

    def __call__(self, bits: Float32Array, streams: Sequence[np.random.Generator]) -> Float32Array:
        """States of the latent nodes, shape (n, 3 x nodes).

        Arguments:
            bits: States of the first partition, shape (n, nodes).
            streams: Random numbers of each shower, n of them.
        """
        if self._takes_seed:
            seeds = [int(random.integers(LARGEST_SEED)) for random in streams]
            drawn = [self.states(row, 1, seed=seed) for row, seed in zip(bits, seeds, strict=True)]
            return np.concatenate(drawn)
        states = np.empty((len(bits), len(self._label)), np.float32)
        patterns, which = np.unique(bits, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            states[rows] = self.states(pattern, len(rows))
        return states

    def states(self, bits: Float32Array, reads: int, **parameters: Any) -> Float32Array:
        """States of the latent nodes for one setting of the others, shape (reads, 3 x nodes).

        Arguments:
            bits: States of the first partition, shape (nodes,).
            reads: Number of states.
            parameters: Further keyword arguments of the sampler.
        """
        fields = self._shift - self._rbm.fields(bits[None])[0].astype(np.float64) / 2
        h, couplings = self._within_ranges(fields / self.beta, self._coupling / self.beta)
        answer = self._sampler.sample_ising(
            dict(zip(self._label, h.tolist(), strict=True)),
            dict(zip(self._pairs, couplings.tolist(), strict=True)),
            num_reads=reads,
            **self._parameters,
            **parameters,
        )
        column = {label: i for i, label in enumerate(answer.variables)}
        order = [column[label] for label in self._label]
        # Samplers may count equal states instead of repeating them.
        spins = np.repeat(answer.record.sample, answer.record.num_occurrences, axis=0)
        return np.asarray(spins[:reads, order] > 0, np.float32)

    def _within_ranges(self, h: FloatArray, couplings: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Fields and couplings that an annealer can be set to, as the paper cuts them."""
        properties = self._sampler.properties
        ranges = properties.get("h_range"), properties.get("extended_j_range")
        cut = [
            values if bounds is None else np.clip(values, *bounds)
            for values, bounds in zip((h, couplings), ranges, strict=True)
        ]
        return cut[0], cut[1]
