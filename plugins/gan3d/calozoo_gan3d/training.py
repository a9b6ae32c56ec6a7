"""Training of 3DGAN: layer energies, adversarial training of the images, point tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from calozoo_core.training import (
    ModelTraining,
    StageConfig,
    StagedTraining,
    TrainingOptions,
    read_sample,
    seeded,
)
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_gan3d.adversarial_step import AdversarialLoss, AdversarialPair
from calozoo_gan3d.checkpoint_metrics import image_metrics, layer_energy_metrics
from calozoo_gan3d.config import preset
from calozoo_gan3d.layer_energies import LayerEnergies, energy_loss
from calozoo_gan3d.networks import Generator, energy_of
from calozoo_gan3d.points import fitted_tables
from calozoo_gan3d.trained import TrainedGan3d
from calozoo_gan3d.training_data import (
    ImageSample,
    dense_images,
    energy_batch,
    energy_roots,
    image_batch,
    upright_points,
)

__all__ = ["Gan3dTraining", "Options", "set_mean_images", "train"]

#: Number of showers that the point tables are measured on.
SHOWERS_IN_TABLES = 5000

#: Voxels that are filled more often than this have a spectrum around their mean.
OFTEN = 0.9
#: Least probability that a voxel is filled, since showers outside the sample may fill it.
RARE = 1e-4


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        preset: Sizes, a name of `config.preset`.
        energies_epochs: Epochs of the network of the layer energies.
        images_epochs: Epochs of the adversarial training.
        batch: Number of showers in a batch of images.
    """

    preset: Literal["ild-photon", "tiny"] = "ild-photon"
    energies_epochs: int = Field(default=150, ge=1)
    images_epochs: int = Field(default=100, ge=1)
    steps: int = Field(default=50, ge=1)
    batch: int = Field(default=48, ge=2)
    validate_every: int = Field(default=2, ge=1)
    patience: int = Field(default=40, ge=1)


class AdversarialTraining(StagedTraining):
    """Stage of adversarial training: Adam with a short memory, and a slower discriminator.

    Arguments:
        network: Both networks.
        loss: Adversarial loss.
        metrics: Metrics of the averaged network.
        schedule: Number of epochs, and learning rate of the generator.
    """

    #: Ratio of the learning rates of discriminator and generator.
    SLOWER = 0.25
    BETAS = (0.5, 0.99)

    def configure_optimizers(self) -> Any:
        """Adam for both networks, and a cosine."""
        rate, pair = self._schedule.learning_rate, self.network
        assert isinstance(pair, AdversarialPair)
        optimizer = torch.optim.Adam(
            [
                {"params": pair.generator.parameters(), "lr": rate},
                {"params": pair.discriminator.parameters(), "lr": rate * self.SLOWER},
            ],
            betas=self.BETAS,
        )
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, self._schedule.total_steps, eta_min=rate / 100
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": cosine, "interval": "step"},
        }


class Gan3dTraining(ModelTraining):
    """Training of a 3DGAN on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "images")
    undivided = "its loss compares all generated images of a batch with all simulated ones"

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.config = preset(options.preset)
        self.showers, held_out = (read_sample(data, part) for part in ("train", "val"))
        self.sample, self.validation = (
            ImageSample.from_showers(
                showers, self.config.grid, upright_points(showers, options.seed)
            )
            for showers in (self.showers, held_out)
        )

    def network(self, stage: str) -> nn.Module:
        config, seed = self.config, self.options.seed
        if stage == "images":
            return seeded(lambda: AdversarialPair(config), seed)
        network = seeded(lambda: LayerEnergies(config.grid.layers, config.energies), seed)
        roots = energy_roots(self.sample)
        network.shift.copy_(torch.from_numpy(roots.mean(axis=0)))
        network.scale.copy_(torch.from_numpy(roots.std(axis=0)))
        return network

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        return self._energy_stage(network) if stage == "energies" else self._image_stage(network)

    def trained_model(self, best: Mapping[str, Any]) -> TrainedGan3d:
        some = self.showers[:SHOWERS_IN_TABLES]
        points = upright_points(some, self.options.seed)
        tables = fitted_tables(points, len(some), self.config.grid)
        return TrainedGan3d(self.config, best["energies"], best["images"].generator, tables)

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}

    def _energy_stage(self, network: LayerEnergies) -> StageConfig:
        """Layer energies, trained by the energy score."""
        seed = self.options.seed
        return StageConfig(
            loss=energy_loss,
            metrics=lambda network: layer_energy_metrics(network, self.validation),
            batch=lambda step: energy_batch(self.sample, network.latent, 512, seed, step),
            epochs=self.options.energies_epochs,
            share=0.1,
            average=0.995,
        )

    def _image_stage(self, pair: AdversarialPair) -> StageConfig:
        """Images, trained by the adversarial loss."""
        options, energies = self.options, self.network("energies")
        assert isinstance(energies, LayerEnergies)
        set_mean_images(pair.generator, self.sample)
        pair.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return StageConfig(
            loss=AdversarialLoss(self.config, energies.to(options.device), self.showers.detector),
            metrics=lambda pair: image_metrics(pair.generator, energies, self.validation),
            batch=lambda step: image_batch(
                self.sample, self.config, options.batch, options.seed, step
            ),
            epochs=options.images_epochs,
            share=0.9,
            learning_rate=3e-3,
            average=0.995,
            training=AdversarialTraining,
        )


train = Gan3dTraining.train


@torch.no_grad()
def set_mean_images(generator: Generator, sample: ImageSample, showers: int = 4000) -> None:
    """Set the mean images to the occupancy and mean energy of the voxels of a sample.

    Arguments:
        generator: Generator whose mean images are set.
        sample: Geant4 showers.
        showers: Number of them to use.
    """
    grid, knots = generator.grid, generator.config.knots
    condition = torch.from_numpy(sample.condition[:showers])
    knot_weights = generator.knot_weights(condition).numpy()
    size = grid.layers * grid.cells**2
    weight = np.zeros((knots, 1))
    sums = np.zeros((3, knots, size))
    for first in range(0, len(knot_weights), 200):
        part = knot_weights[first : first + 200]
        rows = np.arange(first, first + len(part))
        image = dense_images(sample.voxels, rows, np.ones(len(rows), np.float32), grid)
        image = image.reshape(len(rows), size)
        mirrored = image.reshape(-1, grid.cells)[:, ::-1].reshape(len(rows), size)
        for either in (image, mirrored):
            t = _t_of(either)
            for moment, values in zip(sums, (either > 0, t, t**2), strict=True):
                moment += part.T @ values
            weight += part.sum(axis=0)[:, None]
    filled, mean, square = sums / np.maximum(weight, 1e-9)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    is_often = filled > OFTEN
    quantile = torch.special.ndtri(torch.from_numpy(np.clip(filled, RARE, OFTEN))).numpy()
    mean = np.where(is_often, mean, quantile)
    spread = np.where(is_often, np.clip(spread, 0.2, 3.0), 1.0)
    images = np.concatenate([mean, spread - 1 / spread], axis=1)
    generator.means.copy_(torch.from_numpy(images).float())


def _t_of(image: Float32Array) -> FloatArray:
    """Inverse of `networks.energy_of`; 0 for empty voxels."""
    t = np.concatenate([[0.0], np.logspace(-3, 2, 2000)])
    energy = energy_of(torch.from_numpy(t)).numpy()
    inverse: FloatArray = np.interp(image, energy, t)
    return inverse
