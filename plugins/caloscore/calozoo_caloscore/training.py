"""Training of CaloScore: layer energies, the diffusion of the rings, and its distillation.

References:
    | CaloScore v2: https://arxiv.org/abs/2308.03847
    | Progressive distillation: https://arxiv.org/abs/2202.00512
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_caloscore.config import CaloScoreConfig, preset
from calozoo_caloscore.core_sampler import ShapeSampler, core_sampler, depths
from calozoo_caloscore.trained import TrainedCaloScore
from calozoo_core.clumps.core_config import PRIMARY_CONDITIONS
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.flow_matching import uniform_times
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.v_prediction import distillation_loss, v_loss
from calozoo_core.training import Batch, StageConfig
from calozoo_core.training.core_training import CoreOptions, CoreTraining, Loss
from calozoo_core.weights.trained_arrays import TrainedArrays
from calozoo_core.weights.trained_core import TrainedCore
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CaloScoreTraining", "Options", "train"]

TEACHER_STEPS: Final = 16
"""Steps with which the teacher is judged, and calibrated."""

FIRST_SUBSTEPS: Final = 4
"""Steps of the teacher for one of the first student; those after it halve their number."""


class Options(CoreOptions):
    """Options of the training, beyond those that all trainings of the core have.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny" for tests.
        teacher_epochs: Epochs of the network of the rings.
        student_epochs: Epochs of each network distilled from it.
        student_learning_rate: Learning rate at the start of those.
        shipped_steps: Steps that the weights are shipped with.
    """

    preset: Literal["ild-photon-clumps", "tiny"] = "ild-photon-clumps"
    teacher_epochs: int = Field(default=32, ge=1)
    student_epochs: int = Field(default=6, ge=1)
    student_learning_rate: float = Field(default=1e-3, gt=0)
    shipped_steps: int = Field(default=2, ge=1, le=1000)


class CaloScoreTraining(CoreTraining[CaloScoreConfig]):
    """Training of a CaloScore on native shower files of x25 points."""

    options_type = Options
    options: Options
    trained_type = TrainedCaloScore

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        students = (f"student_{steps}" for steps in self.config.distilled)
        self.stages = ("energies", "teacher", *students)

    def new_config(self) -> CaloScoreConfig:
        return preset(self.options.preset).model_copy(update={"steps": self.options.shipped_steps})

    @property
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""
        return self.config.energy_solver, self.config.energy_evaluations

    def network(self, stage: str) -> nn.Module:
        # A student is as large as its teacher.
        return super().network(stage if stage == "energies" else "teacher")

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        if stage == "energies":
            return self.energies_stage(share=0.2)
        if stage == "teacher":
            epochs = self.options.teacher_epochs
            return self._of_rings(_teacher_loss, TEACHER_STEPS, epochs=epochs, share=0.45)
        steps = int(stage.removeprefix("student_"))
        before = self.stages[self.stages.index(stage) - 1]
        teacher = self.best_model(before, self.network(before))
        # A student begins as its teacher.
        network.load_state_dict(teacher.state_dict())
        substeps = FIRST_SUBSTEPS if before == "teacher" else 2

        def loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
            return _student_loss(network, teacher, batch, steps, substeps)

        return self._of_rings(
            loss,
            steps,
            epochs=self.options.student_epochs,
            share=0.35 / len(self.config.distilled),
            learning_rate=self.options.student_learning_rate,
        )

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCore:
        students = {str(steps): best[f"student_{steps}"] for steps in self.config.distilled}
        return super().trained_model(
            {
                "energies": best["energies"],
                "teacher": best["teacher"],
                "students": nn.ModuleDict(students),
            }
        )

    def no_calibration(self) -> RingCalibration:
        """Calibrations that change nothing, a row for each network of the rings."""
        return _stacked([super().no_calibration()] * (1 + len(self.config.distilled)))

    def fitted_calibration(self, trained: TrainedArrays[CaloScoreConfig]) -> RingCalibration:
        fitted = [
            self.calibration(core_sampler(trained, steps).cores)
            for steps in (TEACHER_STEPS, *self.config.distilled)
        ]
        return _stacked(fitted)

    def _of_rings(self, loss: Loss, steps: int, **settings: Any) -> StageConfig:
        """Stage of a network of the rings, judged by what it draws in these steps."""

        def sampler(network: nn.Module) -> ShapeSampler:
            return ShapeSampler(
                self.config.shape, network_arrays(network), self.scales.shape, steps
            )

        return self.rings_stage(loss, sampler, **settings)


train = CaloScoreTraining.train


def _teacher_loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
    """Loss of a batch, whose noise and times come from its seed."""
    seed, data, *given = _parts(batch)
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(data.shape, generator=generator).to(data.device)
    time = uniform_times(len(data), generator).to(data.device)
    return v_loss(lambda z, t: network(z, t, *given), noise, data, time)


def _student_loss(
    network: nn.Module, teacher: nn.Module, batch: Batch, steps: int, substeps: int
) -> Tensor:
    """Loss of a batch of a student, whose noise and steps come from its seed."""
    seed, data, *given = _parts(batch)
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(data.shape, generator=generator).to(data.device)
    time = uniform_times(len(data), generator).to(data.device)
    step = (steps * time).long().clamp(max=steps - 1)
    teacher.to(data.device)
    return distillation_loss(
        lambda z, t: network(z, t, *given),
        lambda z, t: teacher(z, t, *given),
        noise,
        data,
        step,
        steps=steps,
        substeps=substeps,
    )


def _parts(batch: Batch) -> tuple[Tensor, ...]:
    """Seed, data and conditions of a batch: of layers, of the primary, of each place."""
    seed, data, condition, logs = batch
    primary, layers = condition[:, :PRIMARY_CONDITIONS], condition[:, PRIMARY_CONDITIONS:]
    depth = torch.from_numpy(depths(logs.shape[1])).to(logs)[:, None].expand_as(logs)
    return seed, data, layers, primary, torch.cat([logs, depth], dim=2)


def _stacked(calibrations: list[RingCalibration]) -> RingCalibration:
    """Calibrations of several networks, a row each."""
    return RingCalibration(*(np.stack(tables) for tables in zip(*calibrations, strict=True)))
