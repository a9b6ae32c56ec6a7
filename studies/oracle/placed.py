"""Ceiling in the real detector: `python -m studies.oracle.placed STEPS.h5 REFERENCE.h5`.

Geant4's steps of a detector without gaps are merged, or redrawn as a perfect model draws them, and
placed into the real one; boosted trees try to tell their cells from those of Geant4 in the real
detector, for the same photons. It shows how fine the points of a model have to be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from calozoo.benchmark.fidelity import CellObservables, FileReference
from calozoo_core.clumps import (
    ShowersFromCore,
    fill,
    load_library,
    load_table,
    voxel_energies,
)
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import CLASSIFIER
from calozoo_core.metrics.comparison import compare_classifier
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables.cell_features import FEATURE_GROUPS
from calozoo_core.placement import Placement, load_placement
from calozoo_core.random import stream
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from studies.clumps.make_library import MERGED_TO

__all__ = [
    "BATCH",
    "DESIGNS",
    "SEED",
    "completed",
    "figures_header",
    "figures_row",
    "placed",
    "reference_cells",
    "true_cores",
]

SEED: Final = 1
BATCH: Final = 50
RATIOS: Final = {
    "cells": "cells.occupancy",
    "cells beside another, 40-80 mm": "cells.neighbour_adjacent@40-80mm",
    "cells beside another, beyond 80 mm": "cells.neighbour_adjacent@80+mm",
}
"""Ratios beside the areas, by header."""


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
    points = merged(MERGED_TO)(showers, first)
    energies = voxel_energies(points, clumps.config.mesh, clumps.config.linking)
    streams = [stream(SEED, first + i, "clumps") for i in range(len(showers))]
    return fill(energies, showers.incident, clumps, streams)


def true_cores(showers: Showers, first: int) -> Float32Array:
    """Energies of the rings of the core of Geant4's steps, in MeV, shape (n, n_layers, rings)."""
    config = load_library(showers.detector).config
    points = merged(MERGED_TO)(showers, first)
    voxels = voxel_energies(points, config.mesh, config.linking)
    return config.mesh.ring_energies(voxels)[:, :, : config.core_rings]


def completed(showers: Showers, first: int) -> Showers:
    """True cores; halo and azimuth from the library, points from the table of clumps."""
    streams = [stream(SEED, first + i, "clumps") for i in range(len(showers))]
    complete = ShowersFromCore.of(showers.detector)
    return complete(true_cores(showers, first), showers.incident, streams)


DESIGNS: Final[dict[str, Callable[[Showers, int], Showers]]] = {
    **{name: merged(name) for name in ("steps", "x225", "x100", "x25", "x9")},
    "voxels filled from the table of clumps": filled,
    "true cores, halos of the library": completed,
}


def placed(
    path: Path, design: Callable[[Showers, int], Showers], placement: Placement, n: int
) -> CellObservables:
    """Cells of the first showers of a file, redrawn and placed.

    Raises:
        ShowerFileError: If the file is missing or damaged.
        InputError: If its showers do not say where they enter.
    """
    cells = CellObservables(placement)
    with ShowerFile(path) as file:
        for first in range(0, min(n, len(file)), BATCH):
            cells.add(design(file[first : min(first + BATCH, n)], first))
    return cells


def reference_cells(path: Path, placement: Placement, n: int) -> CellObservables:
    """Cells of the first showers of a file with hits in the real detector.

    Arguments:
        path: File with hits.
        placement: The real detector.
        n: Number of showers, a multiple of 50.

    Raises:
        ShowerFileError: If the file is missing or damaged.
        InputError: If it does not say where showers enter.
    """
    cells = CellObservables(placement)
    for showers, hits in islice(FileReference(path, placement).batches(BATCH), n // BATCH):
        cells.add(showers, hits)
    return cells


def figures_row(
    name: str, cells: CellObservables, reference: CellObservables, ratios: Sequence[str]
) -> list[str]:
    """Row of a table: AUC of all features and of each group, and ratios to the reference.

    Arguments:
        name: First cell of the row.
        cells: Cells of placed showers.
        reference: Cells of Geant4's.
        ratios: Names of the ratios.
    """
    areas = {
        figure.name.removeprefix(CLASSIFIER).removeprefix("."): figure
        for figure in compare_classifier(
            cells.accumulator, reference.accumulator, seed=SEED, floors=reference.classifier_floors
        )
    }
    found = {
        figure.name: figure for figure in ratio_figures(cells.accumulator, reference.accumulator)
    }
    figures = [areas[group] for group in ("", *FEATURE_GROUPS)] + [found[ratio] for ratio in ratios]
    return [name, *map(_shown, figures)]


def figures_header(first: str, ratios: Sequence[str]) -> tuple[str, ...]:
    """Header of a table of `figures_row`.

    Arguments:
        first: Header of its first column.
        ratios: Headers of the ratios.
    """
    return (first, "all", *(group.replace("_", " ") for group in FEATURE_GROUPS), *ratios)


def _shown(figure: MetricResult) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.3f}" + (f" ± {figure.error:.3f}" if figure.error is not None else "")


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.oracle.placed", description=__doc__)
    parser.add_argument("steps", type=Path, help="Geant4's steps in the detector without gaps")
    parser.add_argument("reference", type=Path, help="hits of the same photons in the real one")
    parser.add_argument("--showers", type=int, default=500, help="number of showers, by fifties")
    parser.add_argument("--detector", default="ild_siecal", help="the real detector")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        placement = load_placement(options.detector)
        with ShowerFile(options.steps) as steps:
            n = min(options.showers, len(steps))
        reference = reference_cells(options.reference, placement, n)
        ratios = tuple(RATIOS.values())
        rows = [
            figures_row(name, placed(options.steps, design, placement, n), reference, ratios)
            for name, design in DESIGNS.items()
        ]
    except CalozooError as error:
        sys.exit(str(error))
    text = table(figures_header("points", tuple(RATIOS)), rows)
    sys.stdout.write(f"{text}\n")
    if options.write is not None:
        write_block(options.write, "placed ceiling", text)


if __name__ == "__main__":
    main()
