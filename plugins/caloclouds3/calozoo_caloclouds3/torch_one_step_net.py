"""PointWiseNet in torch at the largest noise level: on a GPU, or in bfloat16."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.noise_levels import LEAK, SIGMA_DATA, SIGMA_MAX
from calozoo_caloclouds3.one_step_net import DISTANCE, SIGMA_TOTAL, SKIP
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_core.typing import Float32Array

__all__ = ["TorchFoldedLayers", "TorchOneStepNet"]


class TorchFoldedLayers(NamedTuple):
    """Plain linear layers of PointWiseNet, with a weight and a bias for each shower."""

    weights: list[Tensor]
    biases: list[Tensor]
    memory: list[Tensor]
    """Memory that layers and showers use again; fresh one would cost a quarter of the time."""


class TorchOneStepNet:
    """`one_step_net.OneStepNet` in torch.

    Arguments:
        net: Trained one-step network.
        dtype: Precision of the arithmetic.
    """

    def __init__(self, net: PointWiseNet, dtype: torch.dtype = torch.float32) -> None:
        self._net, self._device, self._dtype = net, net.frequencies.device, dtype

    def fold(self, condition: Float32Array, most: int) -> TorchFoldedLayers:
        """Layers for showers of these conditions.

        Arguments:
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
            most: Largest number of points of one of them.
        """
        with torch.inference_mode():
            conditions = torch.from_numpy(condition).to(self._device)
            log_sigma = conditions.new_full((len(condition),), math.log(SIGMA_MAX))
            context = self._net.context(log_sigma, conditions)
            layers = self._net.fold(context)
            layers[0][0].mul_(SIGMA_MAX / SIGMA_TOTAL)
            for part in layers[-1]:
                part.mul_(DISTANCE * SIGMA_DATA / SIGMA_TOTAL)
            return TorchFoldedLayers(
                [weight.to(self._dtype) for weight, _ in layers],
                [bias.unsqueeze(-1).to(self._dtype) for _, bias in layers],
                [self._empty(most * max(b.shape[1] for _, b in layers)) for _ in range(2)],
            )

    def __call__(self, layers: TorchFoldedLayers, shower: int, noise: Float32Array) -> Float32Array:
        """Network features of points of one shower.

        Arguments:
            layers: Layers for some showers.
            shower: Index of the shower among them.
            noise: Standard normal, shape (4, points).

        Returns:
            Features, shape (4, points).
        """
        n = noise.shape[1]
        with torch.inference_mode():
            start = torch.from_numpy(noise).to(self._device)
            x: Tensor = start.to(self._dtype)
            last = len(layers.weights) - 1
            for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
                width = weight.shape[1]
                out = layers.memory[i % 2][: width * n].view(width, n)
                x = torch.addmm(bias[shower], weight[shower], x, out=out)
                if i < last:
                    x = leaky_relu(x, LEAK, inplace=True)
            features: Float32Array = torch.add(x, start, alpha=SKIP).cpu().numpy()
            return features

    def _empty(self, size: int) -> Tensor:
        return torch.empty(size, dtype=self._dtype, device=self._device)
