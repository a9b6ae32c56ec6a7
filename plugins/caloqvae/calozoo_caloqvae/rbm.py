"""Four-partite Boltzmann machine in torch, for training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.graphs import PARTITIONS, four_partite_graph

__all__ = ["Rbm"]

FIRST_COUPLING = 0.01
"""Standard deviation of the couplings at the start."""


class Rbm(nn.Module):
    """Boltzmann machine of binary nodes in four partitions, of which the first one is set.

    Arguments:
        config: Its graph.
    """

    def __init__(self, config: RbmConfig) -> None:
        super().__init__()
        self.config = config
        self._edges = four_partite_graph(config.graph, config.size).edges
        self.bias = nn.Parameter(torch.zeros(PARTITIONS * config.nodes))
        self.coupling = nn.Parameter(FIRST_COUPLING * torch.randn(config.couplings))

    def weights(self) -> Tensor:
        """Symmetric matrix of the couplings, shape (4 x nodes, 4 x nodes)."""
        first, second = torch.from_numpy(self._edges).to(self.coupling.device)
        size = len(self.bias)
        upper = self.coupling.new_zeros(size * size).index_put(
            (first * size + second,), self.coupling
        )
        matrix = upper.view(size, size)
        return matrix + matrix.T

    def energy(self, given: Tensor, latents: Tensor) -> Tensor:
        """Energies of states, binary or between 0 and 1, shape (n,).

        Arguments:
            given: States of the first partition, shape (n, nodes).
            latents: States of the others, shape (n, 3 x nodes).
        """
        z = torch.cat([given, latents], dim=1)
        return -(z @ self.bias) - 0.5 * ((z @ self.weights()) * z).sum(dim=1)

    @torch.no_grad()
    def gibbs(self, given: Tensor, start: Tensor, uniform: Tensor) -> Tensor:
        """States of the nodes that are not set, by block Gibbs sampling, shape (n, 3 x nodes).

        Arguments:
            given: States of the first partition, shape (n, nodes).
            start: States of the others to begin with, shape (n, 3 x nodes).
            uniform: Random numbers in [0, 1) for each node of each sweep, shape
                (n, sweeps, 3 x nodes).
        """
        return self._sweeps(given, start, uniform, lambda sweep: 1.0)[0]

    @torch.no_grad()
    def log_normalisation(self, given: Tensor, start: Tensor, uniform: Tensor) -> Tensor:
        """Estimate of ln Z by annealed importance sampling, shape (n,).

        Z is the sum of exp(-E) over the nodes that are not set. The mean of the estimate's
        exponential is Z; the estimate itself is a bit too small, the less so the more sweeps.

        References:
            | Annealed importance sampling: https://arxiv.org/abs/physics/9803008

        Arguments:
            given: States of the first partition, shape (n, nodes).
            start: Fair coins, shape (n, 3 x nodes).
            uniform: Random numbers as of `gibbs`.
        """
        sweeps = uniform.shape[1]
        return self._sweeps(given, start, uniform, lambda sweep: (sweep + 1) / sweeps)[1]

    def _sweeps(
        self, given: Tensor, start: Tensor, uniform: Tensor, beta: Callable[[int], float]
    ) -> tuple[Tensor, Tensor]:
        """States after sweeps at inverse temperatures, and the estimate of ln Z on the way."""
        nodes, weights = self.config.nodes, self.weights()
        fields = given @ weights[:nodes, nodes:] + self.bias[nodes:]
        inner, state = weights[nodes:, nodes:], start.clone()
        parts = [slice(first, first + nodes) for first in range(0, state.shape[1], nodes)]
        blocks = [inner[:, part].contiguous() for part in parts]
        log_weight, before = torch.full((len(given),), state.shape[1] * math.log(2)), 0.0
        for sweep in range(uniform.shape[1]):
            now = beta(sweep)
            if now != before:
                log_weight = log_weight - (now - before) * self.energy(given, state)
            for part, block in zip(parts, blocks, strict=True):
                odds = torch.sigmoid(now * (fields[:, part] + state @ block))
                state[:, part] = (uniform[:, sweep, part] < odds).to(state)
            before = now
        return state, log_weight
