"""Energy network as it was published: a transformer that draws one number after the other.

Each number has a flow of its own, whose velocity depends on the numbers before it. That takes as
many evaluations as there are numbers, times those of the solver.

References:
    | CaloDREAM, section 3.1: https://arxiv.org/abs/2405.09629
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad

from calozoo_calodream.config import AutoregressiveConfig
from calozoo_core.nn.flow_matching import flow_matching_loss
from calozoo_core.nn.solvers import Solver, integrate
from calozoo_core.typing import Float32Array

__all__ = ["AutoregressiveFlow"]

FOURIER_SCALE = 30.0
"""Standard deviation of the frequencies of the time."""


class AutoregressiveFlow(nn.Module):
    """Flow of each number of a vector, given the condition and the numbers before it.

    Arguments:
        config: Sizes.
    """

    frequencies: Tensor

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = nn.Transformer(
            config.width,
            config.heads,
            config.encoder_layers,
            config.decoder_layers,
            config.feed_forward,
            dropout=0.0,
            batch_first=True,
        )
        self.time = nn.Linear(config.time_features, config.time_features)
        self.register_buffer("frequencies", FOURIER_SCALE * torch.randn(config.time_features // 2))
        layers: list[nn.Module] = [
            nn.Linear(1 + config.time_features + config.width, config.hidden),
            nn.SiLU(),
        ]
        for _ in range(config.hidden_layers):
            layers += [
                nn.Linear(config.hidden, config.hidden),
                nn.LayerNorm(config.hidden),
                nn.SiLU(),
            ]
        self.velocity = nn.Sequential(*layers, nn.Linear(config.hidden, 1))

    def loss(self, data: Tensor, condition: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Flow-matching loss of all numbers at once, a scalar.

        Arguments:
            data: Shape (n, dim).
            condition: Shape (n, conditions).
            noise: Standard normal, shape (n, dim).
            time: Between 0 and 1, shape (n x dim,).
        """
        context = self.context(data[:, :-1], condition).flatten(0, 1)
        return flow_matching_loss(
            lambda x, t: self._velocity(x, t, context), noise.view(-1, 1), data.view(-1, 1), time
        )

    def context(self, earlier: Tensor, condition: Tensor) -> Tensor:
        """Output of the transformer for each number, shape (n, 1 + earlier, width).

        Arguments:
            earlier: The first numbers, standardised, shape (n, earlier).
            condition: Shape (n, conditions).
        """
        config = self.config
        numbers = pad(earlier, (1, 0))
        length = numbers.shape[1]
        place = one_hot(torch.arange(length, device=numbers.device), config.dim)
        tokens = torch.cat([numbers[..., None], place.expand(len(numbers), -1, -1)], dim=2)
        tokens = pad(tokens, (0, config.width - tokens.shape[2]))
        source = pad(condition[..., None], (0, config.width - 1))
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=numbers.device)
        context: Tensor = self.transformer(source, tokens, tgt_mask=mask, tgt_is_causal=True)
        return context

    @torch.inference_mode()
    def sample(
        self, noise: Float32Array, condition: Tensor, evaluations: int, solver: Solver
    ) -> Float32Array:
        """Numbers, shape (n, dim), drawn one after the other.

        Arguments:
            noise: Standard normal, shape (n, dim).
            condition: Shape (n, conditions).
            evaluations: Evaluations of the velocity for each number.
            solver: Solver of the differential equation.
        """
        drawn = torch.zeros(len(noise), 0)
        for column in range(self.config.dim):
            context = self.context(drawn, condition)[:, -1]

            def velocity(x: Float32Array, time: float, own: Tensor = context) -> Float32Array:
                moment = torch.full((len(x),), time)
                result: Float32Array = self._velocity(torch.from_numpy(x), moment, own).numpy()
                return result

            number = integrate(velocity, noise[:, [column]], evaluations, solver)
            drawn = torch.cat([drawn, torch.from_numpy(number)], dim=1)
        result: Float32Array = drawn.numpy()
        return result

    def _velocity(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        angles = 2 * math.pi * time[:, None] * self.frequencies
        moment = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        velocity: Tensor = self.velocity(torch.cat([x, moment, context], dim=1))
        return velocity
