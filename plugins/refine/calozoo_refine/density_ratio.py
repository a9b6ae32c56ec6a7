"""Density ratio of Geant4 and generated showers, estimated by a calibrated classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calozoo_core.observables.tails import TAIL_OBSERVABLES, TailSample
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_refine.quantile_transport import ConditionalScaling, IncidentRange

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["N_INPUTS", "WIDTH", "DensityRatio", "DensityRatioFit", "Layers", "fit_density_ratio"]

Layers = tuple[Float32Array, ...]
"""Weights and biases of one network in turn: (out, in), (out,), ..."""

N_INPUTS: Final = len(TAIL_OBSERVABLES) + 4
"""Number of inputs: the tail observables, the energy and the direction."""

LARGEST_INPUT: Final = 6.0
"""Inputs are clipped at this many standard deviations, beyond which there is no training data."""

FOLDS: Final = 5
WIDTH: Final = 48
BATCH: Final = 512
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
EPOCHS, PATIENCE = 50, 6


@dataclass(frozen=True, eq=False)
class DensityRatio:
    """Logarithm of the ratio of Geant4's density of showers to that of a model.

    The outputs of small networks, one a fold of the training showers, are averaged and calibrated.
    Inputs are the tail observables, standardised at the shower's energy and angle, and the primary.
    There are no voxels among them: with every dimension in which a classifier finds a difference,
    accept-reject keeps fewer showers.

    Arguments:
        scaling: Standardisation of the observables.
        networks: Layers of each network.
        calibration: Slope and offset from the mean output to the logarithm of the ratio.
    """

    scaling: ConditionalScaling
    networks: tuple[Layers, ...]
    calibration: tuple[float, float] = (1.0, 0.0)

    def log_ratio(self, sample: TailSample) -> FloatArray:
        """Logarithm of the ratio for each shower, shape (n,)."""
        inputs = _inputs(self.scaling, sample)
        mean = np.mean([_output(layers, inputs) for layers in self.networks], axis=0)
        slope, offset = self.calibration
        ratio: FloatArray = slope * mean.astype(np.float64) + offset
        return ratio


@dataclass(frozen=True, eq=False)
class DensityRatioFit:
    """Fitted density ratio, with its cross-validated output.

    Arguments:
        density_ratio: The fitted ratio.
        held_out: Calibrated output for each generated shower of the network that was trained
            without it, shape (n_generated,).
        auc: Area under the ROC curve of the held-out outputs, for reference against generated.
    """

    density_ratio: DensityRatio
    held_out: FloatArray
    auc: float


def fit_density_ratio(
    incident_range: IncidentRange,
    generated: TailSample,
    reference: TailSample,
    seed: int,
) -> DensityRatioFit:
    """Density ratio, cross-validated: every network is trained on four fifths of the showers.

    An eighth of the four fifths is used for early stopping. The outputs for the remaining fifth
    calibrate all networks (Platt's slope and offset). Generated and reference showers have the
    same total weight, so the output is the ratio of densities.

    Arguments:
        incident_range: Range of the primaries.
        generated: A model's showers.
        reference: Geant4's showers, for equally distributed primaries.
        seed: Seed of the folds, initial weights and batches.
    """
    scaling = ConditionalScaling.fit(incident_range, reference.values, reference.incident)
    mine, theirs = _inputs(scaling, generated), _inputs(scaling, reference)
    folds = [
        stream(seed, k, "folds").integers(FOLDS, size=len(side))
        for k, side in enumerate((mine, theirs))
    ]
    held_out = np.zeros(len(mine)), np.zeros(len(theirs))
    networks = []
    for fold in range(FOLDS):
        kept = [side[part != fold] for side, part in zip((mine, theirs), folds, strict=True)]
        networks.append(_train(kept[0], kept[1], seed, fold))
        for output, side, part in zip(held_out, (mine, theirs), folds, strict=True):
            output[part == fold] = _output(networks[-1], side[part == fold])
    slope, offset = _platt_calibration(*held_out)
    return DensityRatioFit(
        DensityRatio(scaling, tuple(networks), (slope, offset)),
        slope * held_out[0] + offset,
        _auc(*held_out),
    )


def _inputs(scaling: ConditionalScaling, sample: TailSample) -> Float32Array:
    """Inputs of the networks, shape (n, 12)."""
    energy, slant = scaling.incident_range.coordinates(sample.incident)
    standard = scaling.standardise(sample.values, sample.incident)
    clipped = np.clip(standard, -LARGEST_INPUT, LARGEST_INPUT)
    across = sample.incident.direction[:, :2]
    return np.column_stack([energy, slant, across, clipped]).astype(np.float32)


def _output(layers: Layers, inputs: Float32Array) -> Float32Array:
    values = inputs
    for i in range(0, len(layers), 2):
        if i:
            values = values / (1 + np.exp(-values))
        values = values @ layers[i].T + layers[i + 1]
    return values[:, 0]


def _train(generated: Float32Array, reference: Float32Array, seed: int, fold: int) -> Layers:
    """Layers of one network, with early stopping."""
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
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
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
    """Network of three layers, initialised from `source`."""
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
    """Binary cross entropy."""
    from torch.nn.functional import softplus

    return (softplus(generated).mean() + softplus(-reference).mean()) / 2


def _platt_calibration(generated: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """Slope and offset of Platt's calibration, both sides having the same total weight."""
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
    # A network that has learnt nothing must not have its sign inverted.
    return float(np.clip(found[0], 0.0, 2.0)), float(found[1])


def _auc(generated: FloatArray, reference: FloatArray) -> float:
    """Area under the ROC curve: probability that a reference shower has the larger output."""
    order = np.sort(generated)
    below = np.searchsorted(order, reference, side="left")
    upto = np.searchsorted(order, reference, side="right")
    return float((below + upto).mean() / (2 * len(generated)))
