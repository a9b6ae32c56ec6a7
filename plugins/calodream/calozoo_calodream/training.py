"""Training of CaloDREAM: flow matching of both networks, then the calibration of the rings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import nn

from calozoo_calodream.config import CaloDreamConfig, preset
from calozoo_calodream.core_sampler import ShapeSampler, core_sampler
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.solvers import Solver
from calozoo_core.training import StageConfig
from calozoo_core.training.core_training import CoreOptions, CoreTraining, flow_loss
from calozoo_core.weights.trained_arrays import TrainedArrays
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
    solver: Solver = "adams"
    evaluations: int = Field(default=8, ge=1, le=1000)


class CaloDreamTraining(CoreTraining[CaloDreamConfig]):
    """Training of a CaloDREAM on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "shape")
    trained_type = TrainedCaloDream

    def new_config(self) -> CaloDreamConfig:
        options = self.options
        update = {"solver": options.solver, "steps": options.evaluations}
        return preset(options.preset).model_copy(update=update)

    @property
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""
        return self.config.solver, self.config.steps

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        if stage == "energies":
            return self.energies_stage(share=0.35)
        epochs = self.options.shape_epochs
        return self.rings_stage(flow_loss, self._rings, epochs=epochs, share=0.65)

    def fitted_calibration(self, trained: TrainedArrays[CaloDreamConfig]) -> RingCalibration:
        return self.calibration(core_sampler(trained, self.config.steps).cores)

    def _rings(self, network: nn.Module) -> ShapeSampler:
        """Sampler of the rings with this network."""
        return ShapeSampler(
            self.config.shape,
            network_arrays(network),
            self.scales.shape,
            solver=self.config.solver,
            evaluations=self.config.steps,
        )


train = CaloDreamTraining.train
