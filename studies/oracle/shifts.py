"""Shifts that a design brings: `python -m studies.oracle.shifts STEPS.h5`.

Showers of Geant4 are redrawn as a perfect model of a design would draw them, and the features of
their cells are compared shower by shower. What a design keeps is equal, so a few hundred showers
show shifts that a classifier sees in thousands.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from calozoo_core.clumps import load_table
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.incident import Incident
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.observables.cell_features import FEATURE_GROUPS, cell_features, feature_columns
from calozoo_core.observables.deposits import merged_cells
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_core.weights import sha256
from studies.oracle.placed import DESIGNS

__all__ = ["Shifts", "features", "shifts", "spread"]

GRIDS: Final = 6
"""Grids of cells that each shower is laid on, which differ by less than a cell."""

BLOCK: Final = 50
SHOWN: Final = 5


def features(showers: Showers) -> FloatArray:
    """Features of the cells of showers, a mean over several grids, shape (n, n_features)."""
    detector = load_detector(showers.detector)
    grids = [cell_features(merged_cells(showers, detector, seed=seed)) for seed in range(GRIDS)]
    mean: FloatArray = np.mean(grids, axis=0, dtype=np.float64)
    return mean


def spread(values: FloatArray, incident: Incident) -> FloatArray:
    """Standard deviation of each feature about its mean at an energy and direction.

    Arguments:
        values: Features, shape (n, n_features).
        incident: The n primaries; of their energies and directions the means are polynomials.

    Returns:
        Of the features, 0 where all are alike, shape (n_features,).
    """
    log_energy = np.log(incident.energy.astype(np.float64))
    x, y = incident.direction[:, :2].astype(np.float64).T
    terms = np.stack([log_energy**0, log_energy, log_energy**2, x, y, x**2, y**2], axis=1)
    rest = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    return np.asarray(rest.std(axis=0))


class Shifts(NamedTuple):
    """Shifts of features by a design, over their spreads.

    Arguments:
        mean: Mean shift of each feature, shape (n_features,).
        chance: Expected square of it if there were none, from the scatter of the showers, shape
            (n_features,).
    """

    mean: FloatArray
    chance: FloatArray


def shifts(showers: Showers, name: str) -> Shifts:
    """Shift of each feature by a design.

    Arguments:
        showers: Steps of Geant4.
        name: Name of a design.
    """
    draw = DESIGNS[name]
    parts = [draw(showers[i : i + BLOCK], i) for i in range(0, len(showers), BLOCK)]
    own, true = features(Showers.concatenate(parts)), features(showers)
    width = spread(true, showers.incident)
    scale = np.divide(1, width, out=np.zeros_like(width), where=width > 0)
    moved = (own - true) * scale
    return Shifts(moved.mean(axis=0), moved.var(axis=0) / len(moved))


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.oracle.shifts", description=__doc__)
    parser.add_argument("steps", type=Path, help="steps of Geant4 in the detector without gaps")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        showers = read_showers(options.steps)
        if sha256(options.steps) in {s.sha256 for s in load_table(showers.detector).config.sources}:
            msg = f"The table of clumps was made of {options.steps}; take other showers."
            raise InputError(msg)
        columns = feature_columns(load_detector(showers.detector).n_layers)
        names = [name for group in ("primary", *FEATURE_GROUPS) for name in columns[group]]
        rows = []
        for design in (name for name in DESIGNS if name != showers.representation):
            found = shifts(showers, design)
            most = np.argsort(-np.abs(found.mean))[:SHOWN]
            told = "; ".join(f"{names[i]} {found.mean[i]:+.2f}" for i in most)
            squares, chance = np.sum(found.mean**2), np.sum(found.chance)
            rows.append((design, f"{squares:.3f}", f"{chance:.3f}", told))
    except CalozooError as error:
        sys.exit(str(error))
    text = table(("design", "squares of all shifts", "by chance", "largest shifts"), rows)
    sys.stdout.write(f"{text}\n")
    if options.write is not None:
        write_block(options.write, "shifts", text)


if __name__ == "__main__":
    main()
