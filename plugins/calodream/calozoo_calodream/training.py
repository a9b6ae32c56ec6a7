"""Training of CaloDREAM: flow matching of both networks, then the calibration of the rings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_calodream.checkpoint_metrics import core_metrics
from calozoo_calodream.config import Solver, preset
from calozoo_calodream.core_sampler import CoreSampler, EnergySampler, ShapeSampler
from calozoo_calodream.encoding import EMPTY_MEV
from calozoo_calodream.flow_matching import flow_matching_loss, uniform_times
from calozoo_calodream.numpy_transformer import Arrays
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_calodream.training_data import CoreSample, Scales, batch, encoded
from calozoo_calodream.transformer import VisionTransformer
from calozoo_core.clumps.ring_calibration import RingCalibration, fit_ring_calibration
from calozoo_core.random import stream
from calozoo_core.training import ModelTraining, StageConfig, TrainingOptions, read_sample, seeded
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CaloDreamTraining", "Options", "train"]

REPEATS: Final = 2
"""Generated showers for each held-out primary."""

HELD_OUT_SEED: Final = 20_000

CALIBRATION_BATCH: Final = 256


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny" for tests.
        energies_epochs: Epochs of the network of the layer energies.
        shape_epochs: Epochs of the network of the rings.
        batch: Showers of a step.
        learning_rate: Learning rate at the start.
        solver: Solver that the weights are shipped with.
        evaluations: Evaluations of each network for a shower, likewise.
    """

    preset: Literal["ild-photon-clumps", "tiny"] = "ild-photon-clumps"
    energies_epochs: int = Field(default=40, ge=1)
    shape_epochs: int = Field(default=40, ge=1)
    batch: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    solver: Solver = "midpoint"
    evaluations: int = Field(default=8, ge=1, le=1000)


class CaloDreamTraining(ModelTraining):
    """Training of a CaloDREAM on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "shape")

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.config = preset(options.preset).model_copy(
            update={
                "solver": options.solver,
                "steps": options.evaluations,
                "fitted_on": "its training showers",
            }
        )
        self.sample, self.validation = (self.cores(part) for part in ("train", "val"))
        self.scales = Scales.fitted(self.sample, options.seed)

    def cores(self, part: str) -> CoreSample:
        """Cores of a part of the data.

        Arguments:
            part: "train" or "val".
        """
        return CoreSample.from_showers(read_sample(self.data, part), self.config.rings)

    def network(self, stage: str) -> nn.Module:
        config = self.config.energies if stage == "energies" else self.config.shape
        return seeded(lambda: VisionTransformer(config), self.options.seed)

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options = self.options
        held_out = _HeldOut(stage, self)
        is_shape = stage == "shape"
        return StageConfig(
            loss=_loss,
            metrics=held_out.metrics,
            batch=lambda step: batch(
                self.sample, self.scales, stage, options.batch, options.seed, step
            ),
            epochs=options.shape_epochs if is_shape else options.energies_epochs,
            share=0.65 if is_shape else 0.35,
            learning_rate=options.learning_rate,
            average=0.998,
            weight_decay=1e-4,
        )

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCaloDream:
        cells = self.config.layers * self.config.rings
        uncalibrated = TrainedCaloDream(
            self.config,
            best["energies"],
            best["shape"],
            self.scales.energies,
            self.scales.shape,
            RingCalibration(np.zeros(cells, np.float32), np.ones(cells, np.float32)),
        )
        return self._calibrated(uncalibrated)

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}

    def _calibrated(self, model: TrainedCaloDream) -> TrainedCaloDream:
        """The model with thresholds and factors that make its rings those of Geant4 on average."""
        draw = CoreSampler(self.config, model.named_arrays(), self.config.steps)
        sample, seed = self.sample, self.options.seed
        parts = []
        for first in range(0, len(sample), CALIBRATION_BATCH):
            rows = slice(first, first + CALIBRATION_BATCH)
            condition, energy = sample.condition[rows], sample.energy_gev[rows]
            streams = [stream(seed, first + i, "calibration") for i in range(len(energy))]
            parts.append(draw.cores(condition, energy, streams).reshape(len(energy), -1))
        fitted = fit_ring_calibration(
            np.concatenate(parts), sample.core.reshape(len(sample), -1), EMPTY_MEV
        )
        return replace(model, calibration=fitted)


train = CaloDreamTraining.train


def _loss(network: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Flow-matching loss of a batch, whose noise and times come from its seed."""
    seed, data, condition, *tokens = batch
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(data.shape, generator=generator).to(data.device)
    time = uniform_times(len(data), generator).to(data.device)
    return flow_matching_loss(lambda x, t: network(x, t, condition, *tokens), noise, data, time)


class _HeldOut:
    """Held-out showers that one network is judged by, what the other draws being Geant4's.

    Arguments:
        stage: "energies" or "shape".
        training: The training.
    """

    def __init__(self, stage: str, training: CaloDreamTraining) -> None:
        self._stage, self._sample = stage, training.validation
        self._config, self._scales = training.config, training.scales
        random = stream(HELD_OUT_SEED, 0, "held out")
        self._numbers = encoded(self._sample, slice(None), random)
        tensors = self._scales.tensors(stage, self._numbers)
        self._batch = (torch.tensor(HELD_OUT_SEED), *tensors)
        size = (REPEATS * len(self._sample), tensors[0][0].numel())
        self._noise = random.standard_normal(size, np.float32)

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """Metrics of what the network draws for held-out primaries.

        Arguments:
            network: Network with its averaged weights.
        """
        with torch.inference_mode():
            loss = float(_loss(network, network, self._batch))
        drawn, sample = self._drawn(network_arrays(network)), self._sample
        energies = (np.tile(sample.energy_gev, REPEATS), sample.energy_gev)
        truth = sample.core
        if self._stage == "energies":
            truth = truth.sum(axis=2, keepdims=True)
        return core_metrics(drawn, truth, energies, loss)

    def _drawn(self, arrays: Arrays) -> Float32Array:
        """Cores that the network draws, or layers with one ring, in MeV."""
        config = self._config
        options: dict[str, Any] = {"solver": config.solver, "evaluations": config.steps}
        condition = np.tile(self._sample.condition, (REPEATS, 1))
        if self._stage == "energies":
            draw_layers = EnergySampler(config.energies, arrays, self._scales.energies, **options)
            energy = np.tile(self._sample.energy_gev, REPEATS)
            layers = draw_layers(self._noise, condition, energy)
            return np.where(layers < EMPTY_MEV, np.float32(0), layers)[:, :, None]
        draw_core = ShapeSampler(config.shape, arrays, self._scales.shape, **options)
        return draw_core(self._noise, condition, np.tile(self._numbers.layers, (REPEATS, 1)))
