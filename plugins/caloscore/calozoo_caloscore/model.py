"""CaloScore: generator of photon showers from a diffusion of the core and a library of halos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from calozoo_caloscore.config import CaloScoreConfig
from calozoo_caloscore.core_sampler import CoreSampler, core_layout
from calozoo_caloscore.numpy_unet import unet_layout
from calozoo_core.clumps import ShowersFromCore
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.nn.numpy_transformer import tensor_shapes
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.layout import Arrays
from calozoo_core.weights.trained_arrays import TrainedArrays, count_trained

__all__ = ["CaloScore"]

MAX_STEPS: Final = 1000
"""Most steps for a shower."""


class CaloScore(Generator):
    r"""Generator of photon showers in the ILD Si-W ECAL from a diffusion and a library.

    A flow samples the energy within 8 mm of the axis in every layer. How it divides among five
    rings comes from noise, which a U-Net along the layers takes away in steps of DDIM,

    .. math:: z_{\theta'} = \cos(\theta - \theta') z_\theta - \sin(\theta - \theta') v(z_\theta).

    There is a network for each of a few numbers of steps, distilled from the first, which takes
    any. One of the nearest showers of a library of Geant4's gives what lies beyond, and how rings
    divide among sectors. Each voxel is filled with the points of one of Geant4's voxels.

    References:
        | CaloScore v2: https://arxiv.org/abs/2308.03847

    Arguments:
        spec: Spec it was registered with.
        config: Configuration of the model.
        arrays: Tensors of the model, by name.
        steps: Steps of the rings for a shower; None for what measured best.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: CaloScoreConfig,
        arrays: Arrays,
        *,
        steps: int | None = None,
    ) -> None:
        super().__init__(spec)
        self.config, self._arrays = config, arrays
        self.steps = config.steps if steps is None else steps
        self._core = CoreSampler(config, arrays, self.steps)
        self._showers = ShowersFromCore.of(spec.detector)
        self._showers.check(spec.name, config.core_edges_mm)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        steps: int | None = None,
    ) -> CaloScore:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Arguments:
            spec: Spec of the model.
            folder: Holds the weights.
            device: Only "cpu".
            precision: Only "float32".
            steps: Steps of the rings for a shower; None for what measured best.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or do not fit.
            InputError: If the device, the precision or the number of steps is unavailable.
        """
        if precision not in (None, "float32"):
            msg = f"{spec.name} computes in float32 only; leave out precision."
            raise InputError(msg, argument="precision")
        if device != "cpu":
            msg = f"{spec.name} runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        is_number = isinstance(steps, int) and not isinstance(steps, bool)
        if steps is not None and not (is_number and 1 <= steps <= MAX_STEPS):
            msg = f"{spec.name} takes 1 to {MAX_STEPS} evaluations of its network, not {steps!r}."
            raise InputError(msg, argument="steps")
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        trained = TrainedArrays.read(Path(folder), CaloScoreConfig, core_layout)
        return cls(spec, trained.config, trained.arrays, steps=steps)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        TrainedArrays(self.config, self._arrays).write(Path(folder))

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"steps": self.steps}

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Number of steps, as a file of its showers says it."""
        return {"steps": self.steps}

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of the networks that a shower needs, not of tables."""
        energies = sum(math.prod(shape) for shape in tensor_shapes(self.config.energies).values())
        return energies + count_trained(unet_layout(self.config.shape))

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "caloscore") for number in numbers]
        return self._showers(self._core(incident, streams), incident, streams)
