"""Native shower file: HDF5, compressed, appended batch by batch, whole or not there at all.

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

from calozoo_core.hits import Hits
from calozoo_core.io._reader import ShowerFile
from calozoo_core.io._writer import ShowerWriter
from calozoo_core.ragged import Rows
from calozoo_core.showers import Showers

__all__ = [
    "ShowerFile",
    "ShowerWriter",
    "open_showers",
    "read_hits",
    "read_showers",
    "write_showers",
]


def open_showers(path: str | os.PathLike[str]) -> ShowerFile:
    """Shower file, opened for reading: showers are read when they are asked for.

    Arguments:
        path: The file.

    Returns:
        The file. Use it in a `with` statement, or call `close()` on it.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of ours.

    Example:
        >>> import tempfile
        >>> from calozoo_core.incident import Incident
        >>> showers = Showers([0, 1, 3], x=[0, 1, 2], y=[0, 1, 2], layer=[3, 4, 5],
        ...                   energy=[0.2, 0.3, 0.4], incident=Incident([10, 20], (0, 0, 1)),
        ...                   representation="x25", detector="ild_siecal_regular")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_showers(f"{folder}/two.h5", showers, generator="by hand")
        ...     with open_showers(f"{folder}/two.h5") as file:
        ...         print(len(file), file[-1] == showers[-1], [s.n_points for s in file])
        2 True [1, 2]
    """
    return ShowerFile(path)


def read_showers(path: str | os.PathLike[str], rows: Rows = slice(None)) -> Showers:
    """Showers of a native file, all or some of them.

    Arguments:
        path: The file.
        rows: Which showers: a slice, a list of numbers or a mask.

    Raises:
        InputError: If `rows` selects no rows, or there are no such showers.
        ShowerFileError: If the file is missing, damaged, or not one of ours.
    """
    with ShowerFile(path) as file:
        return file[rows]


def read_hits(path: str | os.PathLike[str], rows: Rows = slice(None)) -> Hits:
    """Hits of a native file, of all its showers or of some of them.

    Arguments:
        path: The file.
        rows: Which showers: a slice, a list of numbers or a mask.

    Raises:
        InputError: If `rows` selects no rows, or there are no such showers.
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

    Arguments:
        path: The file.
        showers: The showers.
        generator: Name of the model that made them.
        seed: Seed that they were made with.
        overwrite: Replace a file that is already there.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    with ShowerWriter(path, generator=generator, seed=seed, overwrite=overwrite) as writer:
        writer.append(showers)
