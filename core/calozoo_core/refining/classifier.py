"""A classifier of Geant4 against generated showers, whose output is a ratio of densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.random import stream
from calozoo_core.refining.observables import OBSERVABLES, Sample
from calozoo_core.refining.trend import Span, Trend
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["N_INPUTS", "FittedRatio", "Layers", "RatioEstimator", "fit_ratio"]

Layers = tuple[NDArray[np.float32], ...]
"""Weights and biases of one network in turn: (out, in), (out,), ..."""

N_INPUTS: Final = len(OBSERVABLES) + 4
"""The tail observables, and energy and direction."""

FARTHEST: Final = 6.0
"""Inputs beyond so many spreads are taken for ones there: no network has seen any."""

FOLDS: Final = 5
WIDTH: Final = 48
BATCH: Final = 512
RATE, DECAY = 3e-3, 1e-2
EPOCHS, PATIENCE = 50, 6


@dataclass(frozen=True, eq=False)
class RatioEstimator:
    """The logarithm of how much more likely a shower is in Geant4 than in a model.

    Small networks, one a fold of the showers they were trained on, whose outputs are averaged and
    then calibrated. They see the tail observables, standardised at the shower's energy and angle,
    and the primary; not voxels: with every dimension that a classifier finds a difference in, the
    part of the showers that it would keep falls.

    Arguments:
        trend: What observables are standardised with.
        networks: The layers of each.
        calibration: Slope and offset from the mean output to the logarithm of the ratio.
    """

    trend: Trend
    networks: tuple[Layers, ...]
    calibration: tuple[float, float] = (1.0, 0.0)

    def log_ratio(self, sample: Sample) -> FloatArray:
        """Of each shower, shape (n,)."""
        inputs = _inputs(self.trend, sample)
        mean = np.mean([_output(layers, inputs) for layers in self.networks], axis=0)
        slope, offset = self.calibration
        ratio: FloatArray = slope * mean.astype(np.float64) + offset
        return ratio


@dataclass(frozen=True, eq=False)
class FittedRatio:
    """A fitted estimator, and what it said of showers while it had not seen them.

    Arguments:
        estimator: The estimator.
        held_out: For each generated shower of the fit, the calibrated output of the network that
            was trained without it, shape (n_generated,).
        auc: Of those outputs, against those for the reference.
    """

    estimator: RatioEstimator
    held_out: FloatArray
    auc: float


def fit_ratio(
    span: Span,
    generated: Sample,
    reference: Sample,
    seed: int,
) -> FittedRatio:
    """Train the networks, each on four fifths of the showers, and calibrate them on the rest.

    Of its four fifths an eighth says when to stop. What a network says of the fifth it did not see
    calibrates all of them (Platt's slope and offset). Generated and reference showers count
    the same in total, so the output is the ratio of densities.

    Arguments:
        span: What the primaries range over.
        generated: A model's showers.
        reference: Geant4's, of primaries with the same distribution.
        seed: Of the folds, starts and batches.
    """
    trend = Trend.fitted(span, reference.values, reference.incident)
    mine, theirs = _inputs(trend, generated), _inputs(trend, reference)
    parts = [
        stream(seed, k, "folds").integers(FOLDS, size=len(side))
        for k, side in enumerate((mine, theirs))
    ]
    held_out = np.zeros(len(mine)), np.zeros(len(theirs))
    networks = []
    for fold in range(FOLDS):
        kept = [side[part != fold] for side, part in zip((mine, theirs), parts, strict=True)]
        networks.append(_trained(kept[0], kept[1], seed, fold))
        for said, side, part in zip(held_out, (mine, theirs), parts, strict=True):
            said[part == fold] = _output(networks[-1], side[part == fold])
    slope, offset = _platt(*held_out)
    return FittedRatio(
        RatioEstimator(trend, tuple(networks), (slope, offset)),
        slope * held_out[0] + offset,
        _auc(*held_out),
    )


def _inputs(trend: Trend, sample: Sample) -> NDArray[np.float32]:
    """What the networks see, shape (n, 12)."""
    energy, slant = trend.span.coordinates(sample.incident)
    away = np.clip(trend.standardised(sample.values, sample.incident), -FARTHEST, FARTHEST)
    across = sample.incident.direction[:, :2]
    return np.column_stack([energy, slant, across, away]).astype(np.float32)


def _output(layers: Layers, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    values = inputs
    for i in range(0, len(layers), 2):
        if i:
            values = values / (1 + np.exp(-values))
        values = values @ layers[i].T + layers[i + 1]
    return values[:, 0]


def _trained(
    generated: NDArray[np.float32], reference: NDArray[np.float32], seed: int, fold: int
) -> Layers:
    """One network, stopped where what it has not seen is told apart best."""
    import torch

    random = stream(seed, fold, "classifier")
    source = torch.Generator().manual_seed(int(random.integers(2**62)))
    network = _network(source)
    sides = [
        torch.from_numpy(side[random.permutation(len(side))]) for side in (generated, reference)
    ]
    unseen, seen = (
        [side[: len(side) // 8] for side in sides],
        [side[len(side) // 8 :] for side in sides],
    )
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    best, kept, waited = float("inf"), [p.detach().clone() for p in network.parameters()], 0
    for _ in range(EPOCHS):
        order = torch.randperm(len(seen[1]), generator=source)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            others = torch.randint(len(seen[0]), (len(rows),), generator=source)
            loss = _entropy(network(seen[0][others]), network(seen[1][rows]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            score = float(_entropy(network(unseen[0]), network(unseen[1])))
        if score < best - 1e-4:
            best, kept, waited = score, [p.detach().clone() for p in network.parameters()], 0
        else:
            waited += 1
            if waited == PATIENCE:
                break
    return tuple(parameter.numpy() for parameter in kept)


def _network(source: torch.Generator) -> nn.Sequential:
    """Three layers, started from their own random numbers."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Linear(N_INPUTS, WIDTH),
        nn.SiLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.SiLU(),
        nn.Linear(WIDTH, 1),
    )
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Linear):
                reach = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-reach, reach, generator=source)
    return network


def _entropy(generated: Tensor, reference: Tensor) -> Tensor:
    from torch.nn.functional import softplus

    return (softplus(generated).mean() + softplus(-reference).mean()) / 2


def _platt(generated: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """Slope and offset that make these outputs the most likely, both sides weighing the same."""
    output = np.concatenate([generated, reference])
    truth = np.repeat([0.0, 1.0], [len(generated), len(reference)])
    weight = np.repeat(
        [0.5 / len(generated), 0.5 / len(reference)], [len(generated), len(reference)]
    )
    terms = np.column_stack([output, np.ones_like(output)])
    found = np.array([1.0, 0.0])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(terms @ found, -30, 30)))
        slope = terms.T @ (weight * (truth - chance))
        curvature = (terms * (weight * chance * (1 - chance))[:, None]).T @ terms
        found = found + np.linalg.solve(curvature + 1e-6 * np.eye(2), slope)
    # A network that has learnt nothing must not turn what it says round.
    return float(np.clip(found[0], 0.0, 2.0)), float(found[1])


def _auc(generated: FloatArray, reference: FloatArray) -> float:
    """Chance that a reference shower has the larger output."""
    order = np.sort(generated)
    below = np.searchsorted(order, reference, side="left")
    upto = np.searchsorted(order, reference, side="right")
    return float((below + upto).mean() / (2 * len(generated)))
