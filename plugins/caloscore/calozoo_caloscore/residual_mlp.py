"""Energy network as it was published: a residual perceptron, shifted and scaled by the condition.

References:
    | CaloScore v2, section 3: https://arxiv.org/abs/2308.03847
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_caloscore.config import ResidualMlpConfig
from calozoo_caloscore.embedding import Embedding

__all__ = ["ResidualMlp"]

DROPOUT = 0.1
"""Share of hidden numbers dropped in training."""


class ResidualMlp(nn.Module):
    """Velocity of the layer energies' numbers, given noisy ones, the time and the condition.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: ResidualMlpConfig) -> None:
        super().__init__()
        self.embedding = Embedding(config.embedding)
        self.given = nn.Linear(config.embedding.width, config.hidden)
        self.first = nn.Linear(config.dim, config.hidden)
        self.blocks = nn.ModuleList(_Block(config.hidden) for _ in range(config.blocks))
        self.last = nn.Linear(config.hidden, config.dim)

    def forward(self, x: Tensor, time: Tensor, *conditions: Tensor) -> Tensor:
        """Velocity, shape (n, dim).

        Arguments:
            x: Noisy numbers, shape (n, dim).
            time: 0 for data, 1 for noise, shape (n,).
            conditions: Conditions of each shower, shape (n, numbers) each.
        """
        given = leaky_relu(self.given(self.embedding(time, conditions)))
        hidden = self.first(x)
        for block in self.blocks:
            hidden = block(hidden, given)
        velocity: Tensor = self.last(hidden)
        return velocity


class _Block(nn.Module):
    """Two layers with what the condition shifts and scales between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Linear(width, width)
        self.modulation = nn.Linear(width, 2 * width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        scale, shift = self.modulation(given).chunk(2, dim=1)
        hidden = leaky_relu((1 + scale) * self.first(leaky_relu(x)) + shift)
        result: Tensor = self.second(self.dropout(hidden)) + self.residual(x)
        return result
