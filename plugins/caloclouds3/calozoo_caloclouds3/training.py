"""Training of CaloClouds3: flow, teacher, student, and the two files they end up in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from calozoo_caloclouds3.calibration import calibrated
from calozoo_caloclouds3.checkpoint_metrics import flow_physics, point_physics, teacher_physics
from calozoo_caloclouds3.config import Width, preset
from calozoo_caloclouds3.distillation import consistency_loss, teacher_loss, trajectory_loss
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_caloclouds3.training_data import Sample, flow_batch, measured_features, point_batch
from calozoo_caloclouds3.trajectory_cache import Bank
from calozoo_caloclouds3.weights_files import Trained, write
from calozoo_core.training import StageConfig, TrainingOptions, TrainingRun, read_sample, seeded

__all__ = ["Options", "train"]

STAGES = ("flow", "teacher", "student")

Network = TypeVar("Network", bound=nn.Module)


class Options(TrainingOptions):
    """What can be set from the command line, as `-o name=value`, beyond what all trainings have.

    Arguments:
        stage: Train one stage only, so that two can run side by side; "finish" puts the files
            together; "all" does everything in order.
        preset: Sizes: "ild-photon", "published" or "tiny".
        flow_epochs: Epochs of the flow.
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of the student.
        teacher_widths: Hidden layers of the teacher, as `96,96,96`; by default the student's own,
            and then the published distillation begins with a copy of it.
        distillation: "trajectory" walks the teacher's path to its end; "consistency" compares
            neighbouring levels, as published.
        bank_parts: Size of the bank the trajectory distillation learns from, in 512 showers.
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
    def _words_are_numbers(cls, widths: object) -> object:
        return widths.split(",") if isinstance(widths, str) else widths


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a CaloClouds3, or go on with a training that was stopped.

    Arguments:
        data: Folder with `train/*.h5` and `val/*.h5`, native shower files of x25 points.
        out: Folder for checkpoints and logs, and in the end for `config.json`,
            `model.safetensors` and `training.json`.
        options: See `Options`.

    Returns:
        The folder with the weights.

    Raises:
        InputError: If an option is not one of ours, or there are no showers.
    """
    return _Training(data, out, Options.of(options)).all_asked_for()


class _Training(TrainingRun):
    """One training in one folder."""

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.options = options
        config = preset(options.preset)
        self.validation = Sample.of(read_sample(data, "val"), config)
        self.sample = Sample.of(read_sample(data, "train"), config)
        features = measured_features(self.sample, config.features)
        self.config = config.model_copy(update={"features": features})

    def all_asked_for(self) -> Path:
        """The stages asked for, in order."""
        stages = (*STAGES, "finish")
        for stage in stages if self.options.stage == "all" else (self.options.stage,):
            getattr(self, stage)()
        return self.out

    def flow(self) -> None:
        """ShowerFlow, by maximum likelihood."""
        seed, flow = self.options.seed, self._flow()
        values, _ = flow_batch(self.sample, self.config, 20_000, seed, step=2**40)
        flow.shift.copy_(values.mean(dim=0))
        flow.scale.copy_(values.std(dim=0))
        goal = StageConfig(
            loss=lambda network, _, batch: -network.log_prob(*batch).mean(),
            physics=lambda network: flow_physics(network, self.validation, self.config),
            batch=lambda step: flow_batch(self.sample, self.config, 256, seed, step),
            epochs=self.options.flow_epochs,
            share=0.2,
            learning_rate=1e-3,
            weight_decay=5e-2,
        )
        self.train("flow", flow, goal)

    def teacher(self) -> None:
        """The EDM denoiser."""
        goal = StageConfig(
            loss=teacher_loss,
            physics=lambda network: teacher_physics(network, self.validation, self.config),
            batch=self._points,
            epochs=self.options.teacher_epochs,
            share=0.3,
        )
        self.train("teacher", self._teacher(), goal)

    def student(self) -> None:
        """The one-step network, from the best teacher."""
        teacher, student = self.kept("teacher", self._teacher()), self._student()
        if self.options.distillation == "consistency":
            if _shapes(student) == _shapes(teacher):
                student.load_state_dict(teacher.state_dict())
            loss, batch, average = consistency_loss(teacher, levels=20), self._points, 0.95
        else:
            loss, batch, average = trajectory_loss, self._bank(teacher), 0.999
        goal = StageConfig(
            loss=loss,
            physics=lambda network: point_physics(network, self.validation, self.config),
            batch=batch,
            epochs=self.options.student_epochs,
            share=0.5,
            average=average,
        )
        self.train("student", student, goal)

    def finish(self) -> None:
        """Calibrate, and write the weights and the record of how they came about."""
        flow, student = self.kept("flow", self._flow()), self.kept("student", self._student())
        config = calibrated(flow, student, self.config, self.sample, "its training showers")
        write(self.out, Trained(config, flow, student))
        showers = {"train": len(self.sample.condition), "val": len(self.validation.condition)}
        self.write_record(STAGES, showers)

    def _flow(self) -> ShowerFlow:
        return self._seeded(lambda random: ShowerFlow(self.config.flow, random))

    def _student(self) -> PointWiseNet:
        return self._seeded(lambda random: PointWiseNet(self.config.points, random))

    def _teacher(self) -> PointWiseNet:
        points = self.config.points
        if self.options.teacher_widths:
            points = points.model_copy(update={"widths": self.options.teacher_widths})
        return self._seeded(lambda random: PointWiseNet(points, random))

    def _seeded(self, make: Callable[[torch.Generator], Network]) -> Network:
        seed = self.options.seed
        return seeded(lambda: make(torch.Generator().manual_seed(seed)), seed)

    def _points(self, step: int) -> tuple[Tensor, ...]:
        return point_batch(self.sample, self.config.features, 256, 32, self.options.seed, step)

    def _bank(self, teacher: PointWiseNet) -> Callable[[int], tuple[Tensor, ...]]:
        bank = Bank.made(
            teacher,
            self.sample.condition,
            self.out / "bank",
            parts=self.options.bank_parts,
            points=64,
            seed=self.options.seed,
        )
        return lambda step: bank.batch(128, self.options.seed, step)


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}
