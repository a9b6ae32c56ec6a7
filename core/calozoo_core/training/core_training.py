"""Training of models that draw a shower's core: the layer energies' stage, which they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_core.clumps.core_config import CoreConfig
from calozoo_core.clumps.core_encoding import EMPTY_MEV
from calozoo_core.clumps.core_metrics import core_metrics
from calozoo_core.clumps.core_sampler import RingSampler
from calozoo_core.clumps.layer_flow import EnergySampler
from calozoo_core.clumps.ring_calibration import RingCalibration, fit_ring_calibration
from calozoo_core.nn.flow_matching import flow_matching_loss, uniform_times
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.random import stream
from calozoo_core.training.core_sample import CoreSample, Scales, batch, encoded
from calozoo_core.training.model_training import ModelTraining, TrainingOptions, read_sample, seeded
from calozoo_core.training.stages import Batch, StageConfig
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_arrays import TrainedArrays
from calozoo_core.weights.trained_core import TrainedCore
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CoreOptions", "CoreTraining", "HeldOutCores", "Loss", "flow_loss"]

REPEATS: Final = 2
"""Generated showers for each held-out primary."""

HELD_OUT_SEED: Final = 20_000

CALIBRATION_BATCH: Final = 256

AVERAGE: Final = 0.998
"""Decay of the running average of the weights."""

WEIGHT_DECAY: Final = 1e-4

Config = TypeVar("Config", bound=CoreConfig)

Loss = Callable[[nn.Module, nn.Module, Batch], Tensor]
"""Loss of a network, of which the second has averaged weights, on a batch."""

DrawCores = Callable[[Float32Array, Float32Array, Sequence[np.random.Generator]], Float32Array]
"""Function of conditions, incident energies and streams to cores, in MeV."""


class CoreOptions(TrainingOptions):
    """Options of a training of the core, beyond those that all trainings have.

    Arguments:
        energies_epochs: Epochs of the network of the layer energies.
        batch: Showers of a step.
        learning_rate: Learning rate at the start.
    """

    energies_epochs: int = Field(default=40, ge=1)
    batch: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)


class CoreTraining(ModelTraining, Generic[Config]):
    """Training of a model of the core on native shower files of x25 points.

    Its first stage is `energies`: flow matching of the layer energies. A model adds its own.
    """

    options: CoreOptions
    #: Class of the trained model.
    trained_type: ClassVar[type[TrainedCore]]

    def __init__(self, data: Path, out: Path, options: CoreOptions) -> None:
        super().__init__(data, out, options)
        #: Configuration of the model.
        self.config = self.new_config().model_copy(update={"fitted_on": "its training showers"})
        self.sample, self.validation = (self.cores(part) for part in ("train", "val"))
        self.scales = Scales.fitted(self.sample, options.seed)

    @abstractmethod
    def new_config(self) -> Config:
        """Configuration that the options ask for."""

    @abstractmethod
    def fitted_calibration(self, trained: TrainedArrays[Any]) -> RingCalibration:
        """Calibration of what a model draws, by `calibration`.

        Arguments:
            trained: Model without a calibration.
        """

    @property
    @abstractmethod
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""

    def cores(self, part: str) -> CoreSample:
        """Cores of a part of the data.

        Arguments:
            part: "train" or "val".
        """
        return CoreSample.from_showers(read_sample(self.data, part), self.config.rings)

    def network(self, stage: str) -> nn.Module:
        """Untrained network of a stage, the field of the trained model that has its name."""
        config = self.config
        if stage == "energies":
            return seeded(lambda: VisionTransformer(config.energies), self.options.seed)
        return seeded(lambda: self.trained_type.ring_networks(config)[stage], self.options.seed)

    def energies_stage(self, share: float) -> StageConfig:
        """Loss, batches and metrics of the layer energies' network.

        Arguments:
            share: Part of the budget that it gets.
        """
        solver, evaluations = self.energy_sampling
        held_out = HeldOutCores("energies", self.validation, self.scales)

        def draw(network: nn.Module) -> Float32Array:
            sampler = EnergySampler(
                self.config.energies,
                network_arrays(network),
                self.scales.energies,
                solver=solver,
                evaluations=evaluations,
            )
            layers = sampler(held_out.noise, held_out.condition, held_out.energy_gev)
            return np.where(layers < EMPTY_MEV, np.float32(0), layers)[:, :, None]

        return self.stage(
            "energies",
            loss=flow_loss,
            metrics=lambda network: held_out.metrics(
                draw(network), held_out.loss(network, flow_loss)
            ),
            epochs=self.options.energies_epochs,
            share=share,
        )

    def rings_stage(
        self, loss: Loss, sampler: Callable[[nn.Module], RingSampler], **settings: Any
    ) -> StageConfig:
        """Loss, batches and metrics of a network of the rings.

        Arguments:
            loss: Loss of a batch.
            sampler: Sampler of a network with its averaged weights.
            settings: Further fields of the stage.
        """
        held_out = HeldOutCores("shape", self.validation, self.scales)

        def metrics(network: nn.Module) -> dict[str, float]:
            drawn = held_out.rings(sampler(network))
            return held_out.metrics(drawn, held_out.loss(network, loss))

        return self.stage("shape", loss=loss, metrics=metrics, **settings)

    def stage(self, numbers: str, **settings: Any) -> StageConfig:
        """Stage on the numbers of a network, with what all stages have in common.

        Arguments:
            numbers: "energies" or "shape".
            settings: Further fields of the stage.
        """
        options = self.options
        common: dict[str, Any] = {
            "batch": lambda step: batch(
                self.sample, self.scales, numbers, options.batch, options.seed, step
            ),
            "learning_rate": options.learning_rate,
            "average": AVERAGE,
            "weight_decay": WEIGHT_DECAY,
        }
        return StageConfig(**common | settings)

    def trained_model(self, best: Mapping[str, nn.Module]) -> TrainedCore:
        """Model of these networks, calibrated on the training showers.

        Arguments:
            best: Networks by field of the trained model.
        """
        networks: dict[str, Any] = dict(best)
        uncalibrated = self.trained_type(
            self.config,
            energy_scale=self.scales.energies,
            shape_scale=self.scales.shape,
            calibration=self.no_calibration(),
            **networks,
        )
        return replace(uncalibrated, calibration=self.fitted_calibration(uncalibrated.to_arrays()))

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}

    def calibration(self, draw: DrawCores) -> RingCalibration:
        """Calibration that makes rings of drawn cores those of Geant4 on average.

        Arguments:
            draw: Draws cores without a calibration.
        """
        sample, seed = self.sample, self.options.seed
        parts = []
        for first in range(0, len(sample), CALIBRATION_BATCH):
            rows = slice(first, first + CALIBRATION_BATCH)
            condition, energy = sample.condition[rows], sample.energy_gev[rows]
            streams = [stream(seed, first + i, "calibration") for i in range(len(energy))]
            parts.append(draw(condition, energy, streams).reshape(len(energy), -1))
        return fit_ring_calibration(
            np.concatenate(parts), sample.core.reshape(len(sample), -1), EMPTY_MEV
        )

    def no_calibration(self) -> RingCalibration:
        """Calibration that changes nothing."""
        cells = self.config.layers * self.config.rings
        return RingCalibration(np.zeros(cells, np.float32), np.ones(cells, np.float32))


def flow_loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
    """Flow-matching loss of a batch, whose noise and times come from its seed."""
    seed, data, condition, *tokens = batch
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(data.shape, generator=generator).to(data.device)
    time = uniform_times(len(data), generator).to(data.device)
    return flow_matching_loss(lambda x, t: network(x, t, condition, *tokens), noise, data, time)


class HeldOutCores:
    """Held-out showers that one network is judged by, what another draws being Geant4's.

    Each primary is drawn twice: arrays of what networks are given have 2 x n rows.

    Arguments:
        numbers: Whose network: "energies" or "shape".
        sample: Held-out showers, n of them.
        scales: Standardisations.
    """

    def __init__(self, numbers: str, sample: CoreSample, scales: Scales) -> None:
        self._sample = sample
        self._truth = sample.core
        if numbers == "energies":
            self._truth = sample.core.sum(axis=2, keepdims=True)
        random = stream(HELD_OUT_SEED, 0, "held out")
        encoding = encoded(sample, slice(None), random)
        tensors = scales.tensors(numbers, encoding)
        self._batch = (torch.tensor(HELD_OUT_SEED), *tensors)
        size = (REPEATS * len(sample), tensors[0][0].numel())
        #: Standard normal, shape (2 x n, numbers of the network).
        self.noise = random.standard_normal(size, np.float32)
        #: Conditions of the primaries, shape (2 x n, 4).
        self.condition = np.tile(sample.condition, (REPEATS, 1))
        #: Incident energies, shape (2 x n,).
        self.energy_gev = np.tile(sample.energy_gev, REPEATS)
        #: Geant4's energies of layers, noise in empty ones, in MeV, shape (2 x n, layers).
        self.layers = np.tile(encoding.layers, (REPEATS, 1))

    def loss(self, network: nn.Module, loss: Loss) -> float:
        """Loss of the held-out showers.

        Arguments:
            network: Network with its averaged weights.
            loss: Loss of a stage.
        """
        with torch.inference_mode():
            return float(loss(network, network, self._batch))

    def rings(self, sampler: RingSampler) -> Float32Array:
        """Rings that a network draws for the held-out primaries and their layers.

        Arguments:
            sampler: Sampler of the network.

        Returns:
            Energies of rings, in MeV, shape (2 x n, layers, rings).
        """
        streams = [stream(0, i, "held-out chains") for i in range(len(self.noise))]
        return sampler(self.noise, self.condition, self.layers, streams)

    def metrics(self, drawn: Float32Array, loss: float) -> dict[str, float]:
        """Metrics of what a network draws for the held-out primaries.

        Arguments:
            drawn: Cores, or layers with one ring, in MeV, shape (2 x n, layers, rings).
            loss: Loss of the held-out showers.
        """
        energies = (self.energy_gev, self._sample.energy_gev)
        return core_metrics(drawn, self._truth, energies, loss)
