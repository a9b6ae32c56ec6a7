"""Training of CaloINN: network by network, then the template and the calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_caloinn.calibration import calibration_tables
from calozoo_caloinn.checkpoint_metrics import ring_metrics, score
from calozoo_caloinn.config import CaloInnConfig, preset
from calozoo_caloinn.inn import inn_sampler
from calozoo_caloinn.networks import build_networks, samplers
from calozoo_caloinn.ring_energies import VectorSampler
from calozoo_caloinn.template_fit import fit_template
from calozoo_caloinn.trained import TrainedCaloInn
from calozoo_caloinn.training_data import (
    TEMPLATE_SHOWERS,
    Batch,
    TrainingRings,
    batch,
    vectors,
)
from calozoo_caloinn.vae import Vae
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.random import stream
from calozoo_core.training import (
    ModelTraining,
    StageConfig,
    TrainingOptions,
    read_sample,
    seeded,
)
from calozoo_core.typing import Float32Array

__all__ = [
    "STAGES",
    "CaloInnTraining",
    "FlowOptions",
    "FlowTraining",
    "NetworkStage",
    "Options",
    "train",
]

REPEATS = 4
SEED = 20_000


class FlowOptions(TrainingOptions):
    """Options of the training of flows, beyond those that all trainings have.

    Arguments:
        stage: "all", or "finish".
        epochs: Epochs of each network.
        batch_size: Showers of a step.
        learning_rate: Learning rate at the start.
        weight_decay: Weight decay of AdamW.
        tails: Factor on how often the 2 % of the showers farthest out in the tails are drawn.
    """

    stage: Literal["all", "finish"] = "all"
    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    tails: float = Field(default=1.0, ge=1)


class Options(FlowOptions):
    """Options of the training of a CaloINN on rings.

    Arguments:
        preset: Sizes: "ild-photon", "ild-photon-joint", "ild-photon-vae", or the like for tests.
    """

    preset: Literal[
        "ild-photon", "ild-photon-joint", "ild-photon-vae", "tiny", "tiny-joint", "tiny-vae"
    ] = "ild-photon"


class FlowTraining(ModelTraining):
    """Training of invertible networks on rings of energy."""

    options: FlowOptions

    def __init__(self, data: Path, out: Path, options: FlowOptions) -> None:
        super().__init__(data, out, options)
        self.config = self.flows_config()
        self.codec = Codec(self.config.codec)
        self.validation = self.rings("val", keep=0)
        self.sample = self.rings("train", tails=options.tails)
        generator = torch.Generator().manual_seed(options.seed)
        self.networks = seeded(lambda: build_networks(self.config, generator), options.seed)
        self.stages = tuple(name for name in STAGES if name in self.networks)

    @abstractmethod
    def flows_config(self) -> CaloInnConfig:
        """Configuration of the networks."""

    @abstractmethod
    def rings(self, part: str, *, keep: int = 0, tails: float = 1.0) -> TrainingRings:
        """Showers of a part of the data as rings.

        Arguments:
            part: "train" or "val".
            keep: Number of showers whose points are kept.
            tails: Factor on how often showers of the tails are drawn.
        """

    def network(self, stage: str) -> nn.Module:
        return self.networks[stage]

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options = self.options
        for earlier in self.stages[: self.stages.index(stage)]:
            self.best_model(earlier, self.networks[earlier])
        own = STAGES[stage](self.config, self.networks, self.validation)
        own.initialise(batch(self.sample, self.codec, 20_000, options.seed, 2**40))
        return StageConfig(
            loss=own.loss,
            metrics=own.metrics,
            batch=lambda step: batch(
                self.sample, self.codec, options.batch_size, options.seed, step
            ),
            epochs=options.epochs,
            share=1 / len(self.stages),
            learning_rate=options.learning_rate,
            average=0.998,
            weight_decay=options.weight_decay,
        )

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}


class CaloInnTraining(FlowTraining):
    """Training of a CaloINN on rings, on native shower files of x25 points."""

    options_type = Options
    options: Options

    def flows_config(self) -> CaloInnConfig:
        return preset(self.options.preset)

    def rings(
        self, part: str, *, keep: int = TEMPLATE_SHOWERS, tails: float = 1.0
    ) -> TrainingRings:
        showers = read_sample(self.data, part)
        return TrainingRings.from_showers(showers, self.config, keep, tails)

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCaloInn:
        config = self.config.model_copy(update={"fitted_on": "its training showers"})
        rings, energy_gev = self.sample.rings, self.sample.energy_gev
        seed = self.options.seed
        template = fit_template(rings, energy_gev, config.codec, config.rings, seed)
        networks = self.networks.eval().requires_grad_(requires_grad=False)
        calibration = calibration_tables(config, networks, self.sample, seed)
        return TrainedCaloInn(config, networks, template._replace(**calibration))


train = CaloInnTraining.train


class NetworkStage(ABC):
    """Loss and metrics of one network.

    Arguments:
        config: Configuration of the model.
        networks: All networks; those of earlier stages are trained.
        validation: Held-out showers.
    """

    name: str

    def __init__(
        self, config: CaloInnConfig, networks: nn.ModuleDict, validation: TrainingRings
    ) -> None:
        self.config, self.networks, self.validation = config, networks, validation
        self.codec = Codec(config.codec)
        random = stream(SEED, 0, "validation")
        condition = validation.condition
        self._held_out = vectors(validation, self.codec, slice(None), condition, random)

    @abstractmethod
    def data_and_condition(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Data that the network models, and its condition."""

    def initialise(self, batch: Batch) -> None:
        """Set standardisations from a large batch."""
        network: Any = self.networks[self.name]
        network.initialise(*self.data_and_condition(batch))

    def loss(self, network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
        """Loss of a batch; random numbers of the network come from the batch's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(batch[-1]))
            return self._loss(network, *self.data_and_condition(batch))

    def _loss(self, network: Any, x: Tensor, condition: Tensor) -> Tensor:
        loss: Tensor = -network.log_prob(x, condition).mean()
        return loss

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """Metrics of the vectors that the network samples for held-out primaries."""
        with torch.inference_mode():
            nll = float(self._loss(network, *self.data_and_condition(self._held_out)))
        sample = self.validation
        energy_gev = np.tile(sample.energy_gev, REPEATS)
        decoded = self.codec.decode(*self._sample_vectors(network), energy_gev)
        metrics = ring_metrics(
            self.codec.threshold(decoded), sample.rings.energies, energy_gev, sample.energy_gev
        )
        metrics = {name: metrics[name] for name in metrics if self._is_judged_by(name)}
        return metrics | {"nll": nll, "score": score(metrics, nll)}

    def _is_judged_by(self, metric: str) -> bool:
        return True

    def _sample_vectors(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        """Vectors for the held-out primaries, several times over."""
        parts = nn.ModuleDict({**dict(self.networks.items()), self.name: network})
        sampler = VectorSampler(self.config, samplers(parts))
        return sampler(self._noise(sampler.noise), np.tile(self.validation.condition, (REPEATS, 1)))

    def _noise(self, width: int) -> Float32Array:
        size = (REPEATS * len(self.validation), width)
        return stream(SEED, 1, "validation").standard_normal(size, np.float32)

    def _true(self, part: int) -> Float32Array:
        return np.tile(self._held_out[part].numpy(), (REPEATS, 1))


class LayersStage(NetworkStage):
    """Layer ratios, if they have a network of their own."""

    name = "layers"

    def data_and_condition(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch[0], batch[2]

    def _sample_vectors(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        condition = np.tile(self.validation.condition, (REPEATS, 1))
        layers = inn_sampler(network)(self._noise(self.config.codec.layers), condition)
        return layers, self._true(1)

    def _is_judged_by(self, metric: str) -> bool:
        return metric in ("profile_layers", "visible", "depth", "length", "late")


class VoxelsStage(NetworkStage):
    """Voxels, or everything, or the latent numbers."""

    name = "inn"

    def data_and_condition(self, batch: Batch) -> tuple[Tensor, Tensor]:
        layers, voxels, condition, voxel_condition, _ = batch
        if self.config.arrangement == "factorised":
            return voxels, voxel_condition
        if self.config.arrangement == "joint":
            return torch.cat([layers, voxels], dim=1), condition
        vae = self.networks["vae"]
        assert isinstance(vae, Vae)
        with torch.no_grad():
            latent = vae.encode(voxels, voxel_condition)
        return torch.cat([layers, latent], dim=1), condition


class AutoencoderStage(NetworkStage):
    """Autoencoder of the voxels."""

    name = "vae"

    def data_and_condition(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch[1], batch[3]

    def _loss(self, network: Any, x: Tensor, condition: Tensor) -> Tensor:
        noise = torch.randn(len(x), network.config.latent)
        loss: Tensor = network.loss(x, condition, noise)
        return loss

    def metrics(self, network: nn.Module) -> dict[str, float]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return super().metrics(network)

    def _sample_vectors(self, network: nn.Module) -> tuple[Float32Array, Float32Array]:
        """Reconstruction of the held-out showers."""
        assert isinstance(network, Vae)
        voxels, condition = self.data_and_condition(self._held_out)
        with torch.inference_mode():
            mean, log_variance = network.encode(voxels, condition).chunk(2, dim=1)
            mean, log_variance = mean.repeat(REPEATS, 1), log_variance.repeat(REPEATS, 1)
            noise = torch.from_numpy(self._noise(mean.shape[1]))
            latent = mean + (log_variance / 2).exp() * noise
            back = network.decode(latent, condition.repeat(REPEATS, 1))
        return self._true(0), back.numpy()


STAGES: dict[str, type[NetworkStage]] = {
    "vae": AutoencoderStage,
    "layers": LayersStage,
    "inn": VoxelsStage,
}
"""Stages by the name of their network, in the order of their training."""
