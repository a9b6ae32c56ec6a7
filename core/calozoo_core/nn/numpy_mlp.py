"""Multilayer perceptrons in numpy, as generation uses them, with the weights of torch's layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from calozoo_core.typing import Float32Array

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["linear", "numpy_mlp", "silu", "to_float32"]


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
