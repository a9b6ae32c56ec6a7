"""CaloDiffusion: photon showers from a diffusion of the core and a library of halos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from calozoo_calodiffusion.config import CaloDiffusionConfig
from calozoo_calodiffusion.core_sampler import CoreSampler, array_shapes, network_shapes
from calozoo_calodiffusion.numpy_unet import Arrays
from calozoo_core.clumps import ShowersFromCore
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = ["CaloDiffusion"]

MAX_STEPS: Final = 1000
"""Most evaluations of the network for a shower."""


class CaloDiffusion(Generator):
    r"""Generator of photon showers in the ILD Si-W ECAL from a diffusion and a library.

    A flow samples the energy within 8 mm of the axis in every layer. How it divides among five
    rings begins as noise, which a network with convolutions on a cylinder takes away in few steps:
    it was trained to say what the data :math:`x_0` are in

    .. math:: x = x_0 + \sigma \epsilon, \quad \epsilon \sim N(0, 1).

    One of the nearest showers of a library of Geant4's gives what lies beyond, and how rings divide
    among sectors. Each voxel is filled with the points of one of Geant4's voxels.

    References:
        | CaloDiffusion: https://arxiv.org/abs/2308.03876

    Arguments:
        spec: Spec it was registered with.
        config: Configuration of the model.
        arrays: Tensors of the model, by name.
        steps: Evaluations of the diffusion's network for a shower; None for what measured best.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: CaloDiffusionConfig,
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
    ) -> CaloDiffusion:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Arguments:
            spec: Spec of the model.
            folder: Holds the weights.
            device: Only "cpu".
            precision: Only "float32".
            steps: Evaluations of the diffusion's network for a shower; None for what measured best.

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
        config = read_config(Path(folder), CaloDiffusionConfig)
        return cls(spec, config, read_arrays(Path(folder), array_shapes(config)), steps=steps)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_weights(Path(folder), self.config, self._arrays)

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"steps": self.steps}

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Number of evaluations, as a file of its showers says it."""
        return {"steps": self.steps}

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of both networks, not of tables."""
        return sum(math.prod(shape) for shape in network_shapes(self.config).values())

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "calodiffusion") for number in numbers]
        return self._showers(self._core(incident, streams), incident, streams)
