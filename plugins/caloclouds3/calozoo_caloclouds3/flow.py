"""ShowerFlow: the number of points and the energy of each layer, from a normalising flow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_caloclouds3.config import N_LAYERS, FlowConfig
from calozoo_caloclouds3.spline import ConditionalSpline

__all__ = ["AffineCoupling", "ConditionalAffine", "Permutation", "ShowerFlow"]

#: What is added to E / 127 GeV before its logarithm is taken, and what that is divided by.
LOG_FLOOR, LOG_SCALE = 1e-3, 2.0


class AffineCoupling(nn.Module):
    r"""Scales and shifts the second half of its input by what the first half and the condition say.

    .. math:: y_2 = e^{s} x_2 + m, \quad s = -\tanh(\mathrm{raw})

    so that a scale stays within [1/e, e].

    References:
        | CaloClouds3, section 3.2: https://arxiv.org/abs/2511.01460

    Arguments:
        dim: Width of the input.
        hidden: Width of the network.
        conditions: Width of the condition.
    """

    def __init__(self, dim: int, hidden: int, conditions: int = 4) -> None:
        super().__init__()
        self.split = dim // 2
        self.net = nn.Sequential(
            nn.Linear(conditions + self.split, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.shift = nn.Linear(hidden, dim - self.split)
        self.scale = nn.Linear(hidden, dim - self.split)
        _start_at_nothing(self.shift, self.scale)

    def _parameters_of(self, kept: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.net(torch.cat([condition, kept], dim=-1))
        return self.shift(hidden), -torch.tanh(self.scale(hidden))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """From noise to data, shapes (n, dim) and (n, 4)."""
        kept, moved = x[:, : self.split], x[:, self.split :]
        shift, log_scale = self._parameters_of(kept, condition)
        return torch.cat([kept, log_scale.exp() * moved + shift], dim=-1)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes (n, dim) and (n,)."""
        kept, moved = y[:, : self.split], y[:, self.split :]
        shift, log_scale = self._parameters_of(kept, condition)
        x = torch.cat([kept, (moved - shift) * (-log_scale).exp()], dim=-1)
        return x, -log_scale.sum(dim=-1)


class ConditionalAffine(nn.Module):
    """Scales and shifts every element by what the condition says.

    It stands at the data's end and takes up the mean and the spread at each energy and angle, so
    that the couplings have only the correlations left to learn.

    Arguments:
        dim: Width of the input.
        hidden: Width of the network.
        conditions: Width of the condition.
    """

    def __init__(self, dim: int, hidden: int, conditions: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(conditions, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * dim),
        )
        _start_at_nothing(self.net[-1])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """From noise to data, shapes (n, dim) and (n, 4)."""
        shift, log_scale = self.net(condition).chunk(2, dim=-1)
        return log_scale.exp() * x + shift

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes (n, dim) and (n,)."""
        shift, log_scale = self.net(condition).chunk(2, dim=-1)
        return (y - shift) * (-log_scale).exp(), -log_scale.sum(dim=-1)


class Permutation(nn.Module):
    """Reorders the elements; the order is a buffer, saved with the weights.

    The published code draws its permutations anew from a global seed, between the initialisations
    of the layers, so that its weights mean nothing under another version of its libraries.

    Arguments:
        order: Element i of the output is element `order[i]` of the input.
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """From noise to data, shape (n, dim)."""
        return x[:, self.order]

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise; the log-determinant is 0."""
        return y[:, self.inverse_order], y.new_zeros(len(y))

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)  # type: ignore[arg-type]
        self.inverse_order = self.order.argsort()


class ShowerFlow(nn.Module):
    """Draws n_0..n_29 and E_0..E_29 for an incident energy and direction.

    From noise to data a block is A P A P A P S P A P A P A P: affine couplings (A), fixed
    permutations (P) and one conditional spline (S). Two blocks make the published flow: 12 A, 2 S
    and 14 P, 6,026,520 parameters.

    References:
        | CaloClouds3, section 3.2: https://arxiv.org/abs/2511.01460

    Arguments:
        config: Sizes.
        generator: Draws the permutations; needed only for a flow that is going to be trained.

    Example:
        >>> from calozoo_caloclouds3.config import preset
        >>> flow = ShowerFlow(preset("published").flow)
        >>> sum(p.numel() for p in flow.parameters())
        6026520
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: FlowConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.dim = 2 * N_LAYERS
        self.conditions = 5 if config.log_energy else 4
        self.transforms = nn.ModuleList()
        for _ in range(config.blocks):
            for kind in "APAPAPSPAPAPAP":
                self.transforms.append(self._transform(kind, generator))
        if config.baseline_hidden is not None:
            baseline = ConditionalAffine(self.dim, config.baseline_hidden, self.conditions)
            self.transforms.append(baseline)
        # Targets are (value ** power - shift) / scale; these are the published numbers.
        per_layer = torch.ones(N_LAYERS) / N_LAYERS
        self.register_buffer("shift", torch.zeros(self.dim))
        self.register_buffer("scale", torch.cat([7864.0 * per_layer, 3400.0 * per_layer]))

    def _transform(self, kind: str, generator: torch.Generator | None) -> nn.Module:
        if kind == "A":
            return AffineCoupling(self.dim, self.config.hidden, self.conditions)
        if kind == "S":
            return ConditionalSpline(
                self.dim,
                self.conditions,
                self.config.spline_hidden,
                self.config.bins,
                self.config.bound,
            )
        return Permutation(torch.randperm(self.dim, generator=generator))

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Counts and energies before they are made whole and positive.

        Arguments:
            noise: Standard normal, shape (n, 60).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).

        Returns:
            Counts, then energies in MeV, to the power of the configuration, shape (n, 60).
        """
        condition = self._seen(condition)
        x = noise
        for transform in self.transforms:
            x = transform(x, condition)
        return x * self.scale + self.shift

    def log_prob(self, values: Tensor, condition: Tensor) -> Tensor:
        """Log-density of the normalised targets, shape (n,).

        Arguments:
            values: Counts, then energies in MeV, to the power of the configuration, (n, 60).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        """
        condition = self._seen(condition)
        x = (values - self.shift) / self.scale
        log_det = x.new_zeros(len(x))
        for transform in reversed(self.transforms):
            x, step = transform.inverse(x, condition)
            log_det = log_det + step
        normal = -0.5 * (x.square().sum(dim=-1) + self.dim * 1.8378770664093453)
        return normal + log_det

    def _seen(self, condition: Tensor) -> Tensor:
        if not self.config.log_energy:
            return condition
        log_energy = (condition[:, :1] + LOG_FLOOR).log() / LOG_SCALE + 1
        return torch.cat([condition, log_energy], dim=1)


def _start_at_nothing(*heads: nn.Module) -> None:
    """Let a transform begin its training as the identity."""
    for head in heads:
        for parameter in head.parameters():
            nn.init.zeros_(parameter)
