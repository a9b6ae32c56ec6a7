"""Shower files: reading and writing the native format; beside it `io.ddml`, `io.root`, ..."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calozoo_core.io._exchange_format import Exported
    from calozoo_core.io.hdf5 import (
        ShowerFile,
        ShowerWriter,
        open_showers,
        read_hits,
        read_showers,
        write_showers,
    )

__all__ = [
    "Exported",
    "ShowerFile",
    "ShowerWriter",
    "open_showers",
    "read_hits",
    "read_showers",
    "write_showers",
]


def __getattr__(name: str) -> Any:
    """Import h5py with the first name that needs it, not for `io.atomic`."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = "_exchange_format" if name == "Exported" else "hdf5"
    return getattr(import_module(f"{__name__}.{home}"), name)
