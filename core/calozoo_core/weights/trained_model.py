"""Trained models: networks, tables and configuration, as the files of a weights folder and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from calozoo_core.weights.files import read_config, read_tensors, write_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["TrainedModel"]


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
        expected = model.named_tensors()
        shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
        dtypes = {name: str(t.dtype).removeprefix("torch.") for name, t in expected.items()}
        tensors = read_tensors(folder, shapes, dtypes)
        for field, network in model.named_networks().items():
            own = {name: tensors[f"{field}.{name}"] for name in network.state_dict()}
            network.load_state_dict(own, assign=True)
            network.eval().requires_grad_(requires_grad=False)
        read = {
            field: tables._replace(**{name: tensors[f"{field}.{name}"] for name in tables._fields})
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
        """Networks by field."""
        from torch import nn

        return {name: value for name, value in self._fields() if isinstance(value, nn.Module)}

    def named_tensors(self) -> dict[str, Tensor]:
        """All tensors, by their names in `model.safetensors`."""
        sets = {
            **{field: network.state_dict() for field, network in self.named_networks().items()},
            **{field: tables._asdict() for field, tables in self._tables().items()},
        }
        return {f"{field}.{name}": t for field, own in sets.items() for name, t in own.items()}

    def _tables(self) -> dict[str, Any]:
        return {name: value for name, value in self._fields() if isinstance(value, tuple)}

    def _fields(self) -> list[tuple[str, Any]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]
