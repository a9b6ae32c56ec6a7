"""Transforms of normalizing flows: permutation, ActNorm and spline coupling, over the last axis.

Each one is a torch module that goes both ways with its log-determinant; `numpy_flow` has them in
numpy. Which way is towards noise is up to the flow that is made of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from calozoo_core.nn.mlp import mlp
from calozoo_core.nn.spline import SPLINES, SplineKind, n_parameters

__all__ = [
    "ActNorm",
    "Permutation",
    "SplineCoupling",
    "Transform",
    "standard_normal_log_prob",
]


class Transform(nn.Module, ABC):
    """Invertible transform of vectors, given a condition."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Values, shape (n, dim), and log-determinants, shape (n,)."""

    @abstractmethod
    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Values, shape (n, dim), and log-determinants of the inverse, shape (n,)."""


class Permutation(Transform):
    """Fixed permutation; the order is a buffer, saved with the weights.

    Published codes draw their permutations anew from a global seed, or multiply by a dense matrix.

    Arguments:
        order: Element i of the output is element `order[i]` of the input.
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return y[:, self.inverse_order], y.new_zeros(len(y))

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.inverse_order = self.order.argsort()


class ActNorm(Transform):
    """Shift and scale of every element, set to mean 0 and standard deviation 1 on a batch.

    References:
        | Glow: https://arxiv.org/abs/1807.03039

    Arguments:
        dim: Number of elements.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set shift and scale from a batch, shape (n, dim)."""
        self.shift.copy_(x.mean(dim=0))
        self.log_scale.copy_(-x.std(dim=0).clamp_min(1e-3).log())

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return (x - self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return y * (-self.log_scale).exp() + self.shift, -self.log_scale.sum().expand(len(y))


class SplineCoupling(Transform):
    """Splines on the second half of the elements, shaped by the first half and the condition.

    A single element is transformed by what the condition alone says.

    Arguments:
        dim: Number of elements.
        conditions: Width of the condition.
        hidden: Widths of the hidden layers of the network.
        bins: Bins of each spline.
        bound: Half the width of the interval it acts on.
        kind: Kind of the splines.
        batch_norm: Add batch normalisation to the network.
        dropout: Share of hidden numbers dropped in training.
    """

    def __init__(
        self,
        dim: int,
        conditions: int,
        hidden: Sequence[int],
        *,
        bins: int,
        bound: float,
        kind: SplineKind = "rational-quadratic",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.identity_features = (dim + 1) // 2 if dim > 1 else 0
        self.transform_features = dim - self.identity_features
        self.bound, self.kind = bound, kind
        self.per_element = n_parameters(bins, kind)
        self.net = mlp(
            self.identity_features + conditions,
            hidden,
            self.transform_features * self.per_element,
            batch_norm=batch_norm,
            dropout=dropout,
        )

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self._spline(x, condition, inverse=False)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self._spline(y, condition, inverse=True)

    def _spline(self, x: Tensor, condition: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
        identity, moved = x[:, : self.identity_features], x[:, self.identity_features :]
        raw: Tensor = self.net(torch.cat([identity, condition], dim=1))
        raw = raw.view(len(x), self.per_element, self.transform_features)
        y, log_slope = SPLINES[self.kind](moved, raw, self.bound, inverse=inverse, dim=1)
        return torch.cat([identity, y], dim=1), log_slope.sum(dim=1)


def standard_normal_log_prob(x: Tensor) -> Tensor:
    """Log-density of the standard normal distribution, summed over the last axis.

    Arguments:
        x: Values, shape (..., features).

    Returns:
        Shape (...).

    Example:
        >>> round(float(standard_normal_log_prob(torch.zeros(3))), 4)
        -2.7568
    """
    return -0.5 * (x.square() + math.log(2 * math.pi)).sum(dim=-1)
