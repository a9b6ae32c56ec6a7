"""Training of 3DGAN: layer energies, the contest, and the two files they end up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from calozoo_core.showers import Showers
from calozoo_core.training import (
    StageConfig,
    StagedTraining,
    TrainingOptions,
    TrainingRun,
    read_sample,
    seeded,
)
from calozoo_gan3d.adversarial_step import Contest, Players
from calozoo_gan3d.checkpoint_metrics import energy_physics, image_physics
from calozoo_gan3d.config import preset
from calozoo_gan3d.layer_energies import LayerEnergies, energy_loss
from calozoo_gan3d.mean_images import start_from_means
from calozoo_gan3d.point_tables import fitted_tables
from calozoo_gan3d.training_data import Sample, Upright, energy_batch, image_batch, roots, upright
from calozoo_gan3d.weights_files import Trained, write

__all__ = ["Options", "train"]

STAGES = ("energies", "images")

#: Showers whose points are looked at in the end.
SHOWERS_IN_TABLES = 5000


class Options(TrainingOptions):
    """What can be set from the command line, as `-o name=value`, beyond what all trainings have.

    Arguments:
        stage: Train one stage only; "finish" puts the files together; "all" does everything in
            order.
        preset: Sizes: "ild-photon" or "tiny".
        energies_epochs: Epochs of the network of the layer energies.
        images_epochs: Epochs of the contest.
        batch: Showers in a batch of images.
    """

    stage: Literal["all", "energies", "images", "finish"] = "all"
    preset: Literal["ild-photon", "tiny"] = "ild-photon"
    energies_epochs: int = Field(default=150, ge=1)
    images_epochs: int = Field(default=100, ge=1)
    steps: int = Field(default=50, ge=1)
    batch: int = Field(default=48, ge=2)
    validate_every: int = Field(default=2, ge=1)
    patience: int = Field(default=40, ge=1)


class AdversarialTraining(StagedTraining):
    """The contest as a stage: Adam with a short memory, and a slower discriminator.

    Arguments:
        network: Both players.
        loss: The contest.
        physics: Looks at the average.
        schedule: How long, and how fast the generator.
    """

    #: Learning rate of the discriminator over that of the generator.
    SLOWER = 0.25
    BETAS = (0.5, 0.99)

    def configure_optimizers(self) -> Any:
        """Adam for both players, and a cosine."""
        rate, players = self._schedule.learning_rate, self.network
        assert isinstance(players, Players)
        optimizer = torch.optim.Adam(
            [
                {"params": players.generator.parameters(), "lr": rate},
                {"params": players.discriminator.parameters(), "lr": rate * self.SLOWER},
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


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a 3DGAN, or go on with a training that was stopped.

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

    options: Options

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.options = options
        self.config = preset(options.preset)
        self.showers: Showers = read_sample(data, "train")
        self.sample = self._sample(self.showers, upright(self.showers, options.seed))
        held_out = read_sample(data, "val")
        self.detector = self.showers.detector
        self.validation = self._sample(held_out, upright(held_out, options.seed))

    def all_asked_for(self) -> Path:
        """The stages asked for, in order."""
        stages = (*STAGES, "finish")
        for stage in stages if self.options.stage == "all" else (self.options.stage,):
            getattr(self, stage)()
        return self.out

    def energies(self) -> None:
        """The layer energies, by the energy score."""
        net, seed = self._energies(), self.options.seed
        goal = StageConfig(
            loss=energy_loss,
            physics=lambda network: energy_physics(network, self.validation),
            batch=lambda step: energy_batch(self.sample, net.latent, 512, seed, step),
            epochs=self.options.energies_epochs,
            share=0.1,
            average=0.995,
        )
        self.train_stage("energies", net, goal)

    def images(self) -> None:
        """The images, by the contest."""
        net, players, options = self._energies(), self._players(), self.options
        start_from_means(players.generator, self.sample)
        goal = StageConfig(
            loss=Contest(self.config, net.to(options.device), self.detector),
            physics=lambda network: image_physics(network.generator, net, self.validation),
            batch=lambda step: image_batch(
                self.sample, self.config, options.batch, options.seed, step
            ),
            epochs=options.images_epochs,
            share=0.9,
            learning_rate=3e-3,
            average=0.995,
            training=AdversarialTraining,
        )
        self.train_stage("images", players.to(memory_format=torch.channels_last), goal)

    def finish(self) -> None:
        """Calibrate, and write the weights and the record of how they came about."""
        net = self.best_model("energies", self._energies())
        generator = self.best_model("images", self._players()).generator
        some = self.showers[:SHOWERS_IN_TABLES]
        tables = fitted_tables(upright(some, self.options.seed), len(some), self.config.grid)
        write(self.out, Trained(self.config, net, generator, tables))
        self.write_record(STAGES, {"train": len(self.sample), "val": len(self.validation)})

    def _sample(self, showers: Showers, points: Upright) -> Sample:
        return Sample.of(showers, self.config.grid, points)

    def _energies(self) -> LayerEnergies:
        """An untrained network of the layer energies, with mean and spread of the sample."""
        config = self.config
        net = seeded(lambda: LayerEnergies(config.grid.layers, config.energies), self.options.seed)
        values = roots(self.sample)
        net.shift.copy_(torch.from_numpy(values.mean(axis=0)))
        net.scale.copy_(torch.from_numpy(values.std(axis=0)))
        return net

    def _players(self) -> Players:
        return seeded(lambda: Players(self.config), self.options.seed)
