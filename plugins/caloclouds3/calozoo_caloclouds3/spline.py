"""The linear rational spline of ShowerFlow, with its parameters from the condition."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softmax, softplus

__all__ = ["ConditionalSpline"]

MIN_SIZE = 1e-3
"""Least width, height and derivative."""

MIN_LAMBDA = 0.025
"""The knot inside a bin stays this far from the bin's edges."""


class _Bin(NamedTuple):
    """The piece of the spline an element falls into, each of shape (n, dim)."""

    left: Tensor
    width: Tensor
    bottom: Tensor
    middle: Tensor
    top: Tensor
    weight_middle: Tensor
    weight_top: Tensor
    knot: Tensor


class ConditionalSpline(nn.Module):
    r"""A monotonic spline for every element, whose shape depends on the condition alone.

    Each bin is two linear rational pieces that meet at a knot inside it, which makes the inverse as
    cheap as the function. Outside [-bound, bound] it is the identity.

    References:
        | Dolatabadi et al., Invertible generative modeling using linear rational splines:
        | https://arxiv.org/abs/2001.05168

    Arguments:
        dim: Number of elements.
        conditions: Width of the condition.
        hidden: Width of the network.
        bins: Bins of each spline.
        bound: Half the width of the interval it acts on.
    """

    def __init__(self, dim: int, conditions: int, hidden: int, bins: int, bound: float) -> None:
        super().__init__()
        self.dim, self.bins, self.bound = dim, bins, bound
        self.net = nn.Sequential(
            nn.Linear(conditions, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.heads = nn.Linear(hidden, dim * (4 * bins - 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """From noise to data, shapes (n, dim) and (n, conditions)."""
        inside = x.abs() < self.bound
        widths, knots_x, knots_y, derivatives, lambdas = self._knots(condition)
        piece = self._bin(x, knots_x, (widths, knots_x, knots_y, derivatives, lambdas))
        theta = (x - piece.left) / piece.width
        low = theta <= piece.knot
        near = torch.where(low, piece.knot - theta, theta - piece.knot)
        far = torch.where(low, theta, 1 - theta)
        end = torch.where(low, piece.bottom, piece.top)
        weight = torch.where(low, torch.ones_like(theta), piece.weight_top)
        numerator = weight * end * near + piece.weight_middle * piece.middle * far
        y = numerator / (weight * near + piece.weight_middle * far)
        return torch.where(inside, y, x)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes (n, dim) and (n,)."""
        inside = y.abs() < self.bound
        widths, knots_x, knots_y, derivatives, lambdas = self._knots(condition)
        piece = self._bin(y, knots_y, (widths, knots_x, knots_y, derivatives, lambdas))
        low = y <= piece.middle
        end = torch.where(low, piece.bottom, piece.top)
        weight = torch.where(low, torch.ones_like(y), piece.weight_top)
        to_end, to_middle = weight * (y - end).abs(), piece.weight_middle * (y - piece.middle).abs()
        share = to_end / (to_end + to_middle)  # 0 at the bin's edge, 1 at its knot
        theta = torch.where(low, piece.knot * share, 1 - (1 - piece.knot) * share)
        span = torch.where(low, piece.knot, 1 - piece.knot)
        rise = (piece.middle - end).abs()
        denominator = weight * span * (1 - share) + piece.weight_middle * span * share
        slope = weight * piece.weight_middle * span * rise / (denominator.square() * piece.width)
        x = torch.where(inside, piece.left + theta * piece.width, y)
        log_det = torch.where(inside, -slope.log(), torch.zeros_like(y))
        return x, log_det.sum(dim=-1)

    def _knots(self, condition: Tensor) -> tuple[Tensor, ...]:
        # Bins lie along the middle axis: sums over them then run over whole rows of elements.
        bins = self.bins
        raw = self.heads(self.net(condition)).view(len(condition), 4 * bins - 1, self.dim)
        widths, heights, derivatives, lambdas = raw.split([bins, bins, bins - 1, bins], dim=1)
        widths, heights = self._sizes(widths), self._sizes(heights)
        derivatives = pad(softplus(derivatives) + MIN_SIZE, (0, 0, 1, 1), value=1 - MIN_SIZE)
        lambdas = (1 - 2 * MIN_LAMBDA) * torch.sigmoid(lambdas) + MIN_LAMBDA
        return widths, self._edges(widths), self._edges(heights), derivatives, lambdas

    def _sizes(self, raw: Tensor) -> Tensor:
        share = MIN_SIZE + (1 - MIN_SIZE * self.bins) * softmax(raw, dim=1)
        return 2 * self.bound * share

    def _edges(self, sizes: Tensor) -> Tensor:
        return pad(sizes.cumsum(dim=1), (0, 0, 1, 0)) - self.bound

    def _bin(self, value: Tensor, edges: Tensor, knots: tuple[Tensor, ...]) -> _Bin:
        widths, knots_x, knots_y, derivatives, lambdas = knots
        index = (value.unsqueeze(1) >= edges[:, 1:-1]).sum(dim=1, keepdim=True)

        def at(table: Tensor, shift: int = 0) -> Tensor:
            return table.gather(1, index + shift).squeeze(1)

        width, bottom, top = at(widths), at(knots_y), at(knots_y, 1)
        left_slope, right_slope, knot = at(derivatives), at(derivatives, 1), at(lambdas)
        weight_top = (left_slope / right_slope).sqrt()
        slope = (top - bottom) / width
        weight_middle = (knot * left_slope + (1 - knot) * weight_top * right_slope) / slope
        middle = (1 - knot) * bottom + knot * weight_top * top
        middle = middle / ((1 - knot) + knot * weight_top)
        return _Bin(at(knots_x), width, bottom, middle, top, weight_middle, weight_top, knot)
