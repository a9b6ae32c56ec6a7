"""ShowerFlow in torch, as training uses it; `layer_flow` has it in numpy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_caloclouds3.config import N_LAYERS, FlowConfig
from calozoo_caloclouds3.layer_flow import BLOCK, DIM, LOG_FLOOR, LOG_SCALE, NumpyShowerFlow
from calozoo_core.nn.flow import Permutation, Transform, standard_normal_log_prob
from calozoo_core.nn.mlp import mlp, zero_init
from calozoo_core.nn.spline import linear_rational, n_parameters
from calozoo_core.weights.trained_model import network_arrays

__all__ = [
    "AffineCoupling",
    "ConditionalAffine",
    "ConditionalSpline",
    "ShowerFlow",
]


class AffineCoupling(Transform):
    r"""Affine transform of the second half, given the first half and the condition.

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
        self.net = mlp(conditions + self.split, (hidden, hidden), activation=nn.ReLU)
        self.shift = zero_init(nn.Linear(hidden, dim - self.split))
        self.scale = zero_init(nn.Linear(hidden, dim - self.split))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        identity, moved = x[:, : self.split], x[:, self.split :]
        shift, log_scale = self._shift_and_log_scale(identity, condition)
        y = torch.cat([identity, log_scale.exp() * moved + shift], dim=-1)
        return y, log_scale.sum(dim=-1)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        identity, moved = y[:, : self.split], y[:, self.split :]
        shift, log_scale = self._shift_and_log_scale(identity, condition)
        x = torch.cat([identity, (moved - shift) * (-log_scale).exp()], dim=-1)
        return x, -log_scale.sum(dim=-1)

    def _shift_and_log_scale(self, identity: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.net(torch.cat([condition, identity], dim=-1))
        return self.shift(hidden), -torch.tanh(self.scale(hidden))


class ConditionalAffine(Transform):
    """Affine transform of every element, given the condition alone.

    It stands at the data's end and takes up the mean and the spread at each energy and angle, so
    that the couplings have only the correlations left to learn.

    Arguments:
        dim: Width of the input.
        hidden: Width of the network.
        conditions: Width of the condition.
    """

    def __init__(self, dim: int, hidden: int, conditions: int = 4) -> None:
        super().__init__()
        self.net = mlp(conditions, (hidden, hidden), 2 * dim, activation=nn.SiLU)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.net(condition).chunk(2, dim=-1)
        return log_scale.exp() * x + shift, log_scale.sum(dim=-1)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.net(condition).chunk(2, dim=-1)
        return (y - shift) * (-log_scale).exp(), -log_scale.sum(dim=-1)


class ConditionalSpline(Transform):
    """Linear rational spline on every element, given the condition alone.

    Arguments:
        dim: Number of elements.
        conditions: Width of the condition.
        hidden: Width of the network.
        bins: Bins of each spline.
        bound: Half the width of the interval it acts on.
    """

    def __init__(self, dim: int, conditions: int, hidden: int, bins: int, bound: float) -> None:
        super().__init__()
        self.dim, self.bound = dim, bound
        self.net = mlp(conditions, (hidden, hidden), activation=nn.ReLU)
        self.heads = nn.Linear(hidden, dim * n_parameters(bins, "linear-rational"))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self._spline(x, condition, inverse=False)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self._spline(y, condition, inverse=True)

    def _spline(self, x: Tensor, condition: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
        # Parameters lie along the middle axis: sums over bins then run over rows of elements.
        raw = self.heads(self.net(condition)).view(len(condition), -1, self.dim)
        y, log_slope = linear_rational(x, raw, self.bound, inverse=inverse, dim=1)
        return y, log_slope.sum(dim=-1)


class ShowerFlow(nn.Module):
    """Normalizing flow of n_0..n_29 and E_0..E_29, given incident energy and direction.

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
        self.dim = DIM
        self.conditions = 5 if config.log_energy else 4
        self.transforms = nn.ModuleList()
        for _ in range(config.blocks):
            for kind in BLOCK:
                self.transforms.append(self._transform(kind, generator))
        if config.baseline_hidden is not None:
            baseline = ConditionalAffine(self.dim, config.baseline_hidden, self.conditions)
            self.transforms.append(baseline)
        # Targets are (value ** power - shift) / scale; these are the published numbers.
        per_layer = torch.ones(N_LAYERS) / N_LAYERS
        self.register_buffer("shift", torch.zeros(self.dim))
        self.register_buffer("scale", torch.cat([7864.0 * per_layer, 3400.0 * per_layer]))

    def _transform(self, kind: str, generator: torch.Generator | None) -> Transform:
        config = self.config
        if kind == "A":
            return AffineCoupling(self.dim, config.hidden, self.conditions)
        if kind == "S":
            return ConditionalSpline(
                self.dim, self.conditions, config.spline_hidden, config.bins, config.bound
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
        condition = self._normalise_condition(condition)
        x = noise
        for transform in self.transforms:
            x, _ = transform(x, condition)
        return x * self.scale + self.shift

    def log_prob(self, values: Tensor, condition: Tensor) -> Tensor:
        """Log-density of the normalised targets, shape (n,).

        Arguments:
            values: Counts, then energies in MeV, to the power of the configuration, (n, 60).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        """
        condition = self._normalise_condition(condition)
        x = (values - self.shift) / self.scale
        log_det = x.new_zeros(len(x))
        for transform in reversed(self.transforms):
            assert isinstance(transform, Transform)
            x, step = transform.inverse(x, condition)
            log_det = log_det + step
        return standard_normal_log_prob(x) + log_det

    def to_numpy(self) -> NumpyShowerFlow:
        """The flow in numpy, with copies of the weights."""
        return NumpyShowerFlow(self.config, network_arrays(self))

    def _normalise_condition(self, condition: Tensor) -> Tensor:
        if not self.config.log_energy:
            return condition
        log_energy = (condition[:, :1] + LOG_FLOOR).log() / LOG_SCALE + 1
        return torch.cat([condition, log_energy], dim=1)
