"""A file in somebody else's format, there under its own name only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from calozoo_core.errors import OutputExistsError, ShowerFileError
from calozoo_core.io._atomic import PartFile
from calozoo_core.io._layout import fault, reason
from calozoo_core.showers import Showers

__all__ = ["Exported", "check_values", "unwritable", "whole_file"]


@dataclass(frozen=True)
class Exported:
    """What went into a file, and what the format had no room for.

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


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[PartFile]:
    """`NAME.part` to write into; renamed on the way out, or removed if an error comes that way.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    path = Path(path)
    try:
        if path.is_dir():
            msg = f"{path} is a folder; give the name of a file."
            raise ShowerFileError(msg)
        if path.exists() and not overwrite:
            msg = f"{path} is already there. Add overwrite=True to replace it."
            raise OutputExistsError(msg, argument="overwrite=True")
        part = PartFile(path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    try:
        yield part
        try:
            part.keep()
        except OSError as error:
            raise unwritable(path, error) from error
    finally:
        part.discard()


def check_values(showers: Showers, path: Path) -> None:
    """Refuse showers with a value that is no measurement.

    Raises:
        ShowerFileError: If there is one.
    """
    wrong = fault(showers)
    if wrong:
        msg = f"The showers hold {wrong}, so {path} was not written."
        raise ShowerFileError(msg)


def unwritable(path: Path, error: BaseException) -> ShowerFileError:
    """Why it cannot be written, in one sentence."""
    return ShowerFileError(
        f"{path} cannot be written ({reason(error)}); choose another file or make room."
    )
