"""Training of ConvL2LFlows: layer energies, sub-cells, cells, and the calibration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_convl2lflows.calibration import fitted_powers, fitted_spectrum
from calozoo_convl2lflows.cells import CellFlows, log_energy_map
from calozoo_convl2lflows.checkpoint_metrics import (
    cell_metrics,
    layer_energy_metrics,
    subcell_metrics,
)
from calozoo_convl2lflows.config import Calibration, ConvL2LConfig, preset
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.model import Pipeline
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.trained import TrainedConvL2LFlows
from calozoo_convl2lflows.training_data import (
    GriddedShowers,
    UprightShowers,
    cell_batch,
    energy_batch,
    gridded_layer_energies,
    n_hit_cells,
    on_grid,
    split_cells,
    subcell_batch,
)
from calozoo_core.random import stream
from calozoo_core.training import (
    Batch,
    ModelTraining,
    StageConfig,
    TrainingOptions,
    read_sample,
    seeded,
)
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["ConvL2LTraining", "Options", "Stages", "TrainingSamples", "calibrated", "train"]

READINGS = 3
"""Times the training showers are put onto the grid for the layer energies."""

HELD_OUT_STEP = 2**40
"""Step of the batch for the likelihood of held-out showers; no training gets as far."""

HELD_OUT_SHOWERS, HELD_OUT_LAYERS = 100, 8
"""Showers in this batch, and layers of each."""


class TrainingSamples(NamedTuple):
    """Training and held-out showers.

    Arguments:
        train: Showers to train on.
        validation: Held-out showers to choose checkpoints by.
        n_metrics: Number of held-out showers in the metrics of cells and sub-cells.
    """

    train: UprightShowers
    validation: UprightShowers
    n_metrics: int = 300


class Stages:
    """Stage configurations of a training.

    Arguments:
        samples: Geant4 showers.
        config: Configuration of the model.
        seed: Seed of the batches.
        bfloat16: Train the convolutions of the cells in bfloat16.
    """

    def __init__(
        self, samples: TrainingSamples, config: ConvL2LConfig, seed: int, *, bfloat16: bool
    ) -> None:
        self.samples, self.config, self.seed, self.bfloat16 = samples, config, seed, bfloat16

    def energies(self, epochs: int) -> StageConfig:
        """Stage of the layer energies."""
        config, seed, samples = self.config, self.seed, self.samples
        readings = [
            gridded_layer_energies(samples.train, config, stream(seed, 10 + i, "reading"))
            for i in range(READINGS)
        ]
        energies, primary = (torch.cat(parts) for parts in zip(*readings, strict=True))
        truth = gridded_layer_energies(samples.validation, config, stream(seed, 1, "reading"))
        held_out = energy_batch(*truth, 800, seed, HELD_OUT_STEP)

        def log_prob(network: nn.Module, batch: Batch) -> Tensor:
            assert isinstance(network, LayerEnergies)
            return network.log_prob(*batch).mean()

        @torch.inference_mode()
        def metrics(network: LayerEnergies) -> dict[str, float]:
            nll = -float(log_prob(network, held_out))
            return layer_energy_metrics(network, *truth) | {"nll": nll}

        return StageConfig(
            loss=lambda network, _, batch: -log_prob(network, batch) / config.grid.layers,
            metrics=metrics,
            batch=lambda step: energy_batch(energies, primary, 128, seed, step),
            epochs=epochs,
            share=0.10,
            weight_decay=1e-4,
        )

    def subcells(self, epochs: int) -> StageConfig:
        """Stage of the flow that splits cells."""
        config, seed, samples = self.config, self.seed, self.samples
        truth = self._validation_showers(2)
        held_out = subcell_batch(
            samples.validation, config, HELD_OUT_SHOWERS, HELD_OUT_LAYERS, seed, HELD_OUT_STEP
        )

        def log_prob(network: nn.Module, batch: Batch) -> Tensor:
            assert isinstance(network, SubCellFlow)
            fine, before, primary, energies, layer = batch
            cells, shares = split_cells(fine, config)
            maps = torch.zeros(len(fine), config.grid.cells, config.grid.cells)
            maps[cells.image, cells.row, cells.column] = log_energy_map(cells.energy)
            condition = network.context(primary, energies, layer)
            features = network.features(cells, maps, before, condition)
            return network.log_prob(shares, cells.energy, features).mean()

        @torch.inference_mode()
        def metrics(network: SubCellFlow) -> dict[str, float]:
            nll = -float(log_prob(network, held_out))
            return subcell_metrics(network, truth, config) | {"nll": nll}

        return StageConfig(
            loss=lambda network, _, batch: -log_prob(network, batch),
            metrics=metrics,
            batch=lambda step: subcell_batch(samples.train, config, 12, 8, seed, step),
            epochs=epochs,
            share=0.18,
            weight_decay=1e-4,
            weight=lambda batch: n_hit_cells(batch[0], config),  # the loss is a mean over cells
        )

    def cells(self, epochs: int) -> StageConfig:
        """Stage of the convolutional flow of the cells."""
        config, seed, samples = self.config, self.seed, self.samples
        truth = self._validation_showers(3)
        held_out = cell_batch(
            samples.validation, config, HELD_OUT_SHOWERS, HELD_OUT_LAYERS, seed, HELD_OUT_STEP
        )

        def log_prob(network: nn.Module, batch: Batch) -> Tensor:
            assert isinstance(network, CellFlows)
            energy, before, primary, energies, layer = batch
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                return network.log_prob(energy, before, primary, energies, layer).mean()

        @torch.inference_mode()
        def metrics(network: CellFlows) -> dict[str, float]:
            nll = -float(log_prob(network, held_out))
            return cell_metrics(network, truth, config) | {"nll": nll}

        return StageConfig(
            loss=lambda network, _, batch: -log_prob(network, batch) / 100,
            metrics=metrics,
            batch=lambda step: cell_batch(samples.train, config, 16, 8, seed, step),
            epochs=epochs,
            share=0.72,
            weight_decay=1e-4,
        )

    def _validation_showers(self, reading: int) -> GriddedShowers:
        """The held-out showers of the metrics, on the grid."""
        validation = self.samples.validation
        rows = np.arange(min(self.samples.n_metrics, len(validation)))
        random = stream(self.seed, reading, "reading")
        return on_grid(validation, rows, self.config, random, mirrored=False)


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
    pipeline = Pipeline(TrainedArrays(plain, trained.named_arrays()))
    generated, truth = [], []
    rows = np.arange(min(showers, len(sample)))
    for start in range(0, len(rows), CALIBRATION_BATCH):
        part = rows[start : start + CALIBRATION_BATCH]
        random = stream(CALIBRATION_SEED, start, "calibration")
        gridded = on_grid(sample, part, plain, random)
        generated.append(pipeline(gridded.primary.numpy(), CALIBRATION_SEED, start).energy)
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
