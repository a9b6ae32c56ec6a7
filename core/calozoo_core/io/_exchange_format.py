"""Shower files in formats of other programs: written completely or not at all, read without trust.

`write_tables` and `open_tables` are for HDF5 files with one row a shower and rows of one width.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError, ShowerFileError
from calozoo_core.io._hdf5_guards import LayoutError
from calozoo_core.io._layout import fault
from calozoo_core.io._opening import open_hdf5
from calozoo_core.io._output import append_rows, new_table, whole_file, writing
from calozoo_core.io.file_faults import reason, system_reason
from calozoo_core.io.part_file import uninterrupted
from calozoo_core.showers import Showers

__all__ = [
    "Append",
    "Exported",
    "check_values",
    "open_tables",
    "write_tables",
]

Append = Callable[[Mapping[str, NDArray[Any]]], None]

CHUNK_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Exported:
    """Totals of an exported file: what went into it, and what the format had no room for.

    Attributes:
        n_showers: Showers written.
        visible_mev: Energy of all their deposits, in MeV.
        outside_mev: The part of it that fell beside the grid or the voxels, in MeV.
        below_threshold_mev: The part of it in voxels below the threshold, in MeV.
    """

    n_showers: int = 0
    visible_mev: float = 0.0
    outside_mev: float = 0.0
    below_threshold_mev: float = 0.0

    def __add__(self, other: Exported) -> Exported:
        return Exported(
            self.n_showers + other.n_showers,
            self.visible_mev + other.visible_mev,
            self.outside_mev + other.outside_mev,
            self.below_threshold_mev + other.below_threshold_mev,
        )


def check_values(showers: Showers, path: Path) -> None:
    """Refuse showers with a value that is no measurement.

    Raises:
        ShowerFileError: If there is one.
    """
    wrong = fault(showers)
    if wrong:
        msg = f"The showers hold {wrong}, so {path} was not written."
        raise ShowerFileError(msg)


@contextmanager
def write_tables(path: Path, *, overwrite: bool) -> Iterator[Append]:
    """Write a file whole or not at all; call what this yields with the rows of each batch.

    The first batch fixes the names, widths and types of the data sets. They are chunked and packed
    with gzip. The file is in HDF5's oldest format, which every reader knows.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If no rows come, or the file cannot be written.
    """
    with whole_file(path, overwrite=overwrite) as part:
        with uninterrupted():
            file = h5py.File(part, "w")
        n_rows = 0

        def append(rows: Mapping[str, NDArray[Any]]) -> None:
            nonlocal n_rows
            with writing(path, part):
                for name, values in rows.items():
                    _append(file, name, values)
            n_rows += max(len(values) for values in rows.values())

        try:
            yield append
        finally:
            with uninterrupted():
                file.close()
        if n_rows == 0:
            msg = f"No showers came, so {path} was not written."
            raise ShowerFileError(msg)


@contextmanager
def open_tables(path: str | os.PathLike[str], layout: str) -> Iterator[h5py.File]:
    """An HDF5 file that anyone may have made; whatever goes wrong in it is said in one sentence.

    Arguments:
        path: The file.
        layout: What it should be, for the sentence.

    Raises:
        ShowerFileError: If the file is missing, no HDF5 file, damaged, or not of the layout.
    """
    path = Path(path)
    file = open_hdf5(path)
    try:
        yield file
    except CalozooError:
        raise
    except LayoutError as error:
        msg = f"{path} is not {layout} ({error})."
        raise ShowerFileError(msg) from error
    except Exception as error:
        again = "" if system_reason(error) else "; make it again"
        msg = f"{path} cannot be read ({reason(error)}){again}."
        raise ShowerFileError(msg) from error
    finally:
        file.close()


def _append(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    if name not in file:
        row_bytes = values.dtype.itemsize * math.prod(values.shape[1:])
        chunk = max(1, CHUNK_BYTES // row_bytes)
        new_table(file, name, values, chunk=chunk, has_checksums=False)
    append_rows(file[name], values)
