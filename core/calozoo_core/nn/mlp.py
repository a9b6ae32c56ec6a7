"""Multilayer perceptrons in torch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

__all__ = ["mlp", "zero_init"]


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int | None = None,
    *,
    activation: type[nn.Module] = nn.LeakyReLU,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Multilayer perceptron, whose last layer begins at zero.

    Arguments:
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output; `None` ends with the activation of the last hidden layer.
        activation: Class of the activations.
        batch_norm: Add batch normalisation before each activation.
        dropout: Share of hidden numbers dropped in training.
    """
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
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
