"""Training of CaloINN: the networks one by one, the template, and the two files they end up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from calozoo_caloinn.calibration import calibrated
from calozoo_caloinn.networks import built
from calozoo_caloinn.presets import preset
from calozoo_caloinn.stages import STAGES
from calozoo_caloinn.template import fitted
from calozoo_caloinn.training_data import Batch, Sample, batch
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_caloinn.weights_files import Trained, write
from calozoo_core.training import StageConfig, TrainingOptions, TrainingRun, read_sample, seeded

__all__ = ["Options", "train"]


class Options(TrainingOptions):
    """What can be set from the command line, as `-o name=value`, beyond what all trainings have.

    Arguments:
        stage: "all" trains what is not yet trained and puts the files together; "finish" only does
            that, with the best weights of networks that were stopped.
        preset: Sizes: "ild-photon", "ild-photon-joint", "ild-photon-vae", or the like for tests.
        epochs: Epochs of each network.
        batch_size: Showers of a step.
        learning_rate: At the start.
        weight_decay: AdamW's.
        tails: How many times as often the 2 % of the showers farthest out in the tails are drawn.
    """

    stage: Literal["all", "finish"] = "all"
    preset: Literal[
        "ild-photon", "ild-photon-joint", "ild-photon-vae", "tiny", "tiny-joint", "tiny-vae"
    ] = "ild-photon"
    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    tails: float = Field(default=1.0, ge=1)


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a CaloINN, or go on with a training that was stopped.

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
        self.codec = Codec(self.config.codec)
        self.validation = Sample.of(read_sample(data, "val"), self.config, keep=0)
        self.sample = Sample.of(read_sample(data, "train"), self.config, tails=options.tails)

    def all_asked_for(self) -> Path:
        """The networks in order, each given those before it, and the files."""
        seed = self.options.seed
        first = torch.Generator().manual_seed(seed)
        networks = seeded(lambda: built(self.config, first), seed)
        names = [name for name in STAGES if name in networks]
        for name in names:
            if self.options.stage == "all":
                self._train(name, networks, share=1 / len(names))
            self.best_model(name, networks[name])
        self._finish(networks.eval().requires_grad_(requires_grad=False))
        return self.out

    def _train(self, name: str, networks: nn.ModuleDict, share: float) -> None:
        options = self.options
        stage = STAGES[name](self.config, networks, self.validation)
        stage.initialise(batch(self.sample, self.codec, 20_000, options.seed, 2**40))
        goal = StageConfig(
            loss=stage.loss,
            physics=stage.physics,
            batch=self._batch,
            epochs=options.epochs,
            share=share,
            learning_rate=options.learning_rate,
            average=0.998,
            weight_decay=options.weight_decay,
        )
        self.train_stage(name, networks[name], goal)

    def _batch(self, step: int) -> Batch:
        return batch(self.sample, self.codec, self.options.batch_size, self.options.seed, step)

    def _finish(self, networks: nn.ModuleDict) -> None:
        """Fit the template, calibrate, and write the weights and the record of how they came."""
        config = self.config.model_copy(update={"fitted_on": "its training showers"})
        rings, energy_gev = self.sample.rings, self.sample.energy_gev
        seed = self.options.seed
        template = fitted(rings, energy_gev, config.codec, config.rings, seed)
        trained = calibrated(Trained(config, networks, template), self.sample, seed)
        write(self.out, trained)
        showers = {"train": len(self.sample), "val": len(self.validation)}
        self.write_record(networks, showers)
