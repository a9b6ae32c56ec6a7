"""Training of CaloINN on cylinders: both networks, the tables, and the two files they end up in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from calozoo_caloinn.calibration import corrections
from calozoo_caloinn.cylinder.config import CylinderConfig, preset
from calozoo_caloinn.cylinder.networks import Networks
from calozoo_caloinn.cylinder.ring_energies import RingDrawer
from calozoo_caloinn.cylinder.ring_splitting import leaning
from calozoo_caloinn.cylinder.sectors import SectorTables, arms, fitted
from calozoo_caloinn.cylinder.stages import STAGES, Stage
from calozoo_caloinn.cylinder.training_voxels import Sample
from calozoo_caloinn.cylinder.weights_files import Trained, write
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.random import stream
from calozoo_core.training import StageConfig, TrainingOptions, TrainingRun, read_sample, seeded

__all__ = ["Options", "train"]

INITIAL = 500
"""Showers from which standardisations are taken."""

REPEATS = 4
"""Showers drawn for each of the sample in order to calibrate."""


class Options(TrainingOptions):
    """What can be set from the command line, as `-o name=value`, beyond what all trainings have.

    Arguments:
        stage: Train one network only; "finish" puts the files together; "all" does everything in
            order.
        preset: Sizes: "calochallenge2-electron" or "tiny".
        visible_epochs: Epochs of the network of the visible energy.
        layers_epochs: Epochs of that of the layers.
        rings_epochs: Epochs of that of the rings.
        visible_batch: Showers of a step of the first.
        layers_batch: Showers of a step of the second, each with a row for every layer.
        rings_batch: Showers of a step of the third, likewise.
        learning_rate: At the start.
        weight_decay: AdamW's.
    """

    stage: Literal["all", "visible", "layers", "rings", "finish"] = "all"
    preset: Literal["calochallenge2-electron", "tiny"] = "calochallenge2-electron"
    steps: int = Field(default=50, ge=1)
    visible_epochs: int = Field(default=40, ge=1)
    layers_epochs: int = Field(default=20, ge=1)
    rings_epochs: int = Field(default=24, ge=1)
    validate_every: int = Field(default=4, ge=1)
    visible_batch: int = Field(default=256, ge=2)
    layers_batch: int = Field(default=64, ge=2)
    rings_batch: int = Field(default=48, ge=2)
    learning_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train it, or go on with a training that was stopped.

    Arguments:
        data: Folder with `train/*.h5` and `val/*.h5`, native shower files of Geant4's steps.
        out: Folder for checkpoints and logs, and in the end for `config.json`,
            `model.safetensors` and `training.json`.
        options: See `Options`.

    Returns:
        The folder with the weights.

    Raises:
        InputError: If an option is not one of ours, or there are no showers.
        DetectorError: If the showers are of a detector whose layers are not those of the voxels.
    """
    return _Training(data, out, Options.of(options)).all_asked_for()


class _Training(TrainingRun):
    """One training in one folder."""

    options: Options

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.options = options
        self.config: CylinderConfig = preset(options.preset)
        self.codec = Codec(self.config.codec)
        self.validation = Sample.of(read_sample(data, "val"), self.config)
        self.sample = Sample.of(read_sample(data, "train"), self.config)

    def all_asked_for(self) -> Path:
        """The stages asked for, in order."""
        networks = self._networks()
        for stage in STAGES:
            if self.options.stage in ("all", stage.name):
                self._fit(stage(self.codec, networks, self.sample, self.validation))
        if self.options.stage in ("all", "finish"):
            self._finish(networks)
        return self.out

    def _fit(self, stage: Stage) -> None:
        options = self.options
        size = getattr(options, f"{stage.name}_batch")
        network = getattr(stage.networks, stage.name)
        network.initialise(*stage.batch(INITIAL, options.seed, 2**40)[:2])
        goal = StageConfig(
            loss=stage.loss,
            physics=stage.physics,
            batch=lambda step: stage.batch(size, options.seed, step),
            epochs=getattr(options, f"{stage.name}_epochs"),
            share=stage.share,
            learning_rate=options.learning_rate,
            average=0.99,
            weight_decay=options.weight_decay,
        )
        self.train_stage(stage.name, network, goal)

    def _finish(self, networks: Networks) -> None:
        """Fit the tables, calibrate, and write the weights and the record of how they came."""
        kept = Networks(
            **{n: self.best_model(n, network) for n, network in networks._asdict().items()}
        )
        config = self.config.model_copy(update={"fitted_on": "its training showers"})
        voxels, seed = self.sample.voxels, self.options.seed
        tables = leaning(
            fitted(voxels, config, seed), voxels, arms(config.voxels), stream(seed, 0, "leaning")
        )
        write(self.out, Trained(config, kept, self._calibrated(tables, kept)))
        showers = {"train": len(self.sample), "val": len(self.validation)}
        self.write_record([stage.name for stage in STAGES], showers)

    def _calibrated(self, tables: SectorTables, networks: Networks) -> SectorTables:
        """The tables with thresholds and factors that bring rings closer to Geant4's."""
        draw, truth = RingDrawer(self.codec, networks), self.sample.rings
        parts = []
        for repeat in range(REPEATS):
            random = stream(self.options.seed, repeat, "calibration")
            noise = random.standard_normal((len(truth), draw.noise), np.float32)
            parts.append(draw(self.sample.energy_gev, noise))
        drawn, cells = np.concatenate(parts), truth[0].size
        found = corrections(
            drawn.reshape(-1, cells), truth.reshape(-1, cells), self.codec.config.noise_mev
        )
        threshold, factor = (
            torch.from_numpy(one.reshape(truth.shape[1:]).astype(np.float32)) for one in found
        )
        return SectorTables(**tables.tensors() | {"threshold": threshold, "calibration": factor})

    def _networks(self) -> Networks:
        seed = self.options.seed
        generator = torch.Generator().manual_seed(seed)
        return Networks(
            seeded(partial(Inn, self.config.visible, generator), seed),
            seeded(partial(Inn, self.config.layers, generator), seed),
            seeded(partial(Inn, self.config.rings, generator), seed),
        )
