"""CaloScore: generator of photon showers from a diffusion of the core and a library of halos."""

from __future__ import annotations

from calozoo_caloscore.config import CaloScoreConfig
from calozoo_caloscore.core_sampler import core_layout, core_sampler
from calozoo_caloscore.numpy_unet import unet_layout
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.clumps.core_sampler import CoreSampler
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.weights.layout import Layout
from calozoo_core.weights.trained_arrays import count_trained

__all__ = ["CaloScore"]


class CaloScore(CoreGenerator[CaloScoreConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL from a diffusion and a library.

    A flow samples the energy within 8 mm of the axis in every layer. How it divides among five
    rings comes from noise, which a U-Net along the layers takes away in steps of DDIM,

    .. math:: z_{\theta'} = \cos(\theta - \theta') z_\theta - \sin(\theta - \theta') v(z_\theta).

    There is a network for each of a few numbers of steps, distilled from the first, which takes
    any. What lies beyond, and how rings divide among sectors, comes layer by layer from the showers
    of a library of Geant4's that match the core best. Each voxel is filled with the points of one
    of Geant4's voxels.

    References:
        | CaloScore v2: https://arxiv.org/abs/2308.03847

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Steps of the rings for a shower; None for what measured best.

    Raises:
        InputError: If the number of steps makes no sense.
    """

    schema = CaloScoreConfig

    @classmethod
    def layout(cls, config: CaloScoreConfig) -> Layout:
        return core_layout(config)

    def core_sampler(self) -> CoreSampler:
        return core_sampler(self.trained, self.steps)

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of the networks that a shower needs, not of tables."""
        networks = (
            transformer_layout(self.trained.config.energies),
            unet_layout(self.trained.config.shape),
        )
        return sum(map(count_trained, networks))
