"""Training of CaloClouds3: flow, teacher, student, and the two files they end up in."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calozoo_caloclouds3.bank import Bank
from calozoo_caloclouds3.calibration import calibrated
from calozoo_caloclouds3.config import Width, preset
from calozoo_caloclouds3.data import Sample, flow_batch, measured_features, point_batch
from calozoo_caloclouds3.distill import Loss, consistency_loss, teacher_loss, trajectory_loss
from calozoo_caloclouds3.files import Trained, write
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.physics import flow_physics, point_physics, teacher_physics
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_core.errors import InputError
from calozoo_core.training import Schedule, StagedTraining, fit, read_sample
from calozoo_core.weights import sha256

__all__ = ["Options", "train"]

KEPT = "kept.safetensors"

Stage = Literal["flow", "teacher", "student"]


class Options(BaseModel):
    """What can be set from the command line, as `-o name=value`.

    Arguments:
        stage: Train one stage only, so that two can run side by side; "finish" puts the files
            together; "all" does everything in order.
        preset: Sizes: "ild-photon", "published" or "tiny".
        seed: Same seed, same batches, same start.
        device: "cpu" or "cuda".
        threads: Threads of torch; None leaves it to torch.
        flow_epochs: Epochs of the flow.
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of the student.
        steps: Optimiser steps of an epoch, which is only a place to stop, look and resume.
        teacher_widths: Hidden layers of the teacher, as `96,96,96`; by default the student's own,
            and then the published distillation begins with a copy of it.
        distillation: "trajectory" walks the teacher's path to its end; "consistency" compares
            neighbouring levels, as published.
        bank_parts: Size of the bank the trajectory distillation learns from, in 512 showers.
        validate_every: Epochs between two looks at the physics.
        patience: Looks without an improvement after which a stage ends early.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["all", "flow", "teacher", "student", "finish"] = "all"
    preset: Literal["ild-photon", "published", "tiny"] = "ild-photon"
    seed: int = Field(default=1, ge=0)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    flow_epochs: int = Field(default=40, ge=1)
    teacher_epochs: int = Field(default=60, ge=1)
    student_epochs: int = Field(default=200, ge=1)
    steps: int = Field(default=500, ge=1)
    teacher_widths: tuple[Width, ...] = ()
    distillation: Literal["trajectory", "consistency"] = "trajectory"
    bank_parts: int = Field(default=200, ge=1)
    validate_every: int = Field(default=5, ge=1)
    patience: int = Field(default=20, ge=1)


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
    chosen = _options(options)
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    out.mkdir(parents=True, exist_ok=True)
    return _Training(data, out, chosen).run()


def _options(options: dict[str, Any]) -> Options:
    if isinstance(options.get("teacher_widths"), str):
        options = options | {"teacher_widths": options["teacher_widths"].split(",")}
    try:
        return Options.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        if first["type"] == "extra_forbidden":
            msg = f"no option is called {name!r}; there are {', '.join(Options.model_fields)}."
        else:
            msg = f"the option {name} is wrong: {first['msg'].lower()}."
        raise InputError(msg) from error


class _Training:
    """One training in one folder."""

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        self.data, self.out, self.options = data, out, options
        config = preset(options.preset)
        self.validation = Sample.of(read_sample(data, "val"), config)
        self.sample = Sample.of(read_sample(data, "train"), config)
        features = measured_features(self.sample, config.features)
        self.config = config.model_copy(update={"features": features})

    def run(self) -> Path:
        """The stages asked for, in order."""
        stages = ("flow", "teacher", "student", "finish")
        for stage in stages if self.options.stage == "all" else (self.options.stage,):
            getattr(self, stage)()
        return self.out

    def flow(self) -> None:
        """ShowerFlow, by maximum likelihood."""
        seed = self.options.seed
        flow = self._network("flow")
        values, _ = flow_batch(self.sample, self.config, 20_000, seed, step=2**40)
        flow.shift.copy_(values.mean(dim=0))
        flow.scale.copy_(values.std(dim=0))
        self._fit(
            "flow",
            flow,
            lambda network, _, batch: -network.log_prob(*batch).mean(),
            lambda network: flow_physics(network, self.validation, self.config),
            lambda step: flow_batch(self.sample, self.config, 256, seed, step),
            self._schedule("flow", 1e-3, weight_decay=5e-2),
        )

    def teacher(self) -> None:
        """The EDM denoiser."""
        self._fit(
            "teacher",
            self._network("teacher"),
            teacher_loss,
            lambda network: teacher_physics(network, self.validation, self.config),
            self._points,
            self._schedule("teacher", 2e-3),
        )

    def student(self) -> None:
        """The one-step network, from the best teacher."""
        teacher, student = self._kept("teacher"), self._network("student")
        if self.options.distillation == "consistency":
            if _shapes(student) == _shapes(teacher):
                student.load_state_dict(teacher.state_dict())
            loss, batch, average = consistency_loss(teacher, levels=20), self._points, 0.95
        else:
            loss, batch, average = trajectory_loss, self._bank(teacher), 0.999
        self._fit(
            "student",
            student,
            loss,
            lambda network: point_physics(network, self.validation, self.config),
            batch,
            self._schedule("student", 2e-3, average=average),
        )

    def finish(self) -> None:
        """Calibrate, and write the weights and the record of how they came about."""
        flow, student = self._kept("flow"), self._kept("student")
        config = calibrated(flow, student, self.config, self.sample, "its training showers")
        write(self.out, Trained(config, flow, student))
        for stage in ("flow", "teacher", "student"):
            shutil.copyfile(self.out / stage / "metrics.csv", self.out / f"{stage}.csv")
        write_record(self.out / "training.json", self._record())

    def _fit(
        self,
        name: Stage,
        network: nn.Module,
        loss: Loss,
        physics: Callable[[Any], dict[str, float]],
        batch: Callable[[int], tuple[Tensor, ...]],
        schedule: Schedule,
    ) -> None:
        folder = self.out / name
        stage = StagedTraining(network, loss, physics, schedule)
        figures = fit(stage, batch, schedule, folder, device=self.options.device)
        save_file(stage.kept.state_dict(), folder / KEPT)
        record = {"options": self.options.model_dump(), "schedule": asdict(schedule)}
        write_record(folder / "record.json", record | {"best": figures})

    def _schedule(self, name: Stage, learning_rate: float, **more: float) -> Schedule:
        options = self.options
        return Schedule(
            epochs=getattr(options, f"{name}_epochs"),
            steps=options.steps,
            learning_rate=learning_rate,
            validate_every=min(options.validate_every, getattr(options, f"{name}_epochs")),
            patience=options.patience,
            **more,
        )

    def _network(self, name: Stage) -> Any:
        generator = torch.Generator().manual_seed(self.options.seed)
        with torch.random.fork_rng(devices=[]):
            # Layers draw their first weights from torch's global stream; it is put back afterwards.
            torch.manual_seed(self.options.seed)
            if name == "flow":
                return ShowerFlow(self.config.flow, generator)
            points = self.config.points
            if name == "teacher" and self.options.teacher_widths:
                points = points.model_copy(update={"widths": self.options.teacher_widths})
            return PointWiseNet(points, generator)

    def _kept(self, name: Stage) -> Any:
        path = self.out / name / KEPT
        if not path.exists():
            msg = f"The stage {name!r} has not been trained in {self.out}; train it first."
            raise InputError(msg)
        network = self._network(name)
        network.load_state_dict(load_file(path))
        return network.eval().requires_grad_(False)

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

    def _record(self) -> dict[str, Any]:
        stages = {}
        for name in ("flow", "teacher", "student"):
            stages[name] = json.loads((self.out / name / "record.json").read_text())
        files = sorted(self.data.glob("*/*.h5"))
        return {
            "stages": stages,
            "data": {str(path.relative_to(self.data)): sha256(path) for path in files},
            "showers": {
                "train": len(self.sample.condition),
                "val": len(self.validation.condition),
            },
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        }


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
