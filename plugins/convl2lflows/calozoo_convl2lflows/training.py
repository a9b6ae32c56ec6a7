"""Training of ConvL2LFlows: layer energies, sub-cells, cells, and the calibration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import nn

from calozoo_convl2lflows.calibration import fitted_powers, fitted_spectrum
from calozoo_convl2lflows.config import Calibration, ConvL2LConfig, preset
from calozoo_convl2lflows.model import Pipeline, TrainedConvL2LFlows
from calozoo_convl2lflows.stages import Stages, TrainingSamples
from calozoo_convl2lflows.training_data import UprightShowers, on_grid
from calozoo_core.random import stream
from calozoo_core.training import (
    ModelTraining,
    StageConfig,
    TrainingOptions,
    read_sample,
    seeded,
)

__all__ = ["ConvL2LTraining", "Options", "calibrated", "train"]

CALIBRATION_SEED = 30_000
CALIBRATION_BATCH = 50


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        preset: Sizes, a name of `config.preset`.
        energies_epochs: Epochs of the flow of the layer energies.
        subcells_epochs: Epochs of the flow that splits cells.
        cells_epochs: Epochs of the convolutional flow.
        bfloat16: Train the convolutions of the cells in bfloat16.
        looked_at: Number of held-out showers in the metrics of cells and sub-cells.
        calibrate: Number of showers the spectrum is fitted on; 0 leaves it as it is.
    """

    preset: Literal["ild-photon", "tiny"] = "ild-photon"
    energies_epochs: int = Field(default=50, ge=1)
    subcells_epochs: int = Field(default=30, ge=1)
    cells_epochs: int = Field(default=120, ge=1)
    validate_every: int = Field(default=8, ge=1)
    patience: int = Field(default=100, ge=1)
    bfloat16: bool = True
    looked_at: int = Field(default=300, ge=1)
    calibrate: int = Field(default=2000, ge=0)


class ConvL2LTraining(ModelTraining):
    """Training of ConvL2LFlows on native shower files of x25 points."""

    options_type = Options
    options: Options
    stages = ("energies", "subcells", "cells")

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        validation = UprightShowers.from_showers(read_sample(data, "val"))
        train = UprightShowers.from_showers(read_sample(data, "train"))
        self.samples = TrainingSamples(train, validation, options.looked_at)
        self.config = preset(options.preset)

    def network(self, stage: str) -> nn.Module:
        untrained = seeded(
            lambda: nn.ModuleDict(TrainedConvL2LFlows.untrained(self.config).named_networks()),
            self.options.seed,
        )
        return untrained[stage]

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options = self.options
        stages = Stages(self.samples, self.config, options.seed, bfloat16=options.bfloat16)
        config: StageConfig = getattr(stages, stage)(getattr(options, f"{stage}_epochs"))
        return config

    def trained_model(self, best: Mapping[str, Any]) -> TrainedConvL2LFlows:
        trained = TrainedConvL2LFlows(self.config, **best)
        if not self.options.calibrate:
            return trained
        config = calibrated(trained, self.samples.train, self.options.calibrate)
        return TrainedConvL2LFlows(config, **best)

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.samples.train), "val": len(self.samples.validation)}


train = ConvL2LTraining.train


def calibrated(trained: TrainedConvL2LFlows, sample: UprightShowers, showers: int) -> ConvL2LConfig:
    """Configuration with a calibration that makes the spectrum of deposits Geant4's.

    Arguments:
        trained: Trained flows; their own calibration is put aside first.
        sample: Geant4 showers.
        showers: Number of them to compare with.
    """
    plain = trained.config.model_copy(update={"calibration": Calibration()})
    pipeline = Pipeline(
        TrainedConvL2LFlows(plain, trained.energies, trained.subcells, trained.cells)
    )
    generated, truth = [], []
    rows = np.arange(min(showers, len(sample)))
    for start in range(0, len(rows), CALIBRATION_BATCH):
        part = rows[start : start + CALIBRATION_BATCH]
        random = stream(CALIBRATION_SEED, start, "calibration")
        gridded = on_grid(sample, part, plain, random)
        generated.append(pipeline(gridded.primary, CALIBRATION_SEED, start).energy)
        truth.append(gridded.filled.energy)
    last = sample.showers.offsets[len(rows)]
    points = (sample.x[:last], sample.y[:last], sample.showers.energy[:last])
    has_corner_on_axis = plain.grid.side % 2 == 0
    calibration = Calibration(
        spectrum=fitted_spectrum(np.concatenate(generated), np.concatenate(truth)),
        inward=fitted_powers(*points, plain.grid.pitch_mm) if has_corner_on_axis else (),
        fitted_on=f"{len(rows)} of its training showers",
    )
    return plain.model_copy(update={"calibration": calibration})
