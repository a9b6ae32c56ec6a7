"""Opening of HDF5 files that anyone may have made, with the system's own reason if that fails."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

import h5py

from calozoo_core.errors import ShowerFileError
from calozoo_core.io._hdf5_guards import has_endless_names, has_endless_text
from calozoo_core.io.file_faults import instead_of_file, reason, system_reason

__all__ = ["check_file", "open_hdf5"]

_GZIP: Final = b"\x1f\x8b"


def open_hdf5(path: Path, what: str = "shower file") -> h5py.File:
    """An HDF5 file, open for reading; no lock is taken, which not every file system has.

    Arguments:
        path: The file.
        what: What it is, for the message that there is none.

    Raises:
        ShowerFileError: If it is missing, cannot be read, or is no whole HDF5 file.
    """
    check_file(path, what)
    try:
        endless = "texts" if has_endless_text(path) else "names" if has_endless_names(path) else ""
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({reason(error)})."
        raise ShowerFileError(msg) from error
    if endless:
        msg = f"{path} is damaged (its {endless} have no end); make it again."
        raise ShowerFileError(msg)
    try:
        return h5py.File(path, "r", locking=False)
    except Exception as error:
        failed = system_reason(error)
        if failed:
            msg = f"{path} cannot be read ({failed})."
        elif _is_packed(path):
            msg = f"{path} is packed with gzip; unpack it first."
        else:
            msg = f"{path} is not a whole HDF5 file; make it again, or wait till it is written."
        raise ShowerFileError(msg) from error


def check_file(path: Path, what: str = "shower file") -> None:
    """Refuse what is no file with content of its own.

    Arguments:
        path: The file.
        what: What it is, for the message that there is none.

    Raises:
        ShowerFileError: If it is missing, a folder, a pipe or a device, may not be looked at, or
            something else lies in its place, such as a pointer of Git LFS.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            msg = f"{path} is a folder; give the name of a file."
            raise ShowerFileError(msg)
        if not stat.S_ISREG(mode):
            msg = f"{path} is a pipe or a device, in which nothing can be looked up; give a file."
            raise ShowerFileError(msg)
        instead = instead_of_file(path)
        if instead is not None:
            msg = f"{path} {instead}"
            raise ShowerFileError(msg)
    except FileNotFoundError as error:
        msg = f"There is no {what} {path}."
        raise ShowerFileError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({reason(error)})."
        raise ShowerFileError(msg) from error


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP
