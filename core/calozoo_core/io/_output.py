"""Output through HDF5 and uproot: parts, tables that grow, and errors in one sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
from numpy.typing import NDArray

from calozoo_core.errors import OutputExistsError, ShowerFileError
from calozoo_core.incident import true_or_false
from calozoo_core.io._layout import attribute_fault
from calozoo_core.io.atomic import is_taken
from calozoo_core.io.file_faults import reason
from calozoo_core.io.part_file import PartFile, uninterrupted

__all__ = [
    "HDF5Output",
    "append_rows",
    "check_attributes",
    "new_table",
    "open_part",
    "unwritable",
    "whole_file",
    "writing",
]

CACHE_BYTES: Final = 1 << 20
CACHE_SLOTS: Final = 521
"""Cache of each table that is written, and its hash table."""

_HDF5_ERRORS: Final = (OSError, RuntimeError, ValueError, TypeError, KeyError)


class HDF5Output:
    """HDF5 file that is written through its part, and is complete or not there at all.

    Arguments:
        path: The file.
        overwrite: Replace a file that is already there.
        attributes: Attributes of the file.

    Attributes:
        path: The same.
        part: Its part.
        file: The open HDF5 file.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> None:
        self.path = path
        self.part = open_part(path, overwrite=overwrite)
        try:
            with uninterrupted():
                # This format of HDF5 has checksums of its own; the oldest, its default, has none.
                # Rows are only added at the end, so a few chunks are cache enough; HDF5 2 keeps
                # 8 MB of each table, which long files fill.
                self.file = h5py.File(
                    self.part, "w", libver="v110", rdcc_nbytes=CACHE_BYTES, rdcc_nslots=CACHE_SLOTS
                )
                self.file.attrs.update(attributes or {})
        except BaseException:
            self.part.discard()
            raise

    def end(self, n_rows: int, what: str, *, is_complete: bool) -> None:
        """Close the file, and give it its name or remove it.

        Arguments:
            n_rows: Number of showers or events in it.
            what: Their name in a message.
            is_complete: `False` after an error: the part is removed.

        Raises:
            ShowerFileError: If there are no rows, or the file cannot be written.
        """
        try:
            with uninterrupted():
                self.file.close()
            if is_complete:
                if n_rows == 0:
                    msg = f"No {what} came, so {self.path} was not written."
                    raise ShowerFileError(msg)
                _keep(self.path, self.part)
        finally:
            self.part.discard()


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[PartFile]:
    """`NAME.part` to write into; renamed on the way out, or removed if an error comes that way.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    path = Path(path)
    part = open_part(path, overwrite=overwrite)
    try:
        yield part
        _keep(path, part)
    finally:
        part.discard()


def open_part(path: Path, *, overwrite: bool) -> PartFile:
    """File object to write a new shower file through.

    Raises:
        InputError: If `overwrite` is neither True nor False.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    overwrite = true_or_false("overwrite", overwrite)
    try:
        if path.is_dir():
            msg = f"{path} is a folder; give the name of a file."
            raise ShowerFileError(msg)
        if is_taken(path) and not overwrite:
            msg = f"{path} is already there. Add overwrite=True to replace it."
            raise OutputExistsError(msg, argument="overwrite=True")
        return PartFile(path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


def check_attributes(
    path: Path, attributes: Mapping[str, str | int | float], own: Iterable[str] = ()
) -> None:
    """Refuse attributes that the reader would refuse.

    Arguments:
        path: File that is written.
        attributes: Attributes of it.
        own: Names that the format keeps for itself.

    Raises:
        ShowerFileError: If there is one.
    """
    faults = [f"{name} is the file's own" for name in sorted(set(own) & attributes.keys())]
    faults += [wrong for pair in attributes.items() if (wrong := attribute_fault(*pair))]
    if faults:
        msg = f"{path} cannot be written, since {faults[0]}; change that."
        raise ShowerFileError(msg)


@contextmanager
def writing(path: Path, part: PartFile) -> Iterator[None]:
    """Calls of HDF5 that write to a part, kept from signals.

    Raises:
        ShowerFileError: If one fails, or the disk is full.
    """
    try:
        with uninterrupted():
            yield
    except _HDF5_ERRORS as error:
        raise unwritable(path, part.error or error) from error
    if part.error:
        raise unwritable(path, part.error) from part.error


def new_table(
    file: h5py.File,
    name: str,
    rows: NDArray[Any],
    *,
    chunk: int,
    level: int = 1,
    has_checksums: bool = True,
) -> h5py.Dataset:
    """Empty data set for rows like these, to which `append_rows` adds.

    Arguments:
        file: The file.
        name: Place in it, as `group/name`.
        rows: First rows, of which the width and the type are taken.
        chunk: Rows of a chunk.
        level: Level of gzip.
        has_checksums: Whether chunks have checksums.
    """
    width = rows.shape[1:]
    return file.create_dataset(
        name,
        shape=(0, *width),
        maxshape=(None, *width),
        chunks=(chunk, *width),
        dtype=rows.dtype,
        compression="gzip",
        compression_opts=level,
        shuffle=True,
        fletcher32=has_checksums,
    )


def append_rows(table: h5py.Dataset, rows: NDArray[Any]) -> None:
    """Add rows to a data set of `new_table`."""
    start = len(table)
    table.resize(start + len(rows), axis=0)
    table[start:] = rows


def unwritable(path: Path, error: BaseException) -> ShowerFileError:
    """Error for a file that cannot be written, with the reason."""
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    advice = "make room, or choose another file" if is_full else "choose another file"
    return ShowerFileError(f"{path} cannot be written ({reason(error)}); {advice}.")


def _keep(path: Path, part: PartFile) -> None:
    try:
        part.keep()
    except OSError as error:
        raise unwritable(path, error) from error
