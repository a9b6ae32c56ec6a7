"""Training of CaloDREAM: flow matching of both networks, then the calibration of the rings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import nn

from calozoo_calodream.config import CaloDreamConfig, preset
from calozoo_calodream.core_sampler import ShapeSampler, core_sampler
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.training import StageConfig, seeded
from calozoo_core.training.core_training import CoreOptions, CoreTraining, flow_loss
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CaloDreamTraining", "Options", "train"]


class Options(CoreOptions):
    """Options of the training, beyond those that all trainings of the core have.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny" for tests.
        shape_epochs: Epochs of the network of the rings.
        solver: Solver that the weights are shipped with.
        evaluations: Evaluations of each network for a shower, likewise.
    """

    preset: Literal["ild-photon-clumps", "tiny"] = "ild-photon-clumps"
    shape_epochs: int = Field(default=40, ge=1)
    solver: Solver = "midpoint"
    evaluations: int = Field(default=8, ge=1, le=1000)


class CaloDreamTraining(CoreTraining):
    """Training of a CaloDREAM on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "shape")

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        self._config = preset(options.preset).model_copy(
            update={
                "solver": options.solver,
                "steps": options.evaluations,
                "fitted_on": "its training showers",
            }
        )
        super().__init__(data, out, options)

    @property
    def config(self) -> CaloDreamConfig:
        """Configuration of the model."""
        return self._config

    @property
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""
        return self.config.solver, self.config.steps

    def network(self, stage: str) -> nn.Module:
        if stage == "energies":
            return self.energies_network()
        return seeded(lambda: VisionTransformer(self.config.shape), self.options.seed)

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        if stage == "energies":
            return self.energies_stage(share=0.35)

        def sampler(network: nn.Module) -> ShapeSampler:
            return ShapeSampler(
                self.config.shape,
                network_arrays(network),
                self.scales.shape,
                solver=self.config.solver,
                evaluations=self.config.steps,
            )

        return self.rings_stage(flow_loss, sampler, epochs=self.options.shape_epochs, share=0.65)

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCaloDream:
        uncalibrated = TrainedCaloDream(
            self.config,
            best["energies"],
            best["shape"],
            self.scales.energies,
            self.scales.shape,
            self.no_calibration(),
        )
        draw = core_sampler(uncalibrated.to_arrays(), self.config.steps)
        return replace(uncalibrated, calibration=self.calibration(draw.cores))


train = CaloDreamTraining.train
