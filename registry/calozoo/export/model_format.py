"""Format of model files: what writes a module to a file and runs the file again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError, WeightsError

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["Array", "FormatName", "ModelFormat", "Run", "unreadable"]

Array = NDArray[np.float32]

FormatName = Literal["torchscript", "onnx", "pt2"]

Run = Callable[[Sequence[Array], Sequence[Array] | None], Array]
"""Function of inputs, and of noise where a file takes it, to a shower."""


class ModelFormat(ABC):
    """Format of model files."""

    #: Name in records.
    name: ClassVar[FormatName]
    #: Suffix of its files.
    suffix: ClassVar[str]
    #: Libraries that write it.
    libraries: ClassVar[tuple[str, ...]]
    #: Libraries that run it; by default those that write it.
    reading_libraries: ClassVar[tuple[str, ...]] = ()
    #: A file can make showers of its own noise and of given noise.
    has_both_entries: ClassVar[bool] = False
    #: A file can hold a loop; else it is unrolled when the file is written.
    keeps_loops: ClassVar[bool] = False
    #: Version of the operators, where the format has one.
    default_opset: ClassVar[int | None] = None

    @abstractmethod
    def write(self, module: ExportedModel, path: Path, *, given: bool, opset: int | None) -> None:
        """Write a module to a file.

        Arguments:
            module: The module.
            path: The file, which is replaced.
            given: Noise is an input of the file; without meaning where a file has both entries.
            opset: Version of the operators, where the format has one.
        """

    @abstractmethod
    def open(self, path: Path) -> Run:
        """Function that makes showers with a file.

        Raises:
            InputError: If the file cannot be run by the libraries that are installed here.
        """

    def check_opset(self, opset: int | None) -> None:
        """Refuse an opset that cannot be written.

        Raises:
            InputError: If the format has none, or not this one.
        """
        if opset is not None:
            msg = f"Only operators of ONNX have versions; leave out opset for {self.name}."
            raise InputError(msg, argument="opset")

    def check_can_write(self) -> None:
        """Make sure that the libraries that write the format are installed.

        Raises:
            InputError: If one is missing; the message says what to type.
        """
        self._check("Writing", self.libraries)

    def check_can_run(self) -> None:
        """Make sure that the libraries that run the format are installed.

        Raises:
            InputError: If one is missing; the message says what to type.
        """
        self._check("Running", self.reading_libraries or self.libraries)

    def versions(self) -> dict[str, str]:
        """Versions of the libraries that write the format."""
        return {name: version(name) for name in self.libraries}

    def _check(self, doing: str, libraries: Sequence[str]) -> None:
        missing = [name for name in libraries if not _is_installed(name)]
        if missing:
            msg = (
                f"{doing} {self.name} files needs {' and '.join(missing)}; "
                "type pip install 'calozoo[export]'."
            )
            raise InputError(msg)


def unreadable(path: Path, library: str, error: Exception) -> WeightsError:
    """Error of a file that a library cannot load.

    Arguments:
        path: The file.
        library: Name and version of the library.
        error: What it raised.
    """
    reason = str(error).strip().splitlines()[0].rstrip(".")
    msg = f"{library} cannot load {path} ({reason}); export the model again."
    return WeightsError(msg)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
