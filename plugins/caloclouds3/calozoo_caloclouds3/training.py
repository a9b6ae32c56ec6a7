"""Training of CaloClouds3: flow, teacher, student, and three calibration factors at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from calozoo_caloclouds3.checkpoint_metrics import flow_metrics, point_metrics, teacher_metrics
from calozoo_caloclouds3.config import Calibration, CaloCloudsConfig, Width, preset
from calozoo_caloclouds3.distillation import (
    TrajectoryCache,
    consistency_loss,
    teacher_loss,
    trajectory_loss,
)
from calozoo_caloclouds3.features import sample_layers
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.point_cloud import point_cloud
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.trained import TrainedCaloClouds3
from calozoo_caloclouds3.training_data import (
    TrainingShowers,
    flow_batch,
    measured_features,
    point_batch,
)
from calozoo_core.training import (
    Batch,
    ModelTraining,
    StageConfig,
    TrainingOptions,
    read_sample,
    seeded,
)

__all__ = ["CaloClouds3Training", "Options", "calibrated", "train"]

Network = TypeVar("Network", bound=nn.Module)


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        stage: Stage to train, so that two can run side by side; "all", or "finish".
        preset: Sizes: "ild-photon", "published" or "tiny".
        flow_epochs: Epochs of the flow.
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of the student.
        teacher_widths: Hidden layers of the teacher, as `96,96,96`; by default those of the
            student, and then the published distillation begins with a copy of it.
        distillation: "trajectory" follows the teacher's path to its end; "consistency" compares
            neighbouring levels, as published.
        bank_parts: Size of the cache of trajectories to learn from, in 512 showers.
    """

    stage: Literal["all", "flow", "teacher", "student", "finish"] = "all"
    preset: Literal["ild-photon", "published", "tiny"] = "ild-photon"
    flow_epochs: int = Field(default=40, ge=1)
    teacher_epochs: int = Field(default=60, ge=1)
    student_epochs: int = Field(default=200, ge=1)
    steps: int = Field(default=500, ge=1)
    teacher_widths: tuple[Width, ...] = ()
    distillation: Literal["trajectory", "consistency"] = "trajectory"
    bank_parts: int = Field(default=200, ge=1)
    validate_every: int = Field(default=5, ge=1)

    @field_validator("teacher_widths", mode="before")
    @classmethod
    def _split_widths(cls, widths: object) -> object:
        return widths.split(",") if isinstance(widths, str) else widths


class CaloClouds3Training(ModelTraining):
    """Training of a CaloClouds3 on native shower files of x25 points.

    The stages are the flow, the EDM teacher, and the one-step student of the best teacher.
    """

    options_type = Options
    options: Options
    stages = ("flow", "teacher", "student")

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        config = preset(options.preset)
        self.validation = TrainingShowers.from_showers(read_sample(data, "val"), config)
        self.sample = TrainingShowers.from_showers(read_sample(data, "train"), config)
        features = measured_features(self.sample, config.features)
        self.config = config.model_copy(update={"features": features})

    def network(self, stage: str) -> nn.Module:
        if stage == "flow":
            return self._seeded(lambda random: ShowerFlow(self.config.flow, random))
        points = self.config.points
        if stage == "teacher" and self.options.teacher_widths:
            points = points.model_copy(update={"widths": self.options.teacher_widths})
        return self._seeded(lambda random: PointWiseNet(points, random))

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        if stage == "flow":
            return self._flow_stage(network)
        return self._teacher_stage() if stage == "teacher" else self._student_stage(network)

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCaloClouds3:
        flow, student = best["flow"], best["student"]
        config = calibrated(flow, student, self.config, self.sample, "its training showers")
        return TrainedCaloClouds3(config, flow, student)

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}

    def _flow_stage(self, flow: ShowerFlow) -> StageConfig:
        """Maximum likelihood of ShowerFlow."""
        seed = self.options.seed
        values, _ = flow_batch(self.sample, self.config, 20_000, seed, step=2**40)
        flow.shift.copy_(values.mean(dim=0))
        flow.scale.copy_(values.std(dim=0))
        return StageConfig(
            loss=_negative_log_likelihood,
            metrics=lambda network: flow_metrics(network, self.validation, self.config),
            batch=lambda step: flow_batch(self.sample, self.config, 256, seed, step),
            epochs=self.options.flow_epochs,
            share=0.2,
            learning_rate=1e-3,
            weight_decay=5e-2,
        )

    def _teacher_stage(self) -> StageConfig:
        """Denoising by the EDM teacher."""
        return StageConfig(
            loss=teacher_loss,
            metrics=lambda network: teacher_metrics(network, self.validation, self.config),
            batch=self._point_batch,
            epochs=self.options.teacher_epochs,
            share=0.3,
        )

    def _student_stage(self, student: PointWiseNet) -> StageConfig:
        """Distillation of the best teacher into the one-step network."""
        teacher = self.best_model("teacher", self.network("teacher"))
        assert isinstance(teacher, PointWiseNet)
        if self.options.distillation == "consistency":
            if _shapes(student) == _shapes(teacher):
                student.load_state_dict(teacher.state_dict())
            loss, average = consistency_loss(teacher, levels=20), 0.95
            batch: Callable[[int], Batch] = self._point_batch
        else:
            loss, batch, average = trajectory_loss, self._trajectory_batch(teacher), 0.999
        return StageConfig(
            loss=loss,
            metrics=lambda network: point_metrics(network, self.validation, self.config),
            batch=batch,
            epochs=self.options.student_epochs,
            share=0.5,
            average=average,
        )

    def _seeded(self, make: Callable[[torch.Generator], Network]) -> Network:
        seed = self.options.seed
        return seeded(lambda: make(torch.Generator().manual_seed(seed)), seed)

    def _point_batch(self, step: int) -> Batch:
        return point_batch(self.sample, self.config.features, 256, 32, self.options.seed, step)

    def _trajectory_batch(self, teacher: PointWiseNet) -> Callable[[int], Batch]:
        cache = TrajectoryCache.build(
            teacher,
            self.sample.condition,
            self.out / "bank",
            parts=self.options.bank_parts,
            points=64,
            seed=self.options.seed,
        )
        return lambda step: cache.batch(128, self.options.seed, step)


train = CaloClouds3Training.train


def _negative_log_likelihood(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
    assert isinstance(network, ShowerFlow)
    return -network.log_prob(*batch).mean()


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


SEED = 30_000


def calibrated(
    flow: ShowerFlow,
    net: PointWiseNet,
    config: CaloCloudsConfig,
    sample: TrainingShowers,
    fitted_on: str,
) -> CaloCloudsConfig:
    """Configuration with factors that make three means agree with Geant4's.

    The mean number of points, the mean visible energy, and the energy-weighted mean distance to the
    axis. The paper tunes the same three (section 3.4).

    Arguments:
        flow: Trained flow.
        net: Trained one-step network.
        config: Configuration of the model; its own calibration is put aside first.
        sample: Geant4 showers.
        fitted_on: Name of the showers in the configuration.
    """
    plain = config.model_copy(update={"calibration": Calibration()})
    sampled = sample_layers(flow.to_numpy(), sample.condition, plain, SEED, 0)
    cloud = point_cloud(net.to_numpy(), sample.condition, sampled, plain, SEED, 0)
    mine = np.average(np.hypot(cloud.x, cloud.y), weights=cloud.energy)
    truth = np.average(np.hypot(sample.x, sample.y), weights=sample.showers.energy)
    return plain.model_copy(
        update={
            "calibration": Calibration(
                n_points=_ratio(sample.layers.counts.sum(), sampled.counts.sum()),
                energy=_ratio(sample.layers.energies.sum(), sampled.energies.sum()),
                position=_ratio(truth, mine),
                fitted_on=fitted_on,
            )
        }
    )


def _ratio(truth: np.floating | np.integer, mine: np.floating | np.integer) -> float:
    return round(float(truth) / float(mine), 5)
