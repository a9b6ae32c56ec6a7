"""Trained models: networks, tables and configuration, as the files of a weights folder and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights.files import read_config, write_weights
from calozoo_core.weights.networks import (
    check_device,
    named_tensors,
    only_float32,
    only_on_cpu,
    read_networks,
    weights_folder,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["NetworkGenerator", "TrainedModel"]


@dataclass(frozen=True, eq=False)
class TrainedModel(ABC):
    """Networks, tables and configuration of a trained model.

    A model derives a dataclass with a field for each network (a torch module) and each set of
    tables (a NamedTuple of tensors). Field `flow` and tensor `net.weight` of it are the tensor
    `flow.net.weight` of `model.safetensors`. A field that is None is left out.

    Arguments:
        config: Configuration the networks were built from, the content of `config.json`.

    Example:
        >>> from torch import nn
        >>> class LineConfig(BaseModel):
        ...     slopes: int = 3
        >>> @dataclass(frozen=True, eq=False)
        ... class Line(TrainedModel):
        ...     schema = LineConfig
        ...     config: LineConfig
        ...     line: nn.Module
        ...
        ...     @classmethod
        ...     def untrained(cls, config):
        ...         return cls(config, nn.Linear(config.slopes, 1))
        >>> list(Line.untrained(LineConfig()).named_tensors())
        ['line.weight', 'line.bias']
    """

    schema: ClassVar[type[BaseModel]]

    config: BaseModel

    @classmethod
    @abstractmethod
    def untrained(cls, config: Any) -> Self:
        """Model with new networks and empty tables.

        Arguments:
            config: An instance of `schema`.
        """

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Model of a folder with `config.json` and `model.safetensors`, ready for inference.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
        """
        import torch

        config = read_config(folder, cls.schema)
        # On the meta device nothing is allocated before the file is known to fit.
        with torch.device("meta"):
            model = cls.untrained(config)
        found = read_networks(folder, model.named_networks(), model._named_tables())
        read = {
            field: tables._replace(**{name: found[f"{field}.{name}"] for name in tables._fields})
            for field, tables in model._tables().items()
        }
        return replace(model, **read)

    def write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_weights(folder, self.config, self.named_tensors())

    def named_networks(self) -> dict[str, nn.Module]:
        """The networks by field."""
        from torch import nn

        return {name: value for name, value in self._fields() if isinstance(value, nn.Module)}

    def named_tensors(self) -> dict[str, Tensor]:
        """All tensors, by their names in `model.safetensors`."""
        return named_tensors(self.named_networks()) | self._named_tables()

    def _fields(self) -> list[tuple[str, Any]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    def _tables(self) -> dict[str, Any]:
        return {name: value for name, value in self._fields() if isinstance(value, tuple)}

    def _named_tables(self) -> dict[str, Tensor]:
        return {
            f"{field}.{name}": table
            for field, tables in self._tables().items()
            for name, table in tables._asdict().items()
        }


Trained = TypeVar("Trained", bound=TrainedModel)


class NetworkGenerator(Generator, Generic[Trained]):
    """Generator made of trained networks, which loads and saves itself.

    A plugin derives from this, sets the class attributes and implements `sample`.

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
        if not cls.has_bfloat16:
            only_float32(spec, precision)
        if not cls.runs_on_gpu:
            only_on_cpu(spec, device)
        trained = cls.trained_model.read(weights_folder(spec, folder))
        check_device(device)
        return cls(spec, cast(Trained, trained), device=device, precision=precision or "float32")

    def save(self, folder: Path) -> None:
        self.trained.write(Path(folder))

    @cached_property
    def _layer_depth_mm(self) -> Float32Array:
        return load_detector(self.spec.detector).layer_depth_mm.astype(np.float32)

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
