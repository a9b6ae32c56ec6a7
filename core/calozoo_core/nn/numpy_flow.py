"""Transforms of normalizing flows in numpy, as generation uses them: one direction, values only.

The transforms of `calozoo_core.nn.flow`, from their sizes and tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calozoo_core.kernels import compiled_lanes
from calozoo_core.nn.mlp import Mlp
from calozoo_core.nn.numpy_spline import inverse_rational_quadratic
from calozoo_core.nn.packing import filled, matrix, packed, width
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = ["NumpyStep", "SplineCouplingSizes", "act_norm", "act_norm_layout", "permutation"]

MOST_HIDDEN = 7
"""Hidden layers of a network that the compiled kernel has room for."""

NumpyStep = Callable[[Float32Array, Float32Array], Float32Array]
"""Function of values, shape (n, dim), and condition, shape (n, conditions), to values."""


def permutation(order: IntArray, *, inverse: bool = False) -> NumpyStep:
    """Fixed permutation; element i of the output is element `order[i]` of the input."""
    order = order.argsort() if inverse else order
    return lambda x, _: x.take(order, axis=1)


def act_norm_layout(dim: int) -> Layout:
    """Layout of an ActNorm of `dim` elements."""
    return {"shift": TensorLayout((dim,)), "log_scale": TensorLayout((dim,))}


def act_norm(arrays: Arrays, *, inverse: bool = False) -> NumpyStep:
    """Shift and scale of every element."""
    shift, log_scale = arrays["shift"], arrays["log_scale"]
    if inverse:
        scale = np.exp(-log_scale)
        return lambda y, _: y * scale + shift
    scale = np.exp(log_scale)
    return lambda x, _: (x - shift) * scale


@dataclass(frozen=True)
class SplineCouplingSizes:
    """Sizes of a `flow.SplineCoupling` with rational-quadratic splines.

    Arguments:
        dim: Number of elements.
        conditions: Width of the condition.
        hidden: Widths of the hidden layers of the network.
        bound: Half the width of the interval it acts on.
        parameters: Raw parameters of each spline; those of another kind have a layout, and no
            inverse in numpy.
        batch_norm: Its network has batch normalisation.
        dropout: Its network has dropout.
    """

    dim: int
    conditions: int
    hidden: tuple[int, ...]
    bound: float
    parameters: int
    batch_norm: bool = False
    dropout: bool = False

    @property
    def identity_features(self) -> int:
        """Elements that shape the splines of the others."""
        return (self.dim + 1) // 2 if self.dim > 1 else 0

    @property
    def network(self) -> Mlp:
        """Network of the raw parameters."""
        return Mlp(
            self.identity_features + self.conditions,
            self.hidden,
            (self.dim - self.identity_features) * self.parameters,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
        )

    def layout(self) -> Layout:
        """Layout of its tensors."""
        return prefixed("net", self.network.layout())

    def inverse(self, arrays: Arrays) -> NumpyStep:
        """Inverse of the coupling with rational-quadratic splines."""
        network, identity = self.network.function(part(arrays, "net")), self.identity_features
        parameters, bound = self.parameters, self.bound
        compiled = _CompiledInverse(self, arrays) if len(self.hidden) <= MOST_HIDDEN else None

        def step(y: Float32Array, condition: Float32Array) -> Float32Array:
            lanes = compiled_lanes()
            if lanes and compiled is not None:
                return compiled(y, condition, lanes)
            raw = network(np.concatenate([y[:, :identity], condition], axis=1))
            raw = raw.reshape(len(y), parameters, -1)
            x = inverse_rational_quadratic(y[:, identity:], raw, bound)
            return np.concatenate([y[:, :identity], x], axis=1)

        return step


class _CompiledInverse:
    """Inverse of a coupling by a compiled kernel, with the weights as it reads them.

    Arguments:
        sizes: Sizes of the coupling.
        arrays: Its tensors.
    """

    def __init__(self, sizes: SplineCouplingSizes, arrays: Arrays) -> None:
        self._sizes, self._bins = sizes, (sizes.parameters + 1) // 3
        rows, parts, widths = sizes.network.inputs, [], []
        for weight, bias in sizes.network.layers(part(arrays, "net")):
            parts += [matrix(weight, rows=rows), filled(bias)]
            rows = width(len(bias))
            widths.append(rows)
        self._weights, self._widths = packed(parts), np.array(widths[:-1], np.int32)

    def __call__(self, y: Float32Array, condition: Float32Array, lanes: int) -> Float32Array:
        from calozoo_core.kernels import _compiled

        sizes = self._sizes
        x = np.empty((len(y), sizes.dim), np.float32)
        _compiled.couple_splines(
            np.ascontiguousarray(y, np.float32),
            np.ascontiguousarray(condition, np.float32),
            self._weights,
            x,
            self._widths,
            sizes.identity_features,
            sizes.dim,
            sizes.conditions,
            self._bins,
            sizes.bound,
            lanes,
        )
        return x
