"""CaloDREAM: generator of photon showers from flows of the core and a library of halos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from calozoo_calodream.config import CaloDreamConfig
from calozoo_calodream.core_sampler import CoreSampler, array_shapes
from calozoo_core.clumps import ShowersFromCore
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.nn.numpy_transformer import Arrays, tensor_shapes
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = ["CaloDream"]

MAX_STEPS: Final = 1000
"""Most evaluations of a network for a shower."""


class CaloDream(Generator):
    r"""Generator of photon showers in the ILD Si-W ECAL from two transformers and a library.

    One transformer samples the energy within 8 mm of the axis in every layer, another how it
    divides among five rings. Each follows a differential equation from noise,

    .. math:: \frac{dx}{dt} = v(x, t, c), \quad x_0 \sim N(0, 1),

    whose velocity it was trained for by flow matching, in few steps. One of the nearest showers of
    a library of Geant4's gives what lies beyond, and how rings divide among sectors. Each voxel is
    filled with the points of one of Geant4's voxels.

    References:
        | CaloDREAM: https://arxiv.org/abs/2405.09629

    Arguments:
        spec: Spec it was registered with.
        config: Configuration of the model.
        arrays: Tensors of the model, by name.
        steps: Evaluations of each network for a shower; None for what measured best.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: CaloDreamConfig,
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
    ) -> CaloDream:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Arguments:
            spec: Spec of the model.
            folder: Holds the weights.
            device: Only "cpu".
            precision: Only "float32".
            steps: Evaluations of each network for a shower; None for what measured best.

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
            msg = f"{spec.name} takes 1 to {MAX_STEPS} evaluations of its networks, not {steps!r}."
            raise InputError(msg, argument="steps")
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        config = read_config(Path(folder), CaloDreamConfig)
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
        networks = (self.config.energies, self.config.shape)
        shapes = [shape for network in networks for shape in tensor_shapes(network).values()]
        return sum(math.prod(shape) for shape in shapes)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "calodream") for number in numbers]
        return self._showers(self._core(incident, streams), incident, streams)
