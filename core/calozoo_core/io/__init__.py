"""Shower files, in and out."""

from calozoo_core.io._foreign_file import Exported
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
