"""Generators made of trained networks: loading, saving, and the checks before it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.global_state import callers_threads
from calozoo_core.incident import Incident
from calozoo_core.runtime import Runtime, choose_runtime, has_bfloat16
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights.layout import Layout
from calozoo_core.weights.trained_arrays import TrainedArrays, count_trained

__all__ = ["NetworkGenerator"]

Config = TypeVar("Config", bound=BaseModel)
Part = TypeVar("Part")


class NetworkGenerator(Generator, Generic[Config]):
    """Generator made of trained networks, which loads and saves itself.

    A plugin derives from this, sets the class attributes, and implements `layout`, `prepare` and
    `sample`. Networks are computed by `runtime`: numpy needs no torch.

    Arguments:
        spec: Spec it was registered with.
        trained: Configuration and arrays of the trained model.
        device: Torch device.
        precision: Precision of the arithmetic.
        runtime: Library that computes the networks; None for the fastest that is installed.

    Raises:
        InputError: If the device, the precision or the runtime is unavailable.
    """

    #: Class of the configuration.
    schema: ClassVar[type[BaseModel]]
    #: Runtimes of the networks, the fastest first.
    runtimes: ClassVar[tuple[Runtime, ...]] = ("numpy",)
    #: Threads share its showers by `sample_in_parts`; many small operations are slower so.
    shares_batches: ClassVar[bool] = False
    #: Showers that `sample_in_parts` hands to a thread at a time.
    part_size: ClassVar[int] = 16
    #: Other devices than the CPU can be asked for; torch computes on them.
    runs_on_gpu: ClassVar[bool] = False
    #: Precision "bfloat16" can be asked for; torch computes in it.
    has_bfloat16: ClassVar[bool] = False

    def __init__(
        self,
        spec: ModelSpec,
        trained: TrainedArrays[Config],
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        runtime: str | None = None,
    ) -> None:
        super().__init__(spec, device=device, precision=precision)
        # What only torch can do, in the words of whoever asked for it.
        needs = None
        if device != "cpu":
            needs = f"device={device!r}"
        elif precision != "float32":
            needs = f"precision={precision!r}"
        runtimes = self.runtimes_of(trained.config) if needs is None else ("torch",)
        self.runtime: Runtime = choose_runtime(needs or spec.name, runtimes, runtime, needs)
        if device != "cpu":
            _check_device(device)
        self.trained = trained
        self.prepare()

    @classmethod
    @abstractmethod
    def layout(cls, config: Any) -> Layout:
        """Layout of the tensors of a configuration.

        Arguments:
            config: An instance of `schema`.
        """

    @classmethod
    def runtimes_of(cls, config: Any) -> Sequence[Runtime]:
        """Runtimes that have a counterpart of every part of a configuration, the fastest first."""
        return cls.runtimes

    def prepare(self) -> None:
        """Set what `sample` needs from the trained model, the spec, the device and the runtime.

        Raises:
            WeightsError: If the model does not fit the spec.
        """

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        **options: Any,
    ) -> Self:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Arguments:
            spec: Spec it was registered with.
            folder: Where its files are.
            device: Torch device.
            precision: Precision of the arithmetic; None for float32.
            options: Further keyword arguments of the class, such as `runtime`.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or do not fit.
            InputError: If the device, the precision or another option is unavailable.
        """
        trained = cls.read_trained(spec, folder, device, precision)
        return cls(spec, trained, device=device, precision=precision or "float32", **options)

    @classmethod
    def read_trained(
        cls, spec: ModelSpec, folder: Path | None, device: str, precision: Precision | None
    ) -> TrainedArrays[Any]:
        """Trained model of a folder, once device and precision are known to suit the class.

        A plugin with a `load` of its own calls this there.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or do not fit.
            InputError: If the device or the precision is unavailable.
        """
        cls._check_arithmetic(spec, device, precision)
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        return TrainedArrays.read(Path(folder), cls.schema, cls.layout)

    @classmethod
    def _check_arithmetic(cls, spec: ModelSpec, device: str, precision: Precision | None) -> None:
        """Refuse a device or a precision that the class, or this processor, lacks."""
        if precision not in (None, "float32") and not cls.has_bfloat16:
            msg = f"{spec.name} computes in float32 only; leave out precision."
            raise InputError(msg, argument="precision")
        if device != "cpu" and not cls.runs_on_gpu:
            msg = f"{spec.name} runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        if precision == "bfloat16" and device == "cpu" and not has_bfloat16():
            msg = (
                "This processor has no bfloat16 in hardware, and emulated it is slower than "
                "float32; leave out precision."
            )
            raise InputError(msg, argument="precision")

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"runtime": self.runtime}

    def to(self, device: str) -> Self:
        """The model on another device, computed by the runtime that is fastest there."""
        if str(device) == self.device:
            return self
        self._check_arithmetic(self.spec, str(device), self._precision)
        options = self.load_options | {"device": str(device), "runtime": None}
        return type(self)(self.spec, self.trained, **options)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        self.trained.write(Path(folder))

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of the networks, not of tables."""
        return count_trained(self.layout(self.trained.config))

    @property
    def threads(self) -> int:
        """Number of threads that share its showers, for people to read."""
        return callers_threads() if self.shares_batches and self._device == "cpu" else 1

    @cached_property
    def _layer_depth_mm(self) -> Float32Array:
        return load_detector(self.spec.detector).layer_depth_mm.astype(np.float32)

    def sample_in_parts(
        self,
        sample: Callable[[Incident, int, int], Showers],
        incident: Incident,
        seed: int,
        first: int,
    ) -> Showers:
        """Showers of these primaries, made in parts that the caller's threads share.

        The parts do not depend on the number of threads, so neither do the showers. On another
        device than the CPU there is one part.

        Arguments:
            sample: Makes the showers of a part, as `Generator.sample`; threads call it at once.
            incident: The n primaries.
            seed: The user's seed.
            first: Number of the first of them in the whole sample.
        """
        return Showers.concatenate(self.in_parts(sample, incident, seed, first))

    def in_parts(
        self,
        sample: Callable[[Incident, int, int], Part],
        incident: Incident,
        seed: int,
        first: int,
    ) -> list[Part]:
        """Parts of `sample_in_parts`, in order; of whatever type.

        Arguments:
            sample: Makes a part, as `Generator.sample`; threads call it at once.
            incident: The n primaries.
            seed: The user's seed.
            first: Number of the first of them in the whole sample.
        """
        n = len(incident)
        size = self.part_size if self._device == "cpu" else n
        if n <= size:
            return [sample(incident, seed, first)]
        parts = [(part, seed, first + start) for start, part in incident.batches(max(size, 1))]
        threads = min(callers_threads(), len(parts))
        if threads <= 1:
            return [sample(*part) for part in parts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda part: sample(*part), parts))

    def showers_from_upright(
        self,
        incident: Incident,
        offsets: IntArray,
        x: Float32Array,
        y: Float32Array,
        layer: NDArray[np.uint8],
        energy: Float32Array,
    ) -> Showers:
        """Showers of upright points, sheared along their primaries.

        Arguments:
            incident: Primaries of n showers.
            offsets: Index of the first point of each shower, and the total, shape (n + 1,).
            x: x' in the upright frame, in mm, shape (N,).
            y: y' in the upright frame, in mm, shape (N,).
            layer: Layer index, shape (N,).
            energy: Deposited energy, in MeV, shape (N,).
        """
        owner = np.repeat(np.arange(len(incident)), np.diff(offsets))
        depth = self._layer_depth_mm[layer]
        axis_x, axis_y = axis_positions(incident.direction, owner, depth)
        return Showers(
            offsets=offsets,
            x=x + axis_x,
            y=y + axis_y,
            layer=layer,
            energy=energy,
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )


def _check_device(device: str) -> None:
    """Refuse a torch device that this machine lacks."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        msg = f"The device {device!r} is not available here; use device='cpu'."
        raise InputError(msg, argument="device='cpu'") from error
