"""Training of CaloDiffusion: layer energies by flow matching, their rings by diffusion."""

from __future__ import annotations

from typing import Any, Final, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_calodiffusion.config import CaloDiffusionConfig, preset
from calozoo_calodiffusion.core_sampler import ShapeSampler, core_sampler
from calozoo_calodiffusion.trained import TrainedCaloDiffusion
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.edm import edm_loss, log_normal_levels
from calozoo_core.nn.numpy_edm import EdmSolver
from calozoo_core.nn.solvers import Solver
from calozoo_core.training import StageConfig
from calozoo_core.training.core_training import CoreOptions, CoreTraining
from calozoo_core.training.stages import Batch
from calozoo_core.weights.trained_arrays import TrainedArrays
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CaloDiffusionTraining", "Options", "train"]

LEVELS: Final = (-0.2, 1.4)
"""Mean and spread of the logarithm of the noise levels that the network is taught."""


class Options(CoreOptions):
    """Options of the training, beyond those that all trainings of the core have.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny" for tests.
        shape_epochs: Epochs of the network of the rings.
        solver: Solver that the weights are shipped with.
        evaluations: Evaluations of the network of the rings for a shower, likewise.
    """

    preset: Literal["ild-photon-clumps", "tiny"] = "ild-photon-clumps"
    learning_rate: float = Field(default=1e-3, gt=0)
    energies_epochs: int = Field(default=25, ge=1)
    shape_epochs: int = Field(default=25, ge=1)
    solver: EdmSolver = "angle"
    evaluations: int = Field(default=4, ge=1, le=1000)


class CaloDiffusionTraining(CoreTraining[CaloDiffusionConfig]):
    """Training of a CaloDiffusion on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "shape")
    trained_type = TrainedCaloDiffusion

    def new_config(self) -> CaloDiffusionConfig:
        options = self.options
        update = {"solver": options.solver, "steps": options.evaluations}
        return preset(options.preset).model_copy(update=update)

    @property
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""
        return self.config.energy_solver, self.config.energy_steps

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        if stage == "energies":
            return self.energies_stage(share=0.2)
        return self.rings_stage(_loss, self._rings, epochs=self.options.shape_epochs, share=0.8)

    def fitted_calibration(self, trained: TrainedArrays[CaloDiffusionConfig]) -> RingCalibration:
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


train = CaloDiffusionTraining.train


def _loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
    """Loss of a batch of rings, whose noise and levels come from its seed."""
    seed, data, condition, logs = batch
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(data.shape, generator=generator).to(data.device)
    sigma = log_normal_levels(len(data), generator, *LEVELS).to(data.device)
    # The cylinder has one sector, and the logarithm of a layer's energy is an image of its own.
    images = logs[:, None, :, :, None].expand(-1, -1, -1, -1, data.shape[2])

    def denoising(x: Tensor, time: Tensor) -> Tensor:
        out: Tensor = network(x[:, :, None], time, condition, images)
        return out[:, :, 0]

    return edm_loss(denoising, noise, data, sigma)
