"""Multilayer perceptrons: in torch for training, and in numpy with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Mlp", "gelu", "leaky_relu", "linear", "linear_layout", "mlp", "silu", "zero_init"]

Activation = Literal["relu", "leaky_relu", "silu"]

LEAK = 0.01
"""Slope of torch's LeakyReLU below zero."""

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance by torch's BatchNorm1d."""


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int | None = None,
    *,
    activation: type[nn.Module] | None = None,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Multilayer perceptron, whose last layer begins at zero.

    Arguments:
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output; `None` ends with the activation of the last hidden layer.
        activation: Class of the activations; by default LeakyReLU.
        batch_norm: Add batch normalisation before each activation.
        dropout: Share of hidden numbers dropped in training.
    """
    from torch import nn

    activation = activation or nn.LeakyReLU
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(nn.Linear(inputs, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
    if outputs is not None:
        layers.append(zero_init(nn.Linear(inputs, outputs)))
    return nn.Sequential(*layers)


def zero_init(layer: nn.Linear) -> nn.Linear:
    """Layer with weight and bias set to zero, so that a transform begins as the identity."""
    from torch.nn.init import zeros_

    zeros_(layer.weight)
    zeros_(layer.bias)
    return layer


def linear_layout(name: str, inputs: int, outputs: int, *, bias: bool = True) -> Layout:
    """Layout of a linear layer of this name."""
    layout = {f"{name}.weight": TensorLayout((outputs, inputs))}
    return layout | {f"{name}.bias": TensorLayout((outputs,))} if bias else layout


def linear(arrays: Arrays, name: str) -> tuple[Float32Array, Float32Array]:
    """Weight, shape (inputs, outputs), and bias, shape (outputs,), of a linear layer."""
    weight = np.ascontiguousarray(arrays[f"{name}.weight"].T)
    bias = arrays.get(f"{name}.bias")
    return weight, np.zeros(weight.shape[1], np.float32) if bias is None else bias


def silu(x: Float32Array) -> Float32Array:
    """Activation x / (1 + exp(-x)), in place, without an overflow anywhere."""
    half = np.tanh(x * np.float32(0.5))
    half += 1
    half *= np.float32(0.5)
    x *= half
    return x


def gelu(x: Float32Array) -> Float32Array:
    """Activation, in its form with a hyperbolic tangent, in place."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= np.float32(0.7978845608)
    np.tanh(inner, out=inner)
    inner += 1
    inner *= np.float32(0.5)
    x *= inner
    return x


def leaky_relu(x: Float32Array, slope: float = LEAK) -> Float32Array:
    """Activation max(x, slope x), in place."""
    np.maximum(x, np.float32(slope) * x, out=x)
    return x


def _relu(x: Float32Array) -> Float32Array:
    return np.maximum(x, np.float32(0), out=x)


_ACTIVATIONS: dict[Activation, Callable[[Float32Array], Float32Array]] = {
    "relu": _relu,
    "leaky_relu": leaky_relu,
    "silu": silu,
}


@dataclass(frozen=True)
class Mlp:
    """Sizes of a multilayer perceptron `mlp`, from which its layout and function follow.

    Arguments:
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output; `None` ends with the activation of the last hidden layer.
        activation: Kind of the activations.
        batch_norm: It has batch normalisation before each activation.
        dropout: It has dropout behind each activation, which counts as a layer.

    Example:
        >>> list(Mlp(2, (4,), 1).layout())
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int | None = None
    activation: Activation = "leaky_relu"
    batch_norm: bool = False
    dropout: bool = False

    def layout(self) -> Layout:
        """Layout of its tensors."""
        layout: Layout = {}
        widths = (self.inputs, *self.hidden)
        for number, (inputs, outputs) in enumerate(pairwise(widths)):
            at = number * self._step
            layout |= linear_layout(str(at), inputs, outputs)
            if self.batch_norm:
                names = ("weight", "bias", "running_mean", "running_var")
                layout |= {
                    f"{at + 1}.{name}": TensorLayout((outputs,), is_trained="running" not in name)
                    for name in names
                }
                layout[f"{at + 1}.num_batches_tracked"] = TensorLayout.table(dtype="int64")
        if self.outputs is not None:
            layout |= linear_layout(str(len(self.hidden) * self._step), widths[-1], self.outputs)
        return layout

    def layers(self, arrays: Arrays) -> list[tuple[Float32Array, Float32Array]]:
        """Weight, shape (inputs, outputs), and bias of each layer; normalisations are in them.

        Arguments:
            arrays: Tensors of its layout.
        """
        layers = [self._hidden_layer(arrays, i * self._step) for i in range(len(self.hidden))]
        if self.outputs is not None:
            layers.append(linear(arrays, str(len(self.hidden) * self._step)))
        return layers

    def function(self, arrays: Arrays) -> Callable[[Float32Array], Float32Array]:
        """Function from inputs, shape (n, inputs), to outputs, shape (n, outputs).

        Arguments:
            arrays: Tensors of its layout.
        """
        layers = self.layers(arrays)
        hidden, activate = layers[: len(self.hidden)], _ACTIVATIONS[self.activation]
        last = None if self.outputs is None else layers[-1]

        def forward(x: Float32Array) -> Float32Array:
            for weight, bias in hidden:
                x = x @ weight
                x += bias
                x = activate(x)
            if last is None:
                return x
            y: Float32Array = x @ last[0]
            y += last[1]
            return y

        return forward

    @property
    def _step(self) -> int:
        """Layers of torch for each hidden layer."""
        return 2 + self.batch_norm + self.dropout

    def _hidden_layer(self, arrays: Arrays, at: int) -> tuple[Float32Array, Float32Array]:
        weight, bias = linear(arrays, str(at))
        if not self.batch_norm:
            return weight, bias
        norm = {name: arrays[f"{at + 1}.{name}"] for name in ("weight", "bias")}
        mean, variance = (arrays[f"{at + 1}.running_{name}"] for name in ("mean", "var"))
        spread = np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        factor = np.asarray(norm["weight"] / spread, np.float32)
        shift = np.asarray((bias - mean) * factor + norm["bias"], np.float32)
        return weight * factor, shift
