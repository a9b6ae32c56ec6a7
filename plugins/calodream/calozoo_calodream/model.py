"""CaloDREAM: generator of photon showers from flows of the core and a library of halos."""

from __future__ import annotations

from calozoo_calodream.config import CaloDreamConfig
from calozoo_calodream.core_sampler import core_layout, core_sampler
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.clumps.core_sampler import CoreSampler
from calozoo_core.weights.layout import Layout

__all__ = ["CaloDream"]


class CaloDream(CoreGenerator[CaloDreamConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL from two transformers and a library.

    One transformer samples the energy within 8 mm of the axis in every layer, another how it
    divides among five rings. Each follows a differential equation from noise,

    .. math:: \frac{dx}{dt} = v(x, t, c), \quad x_0 \sim N(0, 1),

    whose velocity it was trained for by flow matching, in few steps. What lies beyond, and how
    rings divide among sectors, comes layer by layer from the showers of a library of Geant4's that
    match the core best. Each voxel is filled with the points of one of Geant4's voxels.

    References:
        | CaloDREAM: https://arxiv.org/abs/2405.09629

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

    schema = CaloDreamConfig

    @classmethod
    def layout(cls, config: CaloDreamConfig) -> Layout:
        return core_layout(config)

    def core_sampler(self) -> CoreSampler:
        return core_sampler(self.trained, self.steps)
