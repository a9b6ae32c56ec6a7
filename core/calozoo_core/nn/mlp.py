"""Multilayer perceptrons: in torch for training, and in numpy with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from calozoo_core.typing import Float32Array

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["linear", "mlp", "numpy_mlp", "silu", "to_float32", "zero_init"]


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


def to_float32(tensor: Tensor) -> Float32Array:
    """Copy of a tensor as a contiguous array."""
    array: Float32Array = np.array(tensor.detach().float().cpu().numpy(), order="C", copy=True)
    return array


def linear(layer: nn.Module) -> tuple[Float32Array, Float32Array]:
    """Weight, shape (inputs, outputs), and bias, shape (outputs,), of a linear layer, copied."""
    weight = to_float32(layer.weight.T)  # type: ignore[arg-type]
    if layer.bias is None:
        return weight, np.zeros(weight.shape[1], np.float32)
    return weight, to_float32(layer.bias)  # type: ignore[arg-type]


def silu(x: Float32Array) -> Float32Array:
    """Activation x / (1 + exp(-x)), in place, without an overflow anywhere."""
    half = np.tanh(x * np.float32(0.5))
    half += 1
    half *= np.float32(0.5)
    x *= half
    return x


def _relu(x: Float32Array) -> Float32Array:
    return np.maximum(x, np.float32(0), out=x)


def numpy_mlp(net: nn.Sequential) -> Callable[[Float32Array], Float32Array]:
    """Forward pass of an `mlp` on arrays; dropout is left out.

    Arguments:
        net: Linear layers with ReLU, LeakyReLU or SiLU; its weights are copied.

    Returns:
        Function from inputs, shape (n, inputs), to outputs, shape (n, outputs).

    Raises:
        TypeError: If the network has a layer of another kind.
    """
    from torch import nn

    steps: list[Callable[[Float32Array], Float32Array]] = []
    for module in net:
        match module:
            case nn.Linear():
                steps.append(_affine(*linear(module)))
            case nn.ReLU():
                steps.append(_relu)
            case nn.LeakyReLU():
                steps.append(_leaky_relu(module.negative_slope))
            case nn.SiLU():
                steps.append(silu)
            case nn.Dropout():
                pass
            case _:
                msg = f"{type(module).__name__} has no counterpart in numpy."
                raise TypeError(msg)

    def forward(x: Float32Array) -> Float32Array:
        for step in steps:
            x = step(x)
        return x

    return forward


def _affine(weight: Float32Array, bias: Float32Array) -> Callable[[Float32Array], Float32Array]:
    def affine(x: Float32Array) -> Float32Array:
        y: Float32Array = x @ weight
        y += bias
        return y

    return affine


def _leaky_relu(slope: float) -> Callable[[Float32Array], Float32Array]:
    def leaky_relu(x: Float32Array) -> Float32Array:
        y: Float32Array = np.maximum(x, np.float32(slope) * x)
        return y

    return leaky_relu
