"""Training of CaloQVAE: layer energies, the autoencoder with its prior, the prior by itself.

References:
    | Conditioned Calo4pQVAE: https://arxiv.org/abs/2410.22870
    | DVAE++, the smoothed posterior: https://arxiv.org/abs/1802.04920
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_caloqvae.conditioning import condition_bits
from calozoo_caloqvae.config import CaloQvaeConfig, preset
from calozoo_caloqvae.core_sampler import ShapeSampler, core_sampler
from calozoo_caloqvae.latent_sampler import GibbsSampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm, logistic
from calozoo_caloqvae.qvae import Qvae, QvaeBatch, prior_loss
from calozoo_caloqvae.rbm import Rbm
from calozoo_caloqvae.trained import TrainedCaloQvae
from calozoo_core.clumps.core_encoding import EMPTY_MEV, layer_condition
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.solvers import Solver
from calozoo_core.random import stream
from calozoo_core.training import Batch, StageConfig, seeded
from calozoo_core.training.core_sample import CoreSample, Rows, encoded
from calozoo_core.training.core_training import CoreOptions, CoreTraining, HeldOutCores
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_arrays import TrainedArrays
from calozoo_core.weights.trained_core import TrainedCore
from calozoo_core.weights.trained_model import network_arrays

__all__ = ["CaloQvaeTraining", "Options", "train"]

FIRST_SHARPNESS: Final = 5.0
"""Factor in the sigmoid that stands for a step, at the start."""

FIRST_WEIGHT: Final = 0.2
"""Weight of the divergence of posterior and prior at the start."""

HARD: Final = 1e6
"""Factor that makes a step of it."""


class Options(CoreOptions):
    """Options of the training, beyond those that all trainings of the core have.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny" for tests.
        shape_epochs: Epochs of encoder, prior and decoder together.
        prior_epochs: Epochs of the prior by itself.
        prior_learning_rate: Learning rate at their start.
        sweeps: Sweeps of a chain in training, and those that the weights are shipped with.
        anneal_steps: Steps until the posterior's samples are as sharp as they get.
        sharpness: Factor in the sigmoid that stands for a step, from there on.
    """

    preset: Literal["ild-photon-clumps", "tiny"] = "ild-photon-clumps"
    learning_rate: float = Field(default=1e-3, gt=0)
    energies_epochs: int = Field(default=25, ge=1)
    shape_epochs: int = Field(default=45, ge=1)
    prior_epochs: int = Field(default=4, ge=1)
    prior_learning_rate: float = Field(default=1e-3, gt=0)
    sweeps: int = Field(default=30, ge=1, le=1000)
    anneal_steps: int = Field(default=5000, ge=1)
    sharpness: float = Field(default=30.0, gt=0)


class CaloQvaeTraining(CoreTraining[CaloQvaeConfig]):
    """Training of a CaloQVAE on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "shape", "prior")
    trained_type = TrainedCaloQvae

    def new_config(self) -> CaloQvaeConfig:
        return preset(self.options.preset).model_copy(update={"steps": self.options.sweeps})

    @property
    def energy_sampling(self) -> tuple[Solver, int]:
        """Solver of the layer energies' flow, and evaluations of its network."""
        return self.config.energy_solver, self.config.energy_steps

    def network(self, stage: str) -> nn.Module:
        if stage == "shape":
            return seeded(lambda: Qvae(self.config), self.options.seed)
        return Rbm(self.config.prior) if stage == "prior" else super().network(stage)

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options = self.options
        if stage == "energies":
            return self.energies_stage(share=0.2)
        if stage == "shape":
            return self._stage(stage, _loss, lambda qvae: (qvae, qvae.prior), options.shape_epochs)
        autoencoder = self.best_model("shape", self.network("shape"))
        assert isinstance(autoencoder, Qvae)
        network.load_state_dict(autoencoder.prior.state_dict())
        network.requires_grad_(requires_grad=True)
        return self._stage(
            stage,
            partial(_loss_of_prior, autoencoder),
            lambda prior: (autoencoder, prior),
            options.prior_epochs,
            learning_rate=options.prior_learning_rate,
        )

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCore:
        autoencoder = best["shape"]
        return super().trained_model(
            {
                "energies": best["energies"],
                "encoder": autoencoder.encoder,
                "prior": best["prior"],
                "decoder": autoencoder.decoder,
            }
        )

    def fitted_calibration(self, trained: TrainedArrays[CaloQvaeConfig]) -> RingCalibration:
        prior = NumpyRbm(self.config.prior, trained.part("prior"))
        draw = core_sampler(trained, GibbsSampler(prior, self.config.steps))
        return self.calibration(draw.cores)

    def _stage(
        self,
        stage: str,
        loss: Callable[[nn.Module, Batch], Tensor],
        model: Callable[[Any], tuple[Qvae, Rbm]],
        epochs: int,
        **settings: Any,
    ) -> StageConfig:
        """Stage of the rings, judged by what decoder and prior draw.

        Arguments:
            stage: Its name.
            loss: Loss of a network on a batch.
            model: Autoencoder and prior that a network stands for.
            epochs: Number of epochs.
            settings: Further fields of the stage.
        """
        held_out = HeldOutCores("shape", self.validation, self.scales)
        random = stream(self.options.seed, 0, "held-out chains")
        fixed = self._of_step(self.validation, slice(None), random, self.options.anneal_steps)
        fixed = fixed._replace(sharpness=torch.tensor(HARD))

        def metrics(network: nn.Module) -> dict[str, float]:
            autoencoder, prior = model(network)
            drawn = held_out.rings(self._sampler(autoencoder, prior))
            with torch.inference_mode():
                return held_out.metrics(drawn, float(autoencoder.negative_bound(fixed, prior)))

        return self.stage(
            "shape",
            loss=lambda network, _, batch: loss(network, batch),
            metrics=metrics,
            batch=lambda step: self._batch(stage, step),
            epochs=epochs,
            share=0.6 if stage == "shape" else 0.2,
            **settings,
        )

    def _sampler(self, autoencoder: Qvae, prior: Rbm) -> ShapeSampler:
        rbm = NumpyRbm(self.config.prior, network_arrays(prior))
        return ShapeSampler(
            self.config,
            network_arrays(autoencoder.decoder),
            GibbsSampler(rbm, self.config.steps),
            self.scales.shape,
        )

    def _batch(self, stage: str, step: int) -> Batch:
        """Batch of an optimiser step: the same step, the same batch."""
        random = stream(self.options.seed, step, f"{stage} batch")
        rows = random.integers(len(self.sample), size=self.options.batch)
        step = step if stage == "shape" else self.options.anneal_steps
        return self._of_step(self.sample, rows, random, step)

    def _of_step(
        self, sample: CoreSample, rows: Rows, random: np.random.Generator, step: int
    ) -> QvaeBatch:
        """Showers, with random numbers of chains and posterior, as smooth as in this step."""
        numbers = encoded(sample, rows, random)
        data = self.scales.shape.apply(numbers.shares, numbers.shape_features)
        hits = sample.core[rows].reshape(data.shape) >= EMPTY_MEV
        condition = np.concatenate([numbers.condition, layer_condition(numbers.layers)], axis=1)
        n, latents = len(data), self.config.prior.latents
        sizes = (self.config.steps + 2, latents)
        uniform = random.random((n, *sizes), np.float32)
        progress = min(1.0, step / self.options.anneal_steps)
        arrays: tuple[Float32Array, ...] = (
            data,
            hits.astype(np.float32),
            condition,
            condition_bits(numbers.condition, self.config.prior.nodes),
            logistic(uniform[:, 0]),
            (uniform[:, 1] < 0.5).astype(np.float32),
            uniform[:, 2:],
        )
        tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
        ratio = self.options.sharpness / FIRST_SHARPNESS
        sharpness = torch.tensor(FIRST_SHARPNESS * ratio**progress)
        weight = torch.tensor(FIRST_WEIGHT + (1 - FIRST_WEIGHT) * min(1.0, 2 * progress))
        return QvaeBatch(*tensors, sharpness, weight)  # type: ignore[call-arg]


train = CaloQvaeTraining.train


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    """Loss of encoder, prior and decoder."""
    loss: Tensor = network(QvaeBatch(*batch))
    return loss


def _loss_of_prior(autoencoder: Qvae, network: nn.Module, batch: Batch) -> Tensor:
    """Loss of the prior by itself, on states of the posterior."""
    assert isinstance(network, Rbm)
    given = QvaeBatch(*batch)._replace(sharpness=torch.tensor(HARD))
    with torch.no_grad():
        posterior = autoencoder.posterior(given)
    return prior_loss(network, given, posterior.sample).mean() / autoencoder.config.voxels
