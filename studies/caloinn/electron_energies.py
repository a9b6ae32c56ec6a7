"""Incident energies of the training showers of caloinn.calochallenge2-electron.

    python -m studies.caloinn.electron_energies FOLDER
    python -m studies.caloinn.electron_energies FOLDER --first 20 --files 8 --range 1 100

Writes `energies_00.txt`, `energies_01.txt`, ... for `calozoo generate --energy @FILE`. A shower
costs time in proportion to its energy, and of a sample that is uniform in ln E the last tenth would
take most. The density in ln E falls as the inverse square root of the energy instead, and every
file covers its range evenly.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHOWERS", "electron_energies", "main"]

SHOWERS = 100
"""Showers of one file."""

RANGE_GEV = (1.0, 1000.0)


def electron_energies(
    number: int, showers: int = SHOWERS, range_gev: tuple[float, float] = RANGE_GEV
) -> NDArray[np.float64]:
    """Energies of a file, in GeV, in random order, shape (showers,).

    Arguments:
        number: Number of the file.
        showers: Showers of the file.
        range_gev: Lowest and highest energy.

    Example:
        >>> energy = electron_energies(0)
        >>> bool((energy >= 1).all() and (energy <= 1000).all()), round(float(np.median(energy)))
        (True, 4)
    """
    random = np.random.default_rng(number)
    uniform = (np.arange(showers) + random.random(showers)) / showers
    # The square root of 1 / E is uniform.
    low, high = (energy**-0.5 for energy in range_gev)
    root = low - uniform * (low - high)
    energy: NDArray[np.float64] = root**-2
    random.shuffle(energy)
    return energy


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write the energies of electrons to simulate.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=16, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--showers", type=int, default=SHOWERS, help="energies of each")
    parser.add_argument(
        "--range", type=float, nargs=2, default=RANGE_GEV, metavar="GEV", help="lowest and highest"
    )
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for number in range(asked.first, asked.first + asked.files):
        energies = electron_energies(number, asked.showers, tuple(asked.range))
        lines = "".join(f"{energy:.6f}\n" for energy in energies)
        (asked.folder / f"energies_{number:02d}.txt").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
