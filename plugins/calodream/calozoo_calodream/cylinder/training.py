"""Training of a CaloDREAM on the voxels of the CaloChallenge: flow matching of both networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from calozoo_calodream.cylinder.config import CylinderConfig, preset
from calozoo_calodream.cylinder.encoding import (
    EMPTY_LAYER_MEV,
    energy_condition,
    energy_features,
    layers_with_noise,
    patches,
    without_faint,
)
from calozoo_calodream.cylinder.marginals import VoxelMarginals, fit_marginals
from calozoo_calodream.cylinder.sampler import LayerSampler, VoxelFlow, shape_conditions
from calozoo_calodream.cylinder.trained import TrainedCylinder
from calozoo_core.clumps.core_encoding import layer_ratios
from calozoo_core.clumps.core_metrics import core_metrics
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.standardisation import Standardisation, fit_standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.random import stream
from calozoo_core.training import Batch, ModelTraining, StageConfig, TrainingOptions, seeded
from calozoo_core.training.core_training import flow_loss
from calozoo_core.training.voxel_sample import TrainingVoxels, read_training_voxels
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CylinderTraining", "Options", "train", "turned"]

REPEATS: Final = 2
"""Generated showers for each held-out primary."""

LOSS_REPEATS: Final = 4
"""Times, noises and turns with which the loss of a held-out shower is taken."""

HELD_OUT_SEED: Final = 20_000


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        stage: Network to train; "all", or "finish".
        preset: Sizes: "calochallenge2-electron", or "tiny" for tests.
        energies_epochs: Epochs of the network of the layer energies.
        shape_epochs: Epochs of the network of the voxels.
        energies_batch: Showers of a step of the first one.
        shape_batch: Showers of a step of the second one.
        learning_rate: Learning rate at the start.
        weight_decay: Weight decay of AdamW.
        solver: Solver that the weights are shipped with.
        evaluations: Evaluations of each network for a shower, likewise.
        showers: Showers after which no more are read.
    """

    stage: Literal["all", "energies", "shape", "finish"] = "all"
    preset: Literal["calochallenge2-electron", "tiny"] = "calochallenge2-electron"
    steps: int = Field(default=50, ge=1)
    energies_epochs: int = Field(default=40, ge=1)
    shape_epochs: int = Field(default=60, ge=1)
    validate_every: int = Field(default=4, ge=1)
    energies_batch: int = Field(default=128, ge=2)
    shape_batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    solver: Solver = "midpoint"
    evaluations: int = Field(default=8, ge=1, le=1000)
    showers: int = Field(default=20_000, ge=2)


class CylinderTraining(ModelTraining):
    """Training of a CaloDREAM on Geant4's steps or on files of the CaloChallenge.

    The detector is the same under any turn by whole sectors and in the mirror; each shower of a
    batch is turned and mirrored at random.

    Arguments:
        data: Folder with files in `train/` and `val/`, native ones or of the CaloChallenge, or one
            file of the CaloChallenge, of which the last tenth, or 1,000 showers, are held out.
        out: As in `ModelTraining`.
        options: As in `ModelTraining`.

    Raises:
        DetectorError: If the showers are of a detector whose layers are not those of the voxels.
        ShowerFileError: If a file is damaged, or has other voxels.
    """

    takes_file = True
    options_type = Options
    options: Options
    stages = ("energies", "shape")

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.config: CylinderConfig = preset(options.preset).model_copy(
            update={
                "solver": options.solver,
                "steps": options.evaluations,
                "fitted_on": "its training showers",
            }
        )
        most = options.showers
        read = read_training_voxels(
            data, self.config.voxels, most, most_held_out=most, most_showers=most
        )
        self.sample, self.validation = (_Showers(part) for part in read)
        random = stream(options.seed, 0, "standardisation")
        layers, condition = self.sample.layers, energy_condition(self.sample.energy_gev)
        self.scale: Standardisation = fit_standardisation(
            layer_ratios(layers_with_noise(layers, random), self.sample.energy_gev),
            energy_features(condition),
        )
        self.marginals: VoxelMarginals = fit_marginals(
            self.sample.voxels, condition, layers, self.config.group
        )

    def network(self, stage: str) -> nn.Module:
        sizes = getattr(self.config, stage)
        return seeded(lambda: VisionTransformer(sizes), self.options.seed)

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options, is_shape = self.options, stage == "shape"
        size = getattr(options, f"{stage}_batch")
        metrics = self.shape_metrics if is_shape else self.energy_metrics
        return StageConfig(
            loss=flow_loss,
            metrics=partial(metrics, held_out=self._held_out_batch(stage)),
            batch=lambda step: self.batch(stage, size, step),
            epochs=getattr(options, f"{stage}_epochs"),
            share=0.9 if is_shape else 0.1,
            learning_rate=options.learning_rate,
            average=0.995,
            weight_decay=options.weight_decay,
        )

    def batch(self, stage: str, size: int, step: int) -> Batch:
        """Batch of an optimiser step: a seed, then data and conditions of some showers.

        Arguments:
            stage: "energies" or "shape".
            size: Number of showers.
            step: Number of the step: the same step, the same batch.
        """
        random = stream(self.options.seed, step, f"{stage} batch")
        rows = random.integers(len(self.sample.energy_gev), size=size)
        seed = torch.tensor(int(random.integers(2**62)))
        return (seed, *self._numbers(stage, self.sample.some(rows), random))

    def energy_metrics(self, network: Any, *, held_out: Batch) -> dict[str, float]:
        """Metrics of the layers that a network draws for held-out primaries."""
        sampler = LayerSampler(
            self.config.energies, network_arrays(network), self.scale, **self._sampling()
        )
        truth = self.validation
        energy_gev = np.tile(truth.energy_gev, REPEATS)
        drawn = sampler(_noise(len(energy_gev), self.config.grid[0]), energy_gev)
        drawn = np.where(drawn < EMPTY_LAYER_MEV, np.float32(0), drawn)[:, :, None]
        return self._metrics(drawn, truth.layers[:, :, None], network, held_out)

    def shape_metrics(self, network: Any, *, held_out: Batch) -> dict[str, float]:
        """Metrics of the rings of the voxels that a network draws for Geant4's layers."""
        sampler = VoxelFlow(
            self.config, network_arrays(network), self.marginals, **self._sampling()
        )
        truth = self.validation
        energy_gev = np.tile(truth.energy_gev, REPEATS)
        random = stream(HELD_OUT_SEED, 2, "held out")
        layers = layers_with_noise(np.tile(truth.layers, (REPEATS, 1)), random)
        drawn = sampler(_noise(len(energy_gev), self.config.voxels.n_voxels), energy_gev, layers)
        return self._metrics(drawn.sum(axis=2), truth.voxels.sum(axis=2), network, held_out)

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCylinder:
        return TrainedCylinder(
            self.config, **best, energy_scale=self.scale, marginals=self.marginals
        )

    def n_showers(self) -> dict[str, int]:
        return {
            part: len(showers.energy_gev)
            for part, showers in (("train", self.sample), ("val", self.validation))
        }

    def _sampling(self) -> dict[str, Any]:
        return {"solver": self.config.solver, "evaluations": self.config.steps}

    def _held_out_batch(self, stage: str) -> Batch:
        random = stream(HELD_OUT_SEED, 0, "held out")
        rows = np.tile(np.arange(len(self.validation.energy_gev)), LOSS_REPEATS)
        numbers = self._numbers(stage, self.validation.some(rows), random)
        return (torch.tensor(HELD_OUT_SEED), *numbers)

    def _numbers(
        self, stage: str, showers: _Showers, random: np.random.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Data, condition, and condition of the tokens if there is one, of a network."""
        condition = energy_condition(showers.energy_gev)
        layers = layers_with_noise(showers.layers, random)
        if stage == "energies":
            ratios = layer_ratios(layers, showers.energy_gev)
            data = self.scale.apply(ratios, energy_features(condition))
            return torch.from_numpy(data)[:, :, None], torch.from_numpy(condition)
        voxels = turned(showers.voxels, random)
        uniform = random.random(voxels.shape, np.float32)
        places = self.marginals.places(voxels, condition, layers, uniform)
        arrays = (
            patches(places, self.config.group),
            *shape_conditions(condition, layers, self.config),
        )
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)

    def _metrics(
        self, drawn: Float32Array, truth: Float32Array, network: Any, held_out: Batch
    ) -> dict[str, float]:
        """Metrics of energies over the incident one, so that means are not those of the highest."""
        with torch.inference_mode():
            loss = float(flow_loss(network, network, held_out))
        own = self.validation.energy_gev
        energies = (np.tile(own, REPEATS), own)
        per_gev = [
            values / energy[:, None, None]
            for values, energy in zip((drawn, truth), energies, strict=True)
        ]
        ones = (np.ones_like(energies[0]), np.ones_like(energies[1]))
        return core_metrics(per_gev[0], per_gev[1], ones, loss)


class _Showers:
    """Showers as the training sees them, without what is below the threshold."""

    def __init__(self, sample: TrainingVoxels) -> None:
        #: Deposits, in MeV, shape (n, layers, sectors, rings).
        self.voxels = without_faint(sample.voxels)
        #: Incident energies, shape (n,).
        self.energy_gev = sample.energy_gev[: len(self.voxels)]
        #: Energies of layers, in MeV, shape (n, layers).
        self.layers = self.voxels.sum(axis=(2, 3))

    def some(self, rows: Any) -> _Showers:
        """Some of them, in this order."""
        chosen = object.__new__(_Showers)
        chosen.voxels, chosen.energy_gev = self.voxels[rows], self.energy_gev[rows]
        chosen.layers = self.layers[rows]
        return chosen


def turned(voxels: Float32Array, random: np.random.Generator) -> Float32Array:
    """Showers turned by whole sectors and mirrored, each in its own way."""
    n, sectors = len(voxels), voxels.shape[2]
    start, way = random.integers(sectors, size=(n, 1)), random.choice([-1, 1], size=(n, 1))
    sector = (start + way * np.arange(sectors)) % sectors
    return np.take_along_axis(voxels, sector[:, None, :, None], axis=2)


def _noise(n: int, width: int) -> Float32Array:
    return stream(HELD_OUT_SEED, 1, "held out").standard_normal((n, width), np.float32)


train = CylinderTraining.train
