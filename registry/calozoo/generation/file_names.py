"""Shower files by their names."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_shower_file"]


def is_shower_file(name: str | Path) -> bool:
    """Whether this is how shower files are called; it need not be there.

    Example:
        >>> is_shower_file("showers.h5"), is_shower_file("energies.txt"), is_shower_file("toy")
        (True, False, False)
    """
    return Path(name).suffix in (".h5", ".hdf5")
