"""Ceiling of designs: `python -m studies.oracle.ceiling TRUTH.h5 REFERENCE.h5`.

Geant4's showers are redrawn as a perfect model of a design would draw them, and boosted trees try
to tell them from other showers of Geant4. No training gets a model of that design below its AUC.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps import load_table
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.io import read_showers, write_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import classifier_auc
from calozoo_core.observables import Deposits, merged_cells
from calozoo_core.observables.cell_features import FEATURE_GROUPS, cell_features, feature_columns
from calozoo_core.showers import Showers
from calozoo_core.weights import sha256
from studies.oracle.designs import DESIGNS

__all__ = ["Ceiling", "areas", "ceiling"]

SEED = 1
ENERGIES_GEV = ((1, 20), (40, 60), (90, 127))


class Ceiling(NamedTuple):
    """Figures of merit of one design.

    Arguments:
        areas: AUC and its error, of all features and of each group.
        cells: Cells over those of the showers it was made of, for `ENERGIES_GEV`.
        widths: Spread of the centre of gravity over theirs, along x' and y'.
    """

    areas: dict[str, tuple[float, float]]
    cells: tuple[float, ...]
    widths: tuple[float, float]


def ceiling(
    drawn: Showers, truth: Showers, reference: NDArray[np.float32], groups: Iterable[str]
) -> Ceiling:
    """Figures of merit of showers redrawn from true ones.

    Arguments:
        drawn: Showers as a perfect model of a design draws them.
        truth: Showers they were made of.
        reference: Features of other showers, a row each.
        groups: Groups of features that the trees are also given alone.
    """
    mine, theirs = _cells(drawn), _cells(truth)
    energy = truth.incident.energy
    ratios = [
        mine.occupancy[chosen].sum() / max(theirs.occupancy[chosen].sum(), 1)
        for chosen in ((energy >= low) & (energy < high) for low, high in ENERGIES_GEV)
    ]
    widths = [
        float(np.nanstd(one) / np.nanstd(other))
        for one, other in ((mine.centre_x, theirs.centre_x), (mine.centre_y, theirs.centre_y))
    ]
    return Ceiling(
        areas(cell_features(mine), reference, groups, mine.detector.n_layers),
        tuple(ratios),
        (widths[0], widths[1]),
    )


def areas(
    features: NDArray[np.float32],
    reference: NDArray[np.float32],
    groups: Iterable[str],
    n_layers: int,
) -> dict[str, tuple[float, float]]:
    """AUC and its error: of all features, and of each group with the primary.

    Raises:
        InputError: If there are too few showers.
    """
    columns = feature_columns(n_layers)
    ends = np.cumsum([len(names) for names in columns.values()])
    first = dict(zip(columns, ends - [len(names) for names in columns.values()], strict=True))
    found = {"all": classifier_auc(features, reference, seed=SEED)}
    for group in groups:
        chosen = [first[name] + i for name in ("primary", group) for i in range(len(columns[name]))]
        found[group] = classifier_auc(features[:, chosen], reference[:, chosen], seed=SEED)
    return found


def _cells(showers: Showers, first: int = 0) -> Deposits:
    return merged_cells(showers, load_detector(showers.detector), seed=SEED, first=first)


def _check_not_in_table(path: Path, detector: str) -> None:
    """Refuse a file whose showers the table of clumps was made of: they would be found again."""
    sources = load_table(detector).config.sources
    if sha256(path) in {source.sha256 for source in sources}:
        msg = f"The table of clumps was made of showers of {path}; take another file."
        raise InputError(msg)


def _row(name: str, result: Ceiling) -> tuple[str, ...]:
    shown = [f"{area:.3f} ± {error:.3f}" for area, error in result.areas.values()]
    cells = " / ".join(f"{ratio:.3f}" for ratio in result.cells)
    return name, *shown, cells, f"{result.widths[0]:.2f}, {result.widths[1]:.2f}"


def main(arguments: list[str] | None = None) -> None:
    """Print the ceilings, and write the showers that were redrawn."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.oracle.ceiling", description=__doc__.splitlines()[0]
    )
    parser.add_argument("truth", type=Path, help="x25 showers of Geant4 to redraw")
    parser.add_argument("reference", type=Path, help="others, to tell them from")
    parser.add_argument("--showers", type=int, default=800, help="of each file")
    parser.add_argument("--design", action="append", choices=DESIGNS, help="only these designs")
    parser.add_argument("--all-only", action="store_true", help="no AUC of groups of features")
    parser.add_argument("--out", type=Path, help="write the last design's showers to this file")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        truth, others = (
            read_showers(path, slice(0, options.showers))
            for path in (options.truth, options.reference)
        )
        for path in (options.truth, options.reference):
            _check_not_in_table(path, truth.detector)
        groups = () if options.all_only else FEATURE_GROUPS
        # Grids of cells of their own: a shared one is no difference, but no chance either.
        reference = cell_features(_cells(others, first=len(truth)))
        rows = [_row("Geant4", ceiling(truth, truth, reference, groups))]
        drawn = truth
        for name in options.design or DESIGNS:
            drawn = DESIGNS[name](truth, SEED)
            rows.append(_row(name, ceiling(drawn, truth, reference, groups)))
        ranges = " / ".join(f"{low}-{high}" for low, high in ENERGIES_GEV)
        header = ("true is", "all", *groups, f"cells, {ranges} GeV", "width of centre x', y'")
        text = table(header, [tuple(row) for row in rows])
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "ceiling", text)
        if options.out is not None:
            write_showers(options.out, drawn, generator=f"oracle: {name}", seed=SEED)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
