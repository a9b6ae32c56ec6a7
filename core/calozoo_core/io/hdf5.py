"""The native shower file: HDF5, compressed, appended batch by batch, whole or not there at all.

::

    /incident/energy (n,) f4 GeV   /incident/direction (n, 3) f4
    /points/offsets (n + 1,) i8    /points/x, y (N,) f4 mm    /points/layer (N,) u1
    /points/energy (N,) f4 MeV     [/points/time (N,) f4 ns]
    attributes: format="calozoo-showers" version=1 representation detector particle generator seed

Showers that were put into a detector have these besides::

    /incident/position (n, 3) f8 mm, global
    /hits/offsets (n + 1,) i8      /hits/layer (N,) u1        /hits/x, y, z (N,) f4 mm, global
    /hits/energy (N,) f4 MeV       /hits/cell (N,) i8
    attributes: hits_detector hits_threshold_mev
"""

from __future__ import annotations

import os

from calozoo_core.io._reader import ShowerFile
from calozoo_core.io._writer import ShowerWriter
from calozoo_core.placement import Hits
from calozoo_core.showers import Showers

__all__ = ["ShowerFile", "ShowerWriter", "read_hits", "read_showers", "write_showers"]


def read_showers(path: str | os.PathLike[str], rows: slice = slice(None)) -> Showers:
    """Showers of a native file, all or a run of them.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of ours.
    """
    with ShowerFile(path) as file:
        return file[rows]


def read_hits(path: str | os.PathLike[str], rows: slice = slice(None)) -> Hits:
    """Hits of a native file, of all its showers or of a run of them.

    Raises:
        ShowerFileError: If the file is missing, damaged, not one of ours, or has no hits.
    """
    with ShowerFile(path) as file:
        return file.hits(rows)


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
