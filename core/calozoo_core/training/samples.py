"""Showers to train on, and showers that are held out."""

from __future__ import annotations

from pathlib import Path

from calozoo_core.errors import InputError
from calozoo_core.io.hdf5 import read_showers
from calozoo_core.showers import Showers

__all__ = ["read_sample"]


def read_sample(folder: Path, part: str) -> Showers:
    """The showers of a training or validation sample: all of `folder/part/*.h5`.

    Arguments:
        folder: Holds `train/` and `val/`.
        part: "train" or "val".

    Raises:
        InputError: If there are no such files.
        ShowerFileError: If one of them is damaged.
    """
    paths = sorted((folder / part).glob("*.h5"))
    if not paths:
        msg = f"There are no shower files in {folder / part}; give a folder with train/ and val/."
        raise InputError(msg)
    return Showers.concatenate([read_showers(path) for path in paths])
