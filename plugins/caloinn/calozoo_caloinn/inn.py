"""The invertible network: ActNorm, spline couplings and permutations, from data to noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_caloinn.config import InnConfig
from calozoo_caloinn.splines import cubic, parameters_per_element, rational_quadratic

__all__ = ["ActNorm", "Baseline", "Inn", "Permutation", "SplineCoupling", "mlp"]

LOG_2PI = 1.8378770664093453


class ActNorm(nn.Module):
    """Shifts and scales every element, to mean 0 and spread 1 on the first batch.

    Arguments:
        dim: Width of the input.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Take mean and spread from a batch, shape (n, dim)."""
        self.shift.copy_(x.mean(dim=0))
        self.log_scale.copy_(-x.std(dim=0).clamp_min(1e-3).log())

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards noise, with the log-determinant, shapes (n, dim) and (n,)."""
        return (x - self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Towards data, shape (n, dim)."""
        return z * (-self.log_scale).exp() + self.shift


class Permutation(nn.Module):
    """Reorders the elements; the order is a buffer, saved with the weights.

    An index does what the public code does with a dense matrix, at none of its cost.

    Arguments:
        order: Element i of the output is element `order[i]` of the input.
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards noise; the log-determinant is 0."""
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Towards data."""
        return z[:, self.inverse_order]

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.inverse_order = self.order.argsort()


class SplineCoupling(nn.Module):
    """Bends the second half of its input by splines that the first half and the condition shape.

    A single element is bent by what the condition alone says.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: InnConfig) -> None:
        super().__init__()
        self.kept = (config.dim + 1) // 2 if config.dim > 1 else 0
        self.moved = config.dim - self.kept
        self.bound = config.bound
        self.kind = config.spline
        self.per_element = parameters_per_element(config.spline, config.bins)
        self.net = mlp(
            self.kept + config.conditions,
            (config.hidden,) * config.hidden_layers,
            self.moved * self.per_element,
            batch_norm=config.batch_norm,
            dropout=config.dropout,
        )

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards noise, with the log-determinant, shapes (n, dim) and (n,)."""
        return self._bent(x, condition, inverse=False)

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Towards data, shape (n, dim)."""
        return self._bent(z, condition, inverse=True)[0]

    def _bent(self, x: Tensor, condition: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        raw: Tensor = self.net(torch.cat([kept, condition], dim=1))
        spline = rational_quadratic if self.kind == "rational-quadratic" else cubic
        bent, log_slope = spline(
            moved, raw.view(len(x), self.per_element, self.moved), self.bound, inverse=inverse
        )
        return torch.cat([kept, bent], dim=1), log_slope.sum(dim=1)


class Baseline(nn.Module):
    """Takes mean and spread out of every element, as energy, direction and layer ratios say them.

    Stands at the data's end: the ratios of layers by what the condition says, the voxels by what
    the condition and those ratios say. A triangular affine map, so the couplings behind it have
    only shapes and correlations to learn.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: InnConfig) -> None:
        super().__init__()
        assert config.baseline_hidden is not None
        self.head = config.baseline_head
        hidden = (config.baseline_hidden,) * 2
        self.of_head = mlp(
            config.conditions, hidden, 2 * self.head, smooth=True, dropout=config.dropout
        )
        self.of_rest: nn.Sequential | None = None
        if rest := config.dim - self.head:
            inputs = self.head + config.conditions
            self.of_rest = mlp(inputs, hidden, 2 * rest, smooth=True, dropout=config.dropout)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards noise, with the log-determinant, shapes (n, dim) and (n,)."""
        head, rest = x[:, : self.head], x[:, self.head :]
        shift, log_scale = self.of_head(condition).chunk(2, dim=1)
        z = (head - shift) * log_scale.exp()
        if self.of_rest is None:
            return z, log_scale.sum(dim=1)
        rest_shift, rest_scale = self.of_rest(torch.cat([head, condition], dim=1)).chunk(2, dim=1)
        z = torch.cat([z, (rest - rest_shift) * rest_scale.exp()], dim=1)
        return z, log_scale.sum(dim=1) + rest_scale.sum(dim=1)

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """Towards data, shape (n, dim)."""
        shift, log_scale = self.of_head(condition).chunk(2, dim=1)
        head = z[:, : self.head] * (-log_scale).exp() + shift
        if self.of_rest is None:
            return head
        told = torch.cat([head, condition], dim=1)
        shift, log_scale = self.of_rest(told).chunk(2, dim=1)
        return torch.cat([head, z[:, self.head :] * (-log_scale).exp() + shift], dim=1)


class Inn(nn.Module):
    r"""An invertible network with a tractable density.

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

    shift: Tensor
    scale: Tensor
    condition_shift: Tensor
    condition_scale: Tensor

    def __init__(self, config: InnConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("shift", torch.zeros(config.dim))
        self.register_buffer("scale", torch.ones(config.dim))
        self.register_buffer("condition_shift", torch.zeros(config.conditions))
        self.register_buffer("condition_scale", torch.ones(config.conditions))
        self.transforms = nn.ModuleList()
        if config.baseline_hidden is not None:
            self.transforms.append(Baseline(config))
        for block in range(config.blocks):
            if config.act_norm and block > 0:
                self.transforms.append(ActNorm(config.dim))
            self.transforms.append(SplineCoupling(config))
            order = torch.randperm(config.dim, generator=generator)
            self.transforms.append(Permutation(order))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant, shapes (n, dim) and (n,)."""
        condition = self._seen(condition)
        z = (x - self.shift) / self.scale
        log_det = -self.scale.log().sum().expand(len(x))
        for transform in self.transforms:
            z, step = transform(z, condition)
            log_det = log_det + step
        return z, log_det

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """From noise to data, shape (n, dim)."""
        condition = self._seen(condition)
        for transform in reversed(self.transforms):
            z = transform.inverse(z, condition)  # type: ignore[operator]
        return z * self.scale + self.shift

    def log_prob(self, x: Tensor, condition: Tensor) -> Tensor:
        """Log-density of data, shape (n,)."""
        z, log_det = self(x, condition)
        density: Tensor = log_det - 0.5 * (z.square().sum(dim=1) + self.config.dim * LOG_2PI)
        return density

    @torch.no_grad()
    def initialise(self, x: Tensor, condition: Tensor) -> None:
        """Take the standardisation, and that of every ActNorm, from a batch."""
        self.shift.copy_(x.mean(dim=0))
        self.scale.copy_(x.std(dim=0).clamp_min(1e-3))
        self.condition_shift.copy_(condition.mean(dim=0))
        self.condition_scale.copy_(condition.std(dim=0).clamp_min(1e-3))
        condition = self._seen(condition)
        z = (x - self.shift) / self.scale
        for transform in self.transforms:
            if isinstance(transform, ActNorm):
                transform.initialise(z)
            z, _ = transform(z, condition)

    def _seen(self, condition: Tensor) -> Tensor:
        return (condition - self.condition_shift) / self.condition_scale


def mlp(
    inputs: int,
    hidden: tuple[int, ...],
    outputs: int,
    *,
    batch_norm: bool = False,
    dropout: float = 0.0,
    smooth: bool = False,
) -> nn.Sequential:
    """Linear layers with LeakyReLU (SiLU if smooth) between them; the last begins at zero."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(nn.Linear(inputs, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.SiLU() if smooth else nn.LeakyReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
    last = nn.Linear(inputs, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
