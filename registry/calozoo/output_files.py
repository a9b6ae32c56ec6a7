"""Checks of output files before the work: a name that can be written, and replaces no source."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from calozoo_core.errors import CalozooError, InputError, OutputExistsError
from calozoo_core.io.atomic import check_is_a_name, is_stream, is_taken

__all__ = ["PACKED", "check_output_file", "check_sources"]

PACKED: Final = (".gz", ".bz2", ".xz", ".zip", ".zst", ".lzma")
"""Suffixes of files that were packed as a whole."""


def check_output_file(
    out: Path, *, overwrite: bool = False, error_type: type[CalozooError] = CalozooError
) -> None:
    """Refuse a file that cannot be written, before the work for it is done.

    Arguments:
        out: The file; a pipe or a device is written to in any case.
        overwrite: Replace a file that is already there.
        error_type: Class of the error, unless the file is there.

    Raises:
        InputError: If the name is "-".
        OutputExistsError: If the file is there and `overwrite` is not set.
        CalozooError: If its name, its folder or the disk does not allow it.
    """
    check_is_a_name(out)
    try:
        if out.is_dir():
            msg = f"{out} is a folder; give the name of a file."
            raise error_type(msg)
        if is_stream(out):
            return
        if is_taken(out) and not overwrite:
            msg = f"{out} is already there. Add overwrite=True to replace it."
            raise OutputExistsError(msg, argument="overwrite=True")
        folder = Path(os.path.realpath(out)).parent
        if not folder.is_dir():
            named = folder if out.is_symlink() else out.parent
            msg = f"There is no folder {named}; make it, or give another file name."
            raise error_type(msg)
        # Trying is the only way to know: a disk can be read-only whatever the folder's mode says.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        msg = f"{out} cannot be written: {str(error.strerror).lower()}; give another file name."
        raise error_type(msg) from error


def check_sources(out: Path, sources: Iterable[Path]) -> None:
    """Refuse to replace a file by what is made of it, also where that was asked for.

    Raises:
        InputError: If the output is one of the sources.
    """
    for source in sources:
        with suppress(OSError):  # what is not there is not replaced
            if out.samefile(source):
                msg = f"{out} would replace what it is made of; give another name."
                raise InputError(msg)
