"""CaloDiffusion: photon showers from a diffusion of the core and a library of halos."""

from __future__ import annotations

from calozoo_calodiffusion.config import CaloDiffusionConfig
from calozoo_calodiffusion.core_sampler import core_layout, core_sampler
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.clumps.core_sampler import CoreSampler
from calozoo_core.weights.layout import Layout

__all__ = ["CaloDiffusion"]


class CaloDiffusion(CoreGenerator[CaloDiffusionConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL from a diffusion and a library.

    A flow samples the energy within 8 mm of the axis in every layer. How it divides among five
    rings begins as noise, which a network with convolutions on a cylinder takes away in few steps:
    it was trained to say what the data :math:`x_0` are in

    .. math:: x = x_0 + \sigma \epsilon, \quad \epsilon \sim N(0, 1).

    What lies beyond, and how rings divide among sectors, comes layer by layer from the showers of a
    library of Geant4's that match the core best. Each voxel is filled with the points of one of
    Geant4's voxels.

    References:
        | CaloDiffusion: https://arxiv.org/abs/2308.03876

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Evaluations of the diffusion's network for a shower; None for what measured best.

    Raises:
        InputError: If the number of steps makes no sense.
    """

    schema = CaloDiffusionConfig

    @classmethod
    def layout(cls, config: CaloDiffusionConfig) -> Layout:
        return core_layout(config)

    def core_sampler(self) -> CoreSampler:
        return core_sampler(self.trained, self.steps)
