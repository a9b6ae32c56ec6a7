"""PointWiseNet as generation uses it: one noise level, conditions known, plain layers left."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.points import (
    LEAK,
    SIGMA_DATA,
    SIGMA_MAX,
    SIGMA_MIN,
    PointWiseNet,
)

__all__ = ["Folded", "OneStep"]

SPREAD = math.hypot(SIGMA_MAX, SIGMA_DATA)
DISTANCE = SIGMA_MAX - SIGMA_MIN


class Folded(NamedTuple):
    """PointWiseNet for some showers: plain linear layers, a weight and a bias for each shower."""

    weights: list[Tensor]
    biases: list[Tensor]


class OneStep:
    """From standard normal noise to points, without the detours.

    At one noise level the context of a shower is known before its points are, so that its gates can
    be multiplied into the weights: what is left are plain linear layers. The scales before and
    behind the network go into the first and the last of them.

    Arguments:
        net: The one-step network.
        dtype: Of the arithmetic.
    """

    def __init__(self, net: PointWiseNet, dtype: torch.dtype = torch.float32) -> None:
        self._net, self._device, self._dtype = net, net.frequencies.device, dtype
        self._memory = [torch.empty(0, dtype=dtype, device=self._device) for _ in range(2)]
        self._skip = SIGMA_MAX * SIGMA_DATA**2 / (DISTANCE**2 + SIGMA_DATA**2)

    def folded(self, condition: NDArray[np.float32]) -> Folded:
        """The network for showers of these conditions.

        Arguments:
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        """
        with torch.inference_mode():
            conditions = torch.from_numpy(condition).to(self._device)
            log_sigma = conditions.new_full((len(condition),), math.log(SIGMA_MAX))
            context = self._net.context(log_sigma, conditions)
            layers = [layer.folded(context) for layer in self._net.layers]
            layers[0][0].mul_(SIGMA_MAX / SPREAD)
            for part in layers[-1]:
                part.mul_(DISTANCE * SIGMA_DATA / SPREAD)
            return Folded(
                [weight.to(self._dtype) for weight, _ in layers],
                [bias.unsqueeze(-1).to(self._dtype) for _, bias in layers],
            )

    def __call__(
        self, layers: Folded, shower: int, noise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Network features of points of one shower.

        Arguments:
            layers: The network for some showers.
            shower: Which of them.
            noise: Standard normal, shape (4, points).

        Returns:
            Features, shape (4, points).
        """
        n = noise.shape[1]
        with torch.inference_mode():
            start = torch.from_numpy(noise).to(self._device)
            x: Tensor = start.to(self._dtype)
            last = len(layers.weights) - 1
            for i, (weight, bias) in enumerate(zip(*layers, strict=True)):
                out = self._buffer(i % 2, weight.shape[1], n)
                x = torch.addmm(bias[shower], weight[shower], x, out=out)
                if i < last:
                    x = leaky_relu(x, LEAK, inplace=True)
            features: NDArray[np.float32] = torch.add(x, start, alpha=self._skip).cpu().numpy()
            return features

    def _buffer(self, which: int, width: int, n: int) -> Tensor:
        """A piece of memory that is used for every layer and shower again.

        Fresh memory for each would cost more than a quarter of the network's time.
        """
        if self._memory[which].numel() < width * n:
            self._memory[which] = torch.empty(width * n, dtype=self._dtype, device=self._device)
        return self._memory[which][: width * n].view(width, n)
