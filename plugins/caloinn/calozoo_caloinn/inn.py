"""Invertible network: baseline, ActNorm, spline couplings and permutations, from data to noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_caloinn.config import InnConfig
from calozoo_caloinn.numpy_inn import NumpyInn, Sampler, has_numpy
from calozoo_core.nn.flow import (
    ActNorm,
    Permutation,
    SplineCoupling,
    Transform,
    standard_normal_log_prob,
)
from calozoo_core.nn.mlp import mlp
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["Baseline", "Inn", "StandardisedNetwork", "inn_sampler", "torch_sampler"]


class Baseline(Transform):
    """Affine transform that removes mean and spread of every element, given the condition.

    It stands at the data's end: the first elements (the ratios of layers) are conditioned on the
    condition, the others (the voxels) on the condition and the first elements. A triangular affine
    map, so the couplings behind it have only shapes and correlations to learn.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: InnConfig) -> None:
        super().__init__()
        assert config.baseline_hidden is not None
        self.head = config.baseline_head
        hidden = (config.baseline_hidden,) * 2
        self.of_head = mlp(
            config.conditions,
            hidden,
            2 * self.head,
            activation=nn.SiLU,
            dropout=config.dropout,
        )
        self.of_rest: nn.Sequential | None = None
        if rest := config.dim - self.head:
            inputs = self.head + config.conditions
            self.of_rest = mlp(inputs, hidden, 2 * rest, activation=nn.SiLU, dropout=config.dropout)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        head, rest = x[:, : self.head], x[:, self.head :]
        shift, log_scale = self.of_head(condition).chunk(2, dim=1)
        z, log_det = (head - shift) * log_scale.exp(), log_scale.sum(dim=1)
        if self.of_rest is None:
            return z, log_det
        shift, log_scale = self.of_rest(torch.cat([head, condition], dim=1)).chunk(2, dim=1)
        z = torch.cat([z, (rest - shift) * log_scale.exp()], dim=1)
        return z, log_det + log_scale.sum(dim=1)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.of_head(condition).chunk(2, dim=1)
        head, log_det = y[:, : self.head] * (-log_scale).exp() + shift, -log_scale.sum(dim=1)
        if self.of_rest is None:
            return head, log_det
        shift, log_scale = self.of_rest(torch.cat([head, condition], dim=1)).chunk(2, dim=1)
        x = torch.cat([head, y[:, self.head :] * (-log_scale).exp() + shift], dim=1)
        return x, log_det - log_scale.sum(dim=1)


class StandardisedNetwork(nn.Module):
    """Network whose data and conditions are standardised by means and standard deviations.

    They are buffers, saved with the weights.

    Arguments:
        dim: Width of the data.
        conditions: Width of the condition.
    """

    shift: Tensor
    scale: Tensor
    condition_shift: Tensor
    condition_scale: Tensor

    def __init__(self, dim: int, conditions: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("condition_shift", torch.zeros(conditions))
        self.register_buffer("condition_scale", torch.ones(conditions))

    @torch.no_grad()
    def initialise(self, x: Tensor, condition: Tensor) -> None:
        """Set the standardisation from a batch.

        Arguments:
            x: Data, shape (n, dim).
            condition: Condition, shape (n, conditions).
        """
        self.shift.copy_(x.mean(dim=0))
        self.scale.copy_(x.std(dim=0).clamp_min(1e-3))
        self.condition_shift.copy_(condition.mean(dim=0))
        self.condition_scale.copy_(condition.std(dim=0).clamp_min(1e-3))

    def normalise(self, x: Tensor) -> Tensor:
        """Standardised data, shape (n, dim)."""
        return (x - self.shift) / self.scale

    def normalise_condition(self, condition: Tensor) -> Tensor:
        """Standardised condition, shape (n, conditions)."""
        return (condition - self.condition_shift) / self.condition_scale


class Inn(StandardisedNetwork):
    r"""Invertible network with a tractable density.

    A block is ActNorm, spline coupling, permutation; the first has no ActNorm, since its input is
    standardised already.

    References:
        | CaloINN, section 3: https://arxiv.org/abs/2312.09290

    Arguments:
        config: Sizes.
        generator: Draws the permutations; needed only for a network that is going to be trained.

    Example:
        >>> from calozoo_caloinn.config import InnConfig
        >>> inn = Inn(InnConfig(dim=4, blocks=2, hidden=8))
        >>> noise, _ = inn(torch.zeros(3, 4), torch.zeros(3, 1))
        >>> torch.allclose(inn.inverse(noise, torch.zeros(3, 1)), torch.zeros(3, 4), atol=1e-6)
        True
    """

    def __init__(self, config: InnConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config.dim, config.conditions)
        self.config = config
        self.transforms = nn.ModuleList()
        if config.baseline_hidden is not None:
            self.transforms.append(Baseline(config))
        for block in range(config.blocks):
            if config.act_norm and block > 0:
                self.transforms.append(ActNorm(config.dim))
            coupling = SplineCoupling(
                config.dim,
                config.conditions,
                (config.hidden,) * config.hidden_layers,
                bins=config.bins,
                bound=config.bound,
                kind=config.spline,
                batch_norm=config.batch_norm,
                dropout=config.dropout,
            )
            self.transforms.append(coupling)
            order = torch.randperm(config.dim, generator=generator)
            self.transforms.append(Permutation(order))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Noise of data, with the log-determinant, shapes (n, dim) and (n,).

        Arguments:
            x: Data, shape (n, dim).
            condition: Condition, shape (n, conditions).
        """
        condition, z = self.normalise_condition(condition), self.normalise(x)
        log_det = -self.scale.log().sum().expand(len(x))
        for transform in self.transforms:
            z, step = transform(z, condition)
            log_det = log_det + step
        return z, log_det

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Data of noise, shape (n, dim).

        Arguments:
            z: Noise, shape (n, dim).
            condition: Condition, shape (n, conditions).
        """
        condition = self.normalise_condition(condition)
        for transform in reversed(self.transforms):
            assert isinstance(transform, Transform)
            z, _ = transform.inverse(z, condition)
        return z * self.scale + self.shift

    def to_numpy(self) -> NumpyInn:
        """The inverse in numpy, with copies of the weights."""
        return NumpyInn(self.config, network_arrays(self))

    def log_prob(self, x: Tensor, condition: Tensor) -> Tensor:
        """Log-density of data, shape (n,)."""
        z, log_det = self(x, condition)
        density: Tensor = standard_normal_log_prob(z) + log_det
        return density

    @torch.no_grad()
    def initialise(self, x: Tensor, condition: Tensor) -> None:
        """Set the standardisation, and that of every ActNorm, from a batch."""
        super().initialise(x, condition)
        condition, z = self.normalise_condition(condition), self.normalise(x)
        for transform in self.transforms:
            if isinstance(transform, ActNorm):
                transform.initialise(z)
            z, _ = transform(z, condition)


def inn_sampler(inn: nn.Module) -> Sampler:
    """Sampler of an invertible network: in numpy where that is possible.

    Arguments:
        inn: Trained `Inn`.
    """
    assert isinstance(inn, Inn)
    return inn.to_numpy() if has_numpy(inn.config) else torch_sampler(inn)


def torch_sampler(inn: nn.Module) -> Sampler:
    """Sampler of an invertible network, computed by torch.

    Arguments:
        inn: Trained `Inn`.
    """
    assert isinstance(inn, Inn)

    def sample(noise: Float32Array, condition: Float32Array) -> Float32Array:
        with torch.inference_mode():
            data: Float32Array = inn.inverse(
                torch.from_numpy(noise), torch.from_numpy(condition)
            ).numpy()
        return data

    return sample
