"""Training of CaloINN on cylinders: three networks, then the tables and the calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from calozoo_caloinn.checkpoint_metrics import ring_metrics, score
from calozoo_caloinn.cylinder.autoregressive import (
    CylinderRingSampler,
    layer_condition,
    ring_condition,
)
from calozoo_caloinn.cylinder.config import CylinderConfig, preset
from calozoo_caloinn.cylinder.sectors import SectorTables, fit_lean, fit_tables, voxel_centres
from calozoo_caloinn.cylinder.trained import TrainedCylinder
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.networks import samplers
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.clumps.ring_calibration import fit_ring_calibration
from calozoo_core.random import stream
from calozoo_core.training import Batch, ModelTraining, StageConfig, TrainingOptions, seeded
from calozoo_core.training.voxel_sample import TrainingVoxels, read_training_voxels
from calozoo_core.typing import Float32Array

__all__ = ["STAGES", "CylinderStage", "CylinderTraining", "Options", "train"]

INITIAL_SHOWERS = 500
"""Showers from which standardisations are taken."""

VALIDATION_REPEATS = 8
VALIDATION_SEED = 20_000

EXPECTED_SHOWERS = 800
"""Held-out showers that the good values of the metrics hold for; those of fewer are larger."""

CALIBRATION_REPEATS = 4
"""Showers sampled for each training shower in order to calibrate."""


class Options(TrainingOptions):
    """Options of the training, beyond those that all trainings have.

    Arguments:
        stage: Network to train; "all", or "finish".
        preset: Sizes: "calochallenge2-electron" or "tiny".
        visible_epochs: Epochs of the network of the visible energy.
        layers_epochs: Epochs of that of the layers.
        rings_epochs: Epochs of that of the rings.
        visible_batch: Showers of a step of the network of the visible energy.
        layers_batch: Showers of a step of that of the layers, each with a row for every layer.
        rings_batch: Showers of a step of that of the rings, likewise.
        learning_rate: Learning rate at the start.
        weight_decay: Weight decay of AdamW.
        table_showers: Training showers that the tables and the calibration are fitted on, at most.
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
    table_showers: int = Field(default=5000, ge=1)


class CylinderTraining(ModelTraining):
    """Training of a CaloINN on cylinders, on Geant4's steps or on files of the CaloChallenge.

    Arguments:
        data: Folder with files in `train/` and `val/`, native ones or of the CaloChallenge, or one
            file of the CaloChallenge, of which the last tenth, or 1,000 showers, are held out.
        out: As in `ModelTraining`.
        options: As in `ModelTraining`.

    Raises:
        DetectorError: If the showers are of a detector whose layers are not those of the voxels.
        ShowerFileError: If a file is damaged, or has other voxels.
    """

    takes_file = True
    options_type = Options
    options: Options

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        super().__init__(data, out, options)
        self.config: CylinderConfig = preset(options.preset)
        self.codec = Codec(self.config.codec)
        self.sample, self.validation = read_training_voxels(
            data, self.config.voxels, options.table_showers
        )
        seed, generator = options.seed, torch.Generator().manual_seed(options.seed)
        self.networks = {
            stage.name: seeded(partial(Inn, getattr(self.config, stage.name), generator), seed)
            for stage in STAGES
        }
        self.stages = tuple(self.networks)

    def network(self, stage: str) -> nn.Module:
        return self.networks[stage]

    def stage_config(self, stage: str, network: Any) -> StageConfig:
        options = self.options
        (stage_type,) = (each for each in STAGES if each.name == stage)
        own = stage_type(self.codec, self.networks, self.sample, self.validation)
        size = getattr(options, f"{stage}_batch")
        network.initialise(*own.batch(INITIAL_SHOWERS, options.seed, 2**40)[:2])
        return StageConfig(
            loss=own.loss,
            metrics=own.metrics,
            batch=lambda step: own.batch(size, options.seed, step),
            epochs=getattr(options, f"{stage}_epochs"),
            share=own.share,
            learning_rate=options.learning_rate,
            average=0.99,
            weight_decay=options.weight_decay,
        )

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCylinder:
        config = self.config.model_copy(update={"fitted_on": "its training showers"})
        voxels, seed = self.sample.voxels, self.options.seed
        centres = voxel_centres(config.voxels)
        tables = fit_lean(
            fit_tables(voxels, config, seed), voxels, centres, stream(seed, 0, "leaning")
        )
        return TrainedCylinder(config, **best, tables=self._calibrated(tables, best))

    def n_showers(self) -> dict[str, int]:
        return {"train": len(self.sample), "val": len(self.validation)}

    def _calibrated(self, tables: SectorTables, networks: Mapping[str, nn.Module]) -> SectorTables:
        """Tables with thresholds and factors that bring rings closer to Geant4's."""
        sample = CylinderRingSampler(self.codec, samplers(networks))
        truth = self.sample.rings[: len(self.sample.voxels)]
        energy_gev = self.sample.energy_gev[: len(truth)]
        parts = []
        for repeat in range(CALIBRATION_REPEATS):
            random = stream(self.options.seed, repeat, "calibration")
            noise = random.standard_normal((len(truth), sample.noise), np.float32)
            parts.append(sample(energy_gev, noise))
        sampled, cells = np.concatenate(parts), truth[0].size
        corrections = fit_ring_calibration(
            sampled.reshape(-1, cells), truth.reshape(-1, cells), self.codec.config.noise_mev
        )
        threshold, factor = (table.reshape(truth.shape[1:]) for table in corrections)
        return tables._replace(threshold=threshold, calibration=factor)


train = CylinderTraining.train


class CylinderStage(ABC):
    """Batches, loss and metrics of one network.

    Arguments:
        codec: Encoding of ring energies.
        networks: All networks; only that of this stage is used.
        sample: Showers to train on.
        validation: Held-out showers.
    """

    name: str
    #: Part of a budget.
    share: float
    #: Metrics in its score, besides the likelihood.
    judged_by: tuple[str, ...]

    def __init__(
        self,
        codec: Codec,
        networks: Mapping[str, nn.Module],
        sample: TrainingVoxels,
        validation: TrainingVoxels,
    ) -> None:
        self.codec, self.networks = codec, networks
        self._rings, self._energy_gev = sample.rings, sample.energy_gev
        self._truth, self._truth_gev = validation.rings, validation.energy_gev
        random = stream(VALIDATION_SEED, 0, "validation")
        self._noisy = codec.add_noise(self._truth, random)
        self._held_out = self._vectors(self._noisy, self._truth_gev)

    @abstractmethod
    def _vectors(self, noisy: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        """Data that the network models, and its conditions, as rows.

        Arguments:
            noisy: Ring energies with noise on them, in MeV, shape (n, layers, rings).
            energy_gev: Incident energies, shape (n,).
        """

    @abstractmethod
    def _sample(
        self, sampler: CylinderRingSampler, energy_gev: Float32Array, noisy: Float32Array
    ) -> Float32Array:
        """Ring energies, of which this network samples its part, the rest being the truth."""

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """Data and conditions of some showers, the batch of one optimiser step, and a seed."""
        random = stream(seed, step, "batch")
        rows = random.integers(len(self._rings), size=size)
        noisy = self.codec.add_noise(self._rings[rows], random)
        x, condition = self._vectors(noisy, self._energy_gev[rows])
        return x, condition, torch.tensor(random.integers(2**62))

    def loss(self, network: Any, _: nn.Module, batch: Batch) -> Tensor:
        """Negative log-likelihood; dropout takes its random numbers from the batch's seed."""
        x, condition, seed = batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            loss: Tensor = -network.log_prob(x, condition).mean()
        return loss

    def metrics(self, network: Any) -> dict[str, float]:
        """Metrics of the rings that the network samples for held-out primaries."""
        x, condition = self._held_out
        with torch.inference_mode():
            rows = len(x) / len(self._truth)
            nll = float(-network.log_prob(x, condition).mean()) * rows
        energy_gev = np.tile(self._truth_gev, VALIDATION_REPEATS)
        networks = {**self.networks, self.name: network}
        noisy = np.tile(self._noisy, (VALIDATION_REPEATS, 1, 1))
        sampler = CylinderRingSampler(self.codec, samplers(networks))
        sampled = self._sample(sampler, energy_gev, noisy)
        metrics = ring_metrics(
            _per_gev(self.codec.threshold(sampled), energy_gev),
            _per_gev(self._truth, self._truth_gev),
            np.ones_like(energy_gev),
            np.ones_like(self._truth_gev),
        )
        metrics = {name: metrics[name] for name in self.judged_by}
        few = EXPECTED_SHOWERS / len(self._truth)
        scaled = {name: value / few for name, value in metrics.items()}
        return metrics | {"nll": nll, "score": score(scaled, nll)}

    def _noise(self, n: int, width: int) -> Float32Array:
        return stream(VALIDATION_SEED, 1, "validation").standard_normal((n, width), np.float32)


class VisibleStage(CylinderStage):
    """Visible energy, given ln E; a single number, judged by its likelihood alone."""

    name = "visible"
    share = 0.1
    judged_by = ()

    def _vectors(self, noisy: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        first = self.codec.encode(noisy, energy_gev).layers[:, :1]
        return torch.from_numpy(first), torch.from_numpy(np.log(energy_gev)[:, None])

    def _sample(
        self, sampler: CylinderRingSampler, energy_gev: Float32Array, noisy: Float32Array
    ) -> Float32Array:
        visible = sampler.visible(energy_gev, self._noise(len(noisy), 1))
        scaled: Float32Array = noisy * (visible / noisy.sum(axis=(1, 2)))[:, None, None]
        return scaled


class CylinderLayersStage(CylinderStage):
    """Ratio of a layer, given those before it; a row is a layer."""

    name = "layers"
    share = 0.3
    judged_by = ("profile_layers", "depth", "length", "late")

    def _vectors(self, noisy: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        layers = noisy.sum(axis=2)
        visible, ratios = layers.sum(axis=1), layers.shape[1] - 1
        conditions = [layer_condition(at, energy_gev, visible, layers) for at in range(ratios)]
        return _rows(self.codec.encode(noisy, energy_gev).layers[:, 1:, None], conditions)

    def _sample(
        self, sampler: CylinderRingSampler, energy_gev: Float32Array, noisy: Float32Array
    ) -> Float32Array:
        noise = self._noise(len(noisy), noisy.shape[1] - 1)
        layers = sampler.layers(energy_gev, noisy.sum(axis=(1, 2)), noise)
        scaled: Float32Array = noisy * (layers / noisy.sum(axis=2))[..., None]
        return scaled


class RingsStage(CylinderStage):
    """Ratios of the rings of a layer, given its surroundings; a row is a layer."""

    name = "rings"
    share = 0.6
    judged_by = ("profile_rings", "core", "width")

    def _vectors(self, noisy: Float32Array, energy_gev: Float32Array) -> tuple[Tensor, Tensor]:
        layers = noisy.sum(axis=2)
        conditions = [
            ring_condition(at, self.codec, energy_gev, layers, noisy)
            for at in range(layers.shape[1])
        ]
        return _rows(self.codec.ratios(noisy), conditions)

    def _sample(
        self, sampler: CylinderRingSampler, energy_gev: Float32Array, noisy: Float32Array
    ) -> Float32Array:
        noise = self._noise(len(noisy), self.codec.config.width)
        return sampler.rings(energy_gev, noisy.sum(axis=2), noise)


STAGES: tuple[type[CylinderStage], ...] = (VisibleStage, CylinderLayersStage, RingsStage)
"""Stages in the order of their training."""


def _rows(x: Float32Array, of_layers: list[Float32Array]) -> tuple[Tensor, Tensor]:
    """Data, shape (n, layers, ...), and conditions of each layer, as rows."""
    conditions = np.stack(of_layers, axis=1)
    return (
        torch.from_numpy(np.ascontiguousarray(x).reshape(-1, x.shape[2])),
        torch.from_numpy(conditions.reshape(-1, conditions.shape[2])),
    )


def _per_gev(rings: Float32Array, energy_gev: Float32Array) -> Float32Array:
    """Ring energies over incident energy, so that means are not those of the highest energies."""
    return rings / energy_gev[:, None, None]
