"""Training of CaloINN on clumps: the flows of the core, then their calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from calozoo_caloinn.calibration import calibration_tables
from calozoo_caloinn.clumps.config import ClumpsConfig, preset
from calozoo_caloinn.clumps.ring_tables import RingTables
from calozoo_caloinn.clumps.trained import TrainedCaloInnClumps
from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.ring_energies import conditions
from calozoo_caloinn.template_fit import RingPoints
from calozoo_caloinn.training import FlowOptions, FlowTraining
from calozoo_caloinn.training_data import TrainingRings
from calozoo_core.clumps import VoxelMesh, voxel_energies
from calozoo_core.training import read_sample
from calozoo_core.training.tail_sampler import TailEnhancedSampler

__all__ = ["CaloInnClumpsTraining", "ClumpsOptions", "train"]


class ClumpsOptions(FlowOptions):
    """Options of the training of a CaloINN on clumps.

    Arguments:
        preset: Sizes: "ild-photon-clumps", or "tiny-clumps" for tests.
    """

    preset: Literal["ild-photon-clumps", "tiny-clumps"] = "ild-photon-clumps"


class CaloInnClumpsTraining(FlowTraining):
    """Training of a CaloINN on clumps, on native shower files of x25 points."""

    options_type = ClumpsOptions
    options: ClumpsOptions

    @property
    def whole_config(self) -> ClumpsConfig:
        """Configuration of the model, of which the flows are one part."""
        return preset(self.options.preset)

    def flows_config(self) -> CaloInnConfig:
        return self.whole_config.flows

    def rings(self, part: str, *, keep: int = 0, tails: float = 1.0) -> TrainingRings:
        showers, mesh = read_sample(self.data, part), VoxelMesh()
        core = mesh.ring_energies(voxel_energies(showers, mesh))
        core = core[:, :, : self.whole_config.core_rings]
        incident = showers.incident
        none = np.zeros(0, np.float32)
        return TrainingRings(
            RingPoints(
                none,
                none,
                none,
                np.zeros(0, np.int64),
                core.astype(np.float32),
                np.zeros(core.shape, np.int64),
                incident.direction,
            ),
            incident.energy,
            conditions(incident.energy, incident.direction),
            TailEnhancedSampler.from_showers(showers, boost=tails) if tails > 1 else None,
        )

    def trained_model(self, best: Mapping[str, Any]) -> TrainedCaloInnClumps:
        config = self.whole_config.model_copy(update={"fitted_on": "its training showers"})
        networks = self.networks.eval().requires_grad_(requires_grad=False)
        calibration = calibration_tables(config.flows, networks, self.sample, self.options.seed)
        return TrainedCaloInnClumps(config, networks, RingTables(**calibration))


train = CaloInnClumpsTraining.train
