"""Generators made of trained networks: loading, saving, and the checks before it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.global_state import callers_threads
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["NetworkGenerator"]

Trained = TypeVar("Trained", bound=TrainedModel)


class NetworkGenerator(Generator, Generic[Trained]):
    """Generator made of trained networks, which loads and saves itself.

    A plugin derives from this, sets the class attributes, and implements `prepare` and `sample`.

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Torch device.
        precision: Precision of the arithmetic.
    """

    #: Class of `trained`.
    trained_model: ClassVar[type[TrainedModel]]
    #: Other devices than the CPU can be asked for.
    runs_on_gpu: ClassVar[bool] = False
    #: Precision "bfloat16" can be asked for.
    has_bfloat16: ClassVar[bool] = False
    #: Showers that `sample_in_parts` hands to a thread at a time.
    part_size: ClassVar[int] = 16

    def __init__(
        self,
        spec: ModelSpec,
        trained: Trained,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        super().__init__(spec, device=device, precision=precision)
        self.trained = trained
        self.prepare()

    def prepare(self) -> None:
        """Set what `sample` needs from the trained model, the spec and the device.

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
    ) -> Self:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or do not fit.
            InputError: If the device or the precision is unavailable.
        """
        if precision not in (None, "float32") and not cls.has_bfloat16:
            msg = f"{spec.name} computes in float32 only; leave out precision."
            raise InputError(msg, argument="precision")
        if device != "cpu" and not cls.runs_on_gpu:
            msg = f"{spec.name} runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        if device != "cpu":
            _check_device(device)
        trained = cls.trained_model.read(Path(folder))
        return cls(spec, cast(Trained, trained), device=device, precision=precision or "float32")

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        self.trained.write(Path(folder))

    @property
    def parameters(self) -> int:
        """Number of trained parameters: of the networks, not of tables."""
        networks = self.trained.named_networks().values()
        return sum(p.numel() for network in networks for p in network.parameters())

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
        n = len(incident)
        size = self.part_size if self._device == "cpu" else n
        parts = [(part, seed, first + start) for start, part in incident.batches(max(size, 1))]
        threads = min(callers_threads(), len(parts))
        if threads <= 1:
            return Showers.concatenate([sample(*part) for part in parts])
        with ThreadPoolExecutor(threads) as pool:
            return Showers.concatenate(list(pool.map(lambda part: sample(*part), parts)))

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
