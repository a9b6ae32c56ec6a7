"""Ceiling in the real detector: `python -m studies.oracle.placed STEPS.h5 REFERENCE.h5`.

Geant4's steps of a detector without gaps are merged, or redrawn as a perfect model draws them, and
placed into the real one; boosted trees try to tell their cells from those of Geant4 in the real
detector, for the same photons. It shows how fine the points of a model have to be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.io import ShowerFile
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import CLASSIFIER, classifier_floors
from calozoo_core.metrics.comparison import compare_classifier
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.observables.cell_features import FEATURE_GROUPS
from calozoo_core.placement import Placement, load_placement
from calozoo_core.random import stream
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers

__all__ = ["DESIGNS", "placed_cells", "reference_cells"]

SEED: Final = 1
BATCH: Final = 50
BANDS: Final = ("40-80mm", "80+mm")
"""Distances to the axis at which cells with a neighbour are counted."""


def merged(name: str) -> Callable[[Showers, int], Showers]:
    """Design of a perfect model of a representation."""

    def draw(showers: Showers, first: int) -> Showers:
        return Representation.named(name, load_detector(showers.detector).cell_mm)(
            showers, SEED, first
        )

    return draw


def filled(showers: Showers, first: int) -> Showers:
    """True energies of voxels, filled from the table of clumps."""
    clumps = load_table(showers.detector)
    points = merged(clumps.config.representation)(showers, first)
    energies = voxel_energies(points, clumps.config.mesh, clumps.config.linking)
    streams = [stream(SEED, first + i, "clumps") for i in range(len(showers))]
    return fill(energies, showers.incident, clumps, streams)


DESIGNS: Final[dict[str, Callable[[Showers, int], Showers]]] = {
    **{name: merged(name) for name in ("steps", "x100", "x25", "x9")},
    "voxels filled from the table of clumps": filled,
}


def placed_cells(
    path: Path, design: Callable[[Showers, int], Showers], placement: Placement, n: int
) -> ObservableAccumulator:
    """Cells of the first showers of a file, redrawn and placed.

    Raises:
        ShowerFileError: If the file is missing or damaged.
        InputError: If its showers do not say where they enter.
    """
    cells = ObservableAccumulator(placement.detector, placement=placement, seed=SEED)
    with ShowerFile(path) as file:
        for rows in _batches(file, n):
            showers = design(file[rows], rows.start)
            if showers.incident.position is None:
                msg = f"{path} does not say where its showers enter; give --position."
                raise InputError(msg)
            hits = placement.place(showers)
            cells.add(_without_points(showers, placement), hits)
    return cells


def reference_cells(path: Path, placement: Placement, n: int) -> ObservableAccumulator:
    """Cells of the first showers of a file with hits in the real detector.

    Raises:
        ShowerFileError: If the file is missing or damaged, or holds no hits.
    """
    cells = ObservableAccumulator(placement.detector, placement=placement, seed=SEED)
    with ShowerFile(path) as file:
        for rows in _batches(file, n):
            cells.add(_without_points(file[rows], placement), file.hits(rows))
    return cells


def _batches(file: ShowerFile, n: int) -> Iterator[slice]:
    for first in range(0, min(n, len(file)), BATCH):
        yield slice(first, min(first + BATCH, n, len(file)))


def _without_points(showers: Showers, placement: Placement) -> Showers:
    return Showers.without_points(showers.incident, showers.representation, placement.detector.name)


def _row(name: str, cells: ObservableAccumulator, reference: ObservableAccumulator) -> list[str]:
    floors = classifier_floors(reference, seed=SEED)
    areas = {
        figure.name.removeprefix(CLASSIFIER).removeprefix("."): figure
        for figure in compare_classifier(cells, reference, seed=SEED, floors=floors)
    }
    ratios = {figure.name: figure for figure in ratio_figures(cells, reference)}
    chosen = ["cells.occupancy", *(f"cells.neighbour_adjacent@{band}" for band in BANDS)]
    return [
        name,
        *(_shown(areas[group]) for group in ("", *FEATURE_GROUPS)),
        *(_shown(ratios[ratio]) for ratio in chosen),
    ]


def _shown(figure: MetricResult) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.3f}" + (f" ± {figure.error:.3f}" if figure.error is not None else "")


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.oracle.placed", description=__doc__)
    parser.add_argument("steps", type=Path, help="Geant4's steps in the detector without gaps")
    parser.add_argument("reference", type=Path, help="hits of the same photons in the real one")
    parser.add_argument("--showers", type=int, default=500, help="number of showers")
    parser.add_argument("--detector", default="ild_siecal", help="the real detector")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        placement = load_placement(options.detector)
        reference = reference_cells(options.reference, placement, options.showers)
        rows = [
            _row(name, placed_cells(options.steps, design, placement, options.showers), reference)
            for name, design in DESIGNS.items()
        ]
    except CalozooError as error:
        sys.exit(str(error))
    groups = [group.replace("_", " ") for group in FEATURE_GROUPS]
    beside = [f"cells beside another, {band}" for band in ("40-80 mm", "beyond 80 mm")]
    text = table(("points", "all", *groups, "cells", *beside), rows)
    sys.stdout.write(f"{text}\n")
    if options.write is not None:
        write_block(options.write, "placed ceiling", text)


if __name__ == "__main__":
    main()
