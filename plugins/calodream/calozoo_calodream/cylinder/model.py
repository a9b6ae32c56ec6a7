"""CaloDREAM on the voxels of the CaloChallenge: generator of showers of normal incidence."""

from __future__ import annotations

import numpy as np

from calozoo_calodream.cylinder.config import CylinderConfig
from calozoo_calodream.cylinder.sampler import VoxelSampler, cylinder_layout
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.stepped_generator import SteppedGenerator
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout

__all__ = ["CaloDreamCylinder"]


class CaloDreamCylinder(SteppedGenerator[CylinderConfig]):
    r"""Generator of showers in the voxels of the CaloChallenge, with a point for each voxel.

    One transformer samples the energies of the layers, another how they divide among all voxels,
    in patches of three layers of a ring. Each follows a differential equation from noise in few
    steps. The second one's numbers are places of energies in the distribution of each voxel on its
    own, which is fitted on Geant4 showers.

    References:
        | CaloDREAM: https://arxiv.org/abs/2405.09629
        | CaloChallenge, section 2.3: https://arxiv.org/abs/2410.21611

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Evaluations of each network for a shower; None for what measured best.

    Raises:
        InputError: If the number of steps makes no sense.
    """

    schema = CylinderConfig

    @classmethod
    def layout(cls, config: CylinderConfig) -> Layout:
        return cylinder_layout(config)

    def prepare(self) -> None:
        self._voxels = self.trained.config.voxels
        self._sample_voxels = VoxelSampler(self.trained, self.steps)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        voxels = self.voxels(incident.energy, seed, first).reshape(len(incident), -1)
        return self._voxels.spread(voxels, incident, self.spec.detector, seed, first)

    def voxels(self, energy_gev: Float32Array, seed: int, first: int = 0) -> Float32Array:
        """Energies of voxels, in MeV, shape (n, layers, sectors, rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            seed: The user's seed.
            first: Number of the first of these showers in the whole sample.
        """
        numbers = np.arange(first, first + len(energy_gev))
        streams = [stream(seed, int(number), self.spec.architecture) for number in numbers]
        return self._sample_voxels(energy_gev, streams)
