"""Training of ConvL2LFlows: layer energies, sub-cells, cells, and the files they end up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from calozoo_convl2lflows.calibration import fitted
from calozoo_convl2lflows.config import preset
from calozoo_convl2lflows.objectives import Samples, goal
from calozoo_convl2lflows.training_data import Sample, measured
from calozoo_convl2lflows.weights_files import Trained, networks, write
from calozoo_core.errors import InputError
from calozoo_core.training import TrainingOptions, TrainingRun, read_sample, seeded

__all__ = ["Options", "train"]


class Options(TrainingOptions):
    """What can be set from the command line, as `-o name=value`, beyond what all trainings have.

    Arguments:
        stage: Train one flow only, "energies", "subcells", "cells" or "voxels"; "finish" puts the
            files together, from the best checkpoints where a stage was stopped; "all" does
            everything in order.
        preset: Sizes, by the names of `config.preset`.
        energies_epochs: Epochs of the flow of the layer energies.
        subcells_epochs: Epochs of the flow that splits cells.
        cells_epochs: Epochs of the convolutional flow.
        voxels_epochs: Epochs of the published flow.
        bfloat16: Whether the convolutions of cells are trained in bfloat16.
        looked_at: Held-out showers that the flows of layers are judged by.
        calibrate: Showers the spectrum is fitted on; 0 leaves it as it is.
    """

    stage: Literal["all", "energies", "subcells", "cells", "voxels", "finish"] = "all"
    preset: Literal["ild-photon", "gh", "x9", "small-x9", "tiny", "tiny-voxels"] = "ild-photon"
    energies_epochs: int = Field(default=50, ge=1)
    subcells_epochs: int = Field(default=30, ge=1)
    cells_epochs: int = Field(default=120, ge=1)
    voxels_epochs: int = Field(default=120, ge=1)
    validate_every: int = Field(default=8, ge=1)
    patience: int = Field(default=100, ge=1)
    bfloat16: bool = True
    looked_at: int = Field(default=300, ge=1)
    calibrate: int = Field(default=2000, ge=0)


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a ConvL2LFlows, or go on with a training that was stopped.

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
        validation = Sample.of(read_sample(data, "val"))
        train_sample = Sample.of(read_sample(data, "train"))
        self.samples = Samples(train_sample, validation, options.looked_at)
        self.config = measured(preset(options.preset), train_sample)
        with torch.device("meta"):
            self.stages = tuple(networks(self.config))

    def all_asked_for(self) -> Path:
        """The stages asked for, in order."""
        asked, options = self.options.stage, self.options
        if asked not in ("all", "finish", *self.stages):
            msg = f"The preset {options.preset} has no stage {asked!r}: {self.stages}."
            raise InputError(msg)
        for stage in self.stages:
            if asked in ("all", stage):
                network = self._network(stage)
                epochs = getattr(options, f"{stage}_epochs")
                rough = options.bfloat16
                self.train_stage(
                    stage,
                    network,
                    goal(stage, self.samples, self.config, options.seed, epochs, rough=rough),
                )
        if asked in ("all", "finish"):
            self._finish()
        return self.out

    def _finish(self) -> None:
        """Write the weights and the record of how they came about."""
        kept = {stage: self.best_model(stage, self._network(stage)) for stage in self.stages}
        trained = Trained(self.config, kept)
        if self.options.calibrate:
            config = fitted(trained, self.samples.train, self.options.calibrate)
            trained = Trained(config, kept)
        write(self.out, trained)
        showers = {"train": len(self.samples.train), "val": len(self.samples.validation)}
        self.write_record(self.stages, showers)

    def _network(self, stage: str) -> nn.Module:
        return seeded(lambda: networks(self.config)[stage], self.options.seed)
