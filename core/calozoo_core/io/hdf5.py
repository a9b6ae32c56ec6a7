"""The native shower file: HDF5, compressed, appended batch by batch, whole or not there at all.

::

    /incident/energy (n,) f4 GeV   /incident/direction (n, 3) f4
    /points/offsets (n + 1,) i8    /points/x, y (N,) f4 mm    /points/layer (N,) u1
    /points/energy (N,) f4 MeV     [/points/time (N,) f4 ns]
    attributes: format="calozoo-showers" version=1 representation detector particle generator seed
"""

from __future__ import annotations

import os

from calozoo_core.io._reader import ShowerFile
from calozoo_core.io._writer import ShowerWriter
from calozoo_core.showers import Showers

__all__ = ["ShowerFile", "ShowerWriter", "read_showers", "write_showers"]


def read_showers(path: str | os.PathLike[str], rows: slice = slice(None)) -> Showers:
    """Showers of a native file, all or a run of them.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of ours.
    """
    with ShowerFile(path) as file:
        return file[rows]


def write_showers(
    path: str | os.PathLike[str],
    showers: Showers,
    *,
    generator: str,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Write showers to a native file, whole or not at all.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    with ShowerWriter(path, generator=generator, seed=seed, overwrite=overwrite) as writer:
        writer.append(showers)
