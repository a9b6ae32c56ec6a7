"""Trained models in torch: networks, tables and configuration, and back from their arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel

from calozoo_core.weights.layout import Layout, TensorLayout, part
from calozoo_core.weights.trained_arrays import TrainedArrays

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["TrainedModel", "network_arrays"]


@dataclass(frozen=True, eq=False)
class TrainedModel(ABC):
    """Networks, tables and configuration of a trained model, as training and torch use them.

    A model derives a dataclass with a field for each network (a torch module) and each set of
    tables (a NamedTuple of arrays). Field `flow` and tensor `net.weight` of it are the tensor
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
        >>> list(Line.untrained(LineConfig()).named_arrays())
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
    def layout(cls, config: Any) -> Layout:
        """Layout of the tensors of a configuration."""
        import torch

        # On the meta device nothing is allocated.
        with torch.device("meta"):
            model = cls.untrained(config)
        layout: Layout = {}
        for field, network in model.named_networks().items():
            trained = {name for name, _ in network.named_parameters()}
            for name, tensor in network.state_dict().items():
                dtype = str(tensor.dtype).removeprefix("torch.")
                layout[f"{field}.{name}"] = TensorLayout(
                    tuple(tensor.shape), dtype, name in trained
                )
        for field, tables in model._tables().items():
            for name, array in tables._asdict().items():
                entry = TensorLayout.table(*array.shape, dtype=str(array.dtype))
                layout[f"{field}.{name}"] = entry
        return layout

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Model of a folder with `config.json` and `model.safetensors`, ready for inference.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
        """
        return cls.from_arrays(TrainedArrays.read(folder, cls.schema, cls.layout))

    @classmethod
    def from_arrays(cls, trained: TrainedArrays[Any]) -> Self:
        """Model of arrays that fit the configuration, ready for inference."""
        import torch

        with torch.device("meta"):
            model = cls.untrained(trained.config)
        for field, network in model.named_networks().items():
            # Copies: torch must not change what others read.
            own = {name: torch.tensor(array) for name, array in trained.part(field).items()}
            network.load_state_dict(own, assign=True)
            network.eval().requires_grad_(requires_grad=False)
        read = {
            field: tables._replace(**part(trained.arrays, field))
            for field, tables in model._tables().items()
        }
        return replace(model, **read)

    def to_arrays(self) -> TrainedArrays[Any]:
        """The model as it is stored."""
        return TrainedArrays(self.config, self.named_arrays())

    def write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        self.to_arrays().write(folder)

    def named_networks(self) -> dict[str, nn.Module]:
        """Networks by field."""
        from torch import nn

        return {name: value for name, value in self._fields() if isinstance(value, nn.Module)}

    def named_arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of all tensors, by their names in `model.safetensors`."""
        arrays: dict[str, NDArray[Any]] = {}
        for field, network in self.named_networks().items():
            arrays |= {f"{field}.{name}": a for name, a in network_arrays(network).items()}
        for field, tables in self._tables().items():
            arrays |= {f"{field}.{name}": np.array(a) for name, a in tables._asdict().items()}
        return arrays

    def _tables(self) -> dict[str, Any]:
        return {name: value for name, value in self._fields() if isinstance(value, tuple)}

    def _fields(self) -> list[tuple[str, Any]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def network_arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Copies of the tensors of a network, by their names in it, for its counterpart in numpy."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()
    }
