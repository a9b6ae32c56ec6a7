"""Ceiling of designs: `python -m studies.oracle.ceiling TRUTH.h5 REFERENCE.h5`.

Geant4's showers are redrawn as a perfect model of a design would draw them, and boosted trees try
to tell them from other showers of Geant4. No training brings a model of that design closer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.frames import axis_offsets, perpendicular_positions, perpendicular_to_local
from calozoo_core.io import read_showers, write_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import CLASSIFIER, classifier_floors
from calozoo_core.metrics.comparison import compare_classifier
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.observables.cell_features import FEATURE_GROUPS
from calozoo_core.random import stream
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_core.weights import sha256

__all__ = [
    "DESIGNS",
    "Ceiling",
    "accumulated",
    "ceiling",
    "ceiling_header",
    "ceiling_row",
    "filled_voxels",
    "merged_like",
    "points_in_rings",
    "points_in_voxels",
]


def points_in_rings(showers: Showers, seed: int) -> Showers:
    """Independent points: each is turned about the axis by an angle of its own."""
    return _turned(showers, [stream(seed, i, "oracle") for i in range(len(showers))])


def points_in_voxels(showers: Showers, seed: int) -> Showers:
    """Independent points in voxels: each is turned to anywhere in its sector."""
    mesh = load_table(showers.detector).config.mesh
    x, y = perpendicular_positions(showers, load_detector(showers.detector))
    cell = mesh.cell(x, y)
    width = 2 * np.pi / np.array(mesh.sectors)[mesh.ring[cell]]
    inside = np.arctan2(y, x) - mesh.sector[cell] * width
    return _turned(
        showers, [stream(seed, i, "oracle") for i in range(len(showers))], width, -inside
    )


def filled_voxels(showers: Showers, seed: int) -> Showers:
    """True energies of voxels, filled from the table of clumps of other showers."""
    table = load_table(showers.detector)
    energies = voxel_energies(showers, table.config.mesh, table.config.linking)
    streams = [stream(seed, i, "clumps") for i in range(len(showers))]
    return fill(energies, showers.incident, table, streams)


DESIGNS: Final[dict[str, Callable[[Showers, int], Showers]]] = {
    "independent points in rings": points_in_rings,
    "independent points in voxels": points_in_voxels,
    "voxels filled from the table of clumps": filled_voxels,
}
"""Designs by name; what a design draws is true, and the rest is drawn from a table or at random."""


def _turned(
    showers: Showers,
    streams: list[np.random.Generator],
    width: FloatArray | float = 2 * np.pi,
    start: FloatArray | float = 0.0,
) -> Showers:
    """Showers whose points are turned about the axis by `start` and up to `width` more."""
    detector = load_detector(showers.detector)
    uniform = [random.random(n) for random, n in zip(streams, showers.n_points, strict=True)]
    angle = start + width * np.concatenate(uniform)
    x, y = perpendicular_positions(showers, detector)
    turned = np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    )
    matrix = perpendicular_to_local(showers.incident.direction)[showers.shower_index]
    local = np.einsum("pij,jp->ip", matrix, turned) + np.stack(axis_offsets(showers, detector))
    return replace(showers, x=local[0].astype(np.float32), y=local[1].astype(np.float32), time=None)


SEED: Final = 1
MERGING_SEED: Final = 2
"""Of the squares of merged points; with `SEED` they would lie in the cells."""

ENERGIES_GEV: Final = ((1, 20), (20, 80), (80, 127))
RATIOS: Final = ("cells.centre_x", "cells.centre_y", "cells.hot_1e-3")


class Ceiling(NamedTuple):
    """Figures of merit of one design.

    Arguments:
        areas: AUC against other showers, of all features and of each group.
        cells: Cells over those of the showers it was made of, in `ENERGIES_GEV`.
        ratios: Widths and hot cells over those of the showers it was made of, as in `RATIOS`.
    """

    areas: dict[str, MetricResult]
    cells: tuple[MetricResult, ...]
    ratios: tuple[MetricResult, ...]


def ceiling(
    drawn: Showers,
    truth: Showers,
    reference: ObservableAccumulator,
    floors: Mapping[str, float] | None = None,
) -> Ceiling:
    """Figures of merit of showers redrawn from true ones.

    Arguments:
        drawn: Showers as a perfect model of a design draws them.
        truth: Showers they were made of, and share with them what the design keeps.
        reference: Other showers, to tell them from.
        floors: Of the reference, from `classifier_floors`; None to find them.
    """
    drawn = merged_like(drawn, truth)
    mine, theirs = accumulated(drawn), accumulated(truth)
    areas = compare_classifier(mine, reference, seed=SEED, floors=floors)
    energy = truth.incident.energy
    inside = [(energy >= low) & (energy < high) for low, high in ENERGIES_GEV]
    return Ceiling(
        {figure.name.removeprefix(CLASSIFIER).removeprefix("."): figure for figure in areas},
        tuple(_ratios(drawn[chosen], truth[chosen])["cells.occupancy"] for chosen in inside),
        tuple(figures[name] for figures in [_by_name(mine, theirs)] for name in RATIOS),
    )


def merged_like(drawn: Showers, truth: Showers) -> Showers:
    """Showers whose points are merged to those of others, so that their cells can be compared.

    A point carries all the energy of its square into one cell, whatever the borders: the coarser
    the points, the fewer small cells. Squares do not lie in the cells here, as those of the true
    showers do not.

    Arguments:
        drawn: Showers of any points, as fine as the others' or finer.
        truth: The others.

    Raises:
        InputError: If the points are coarser.
    """
    cell = load_detector(drawn.detector).cell_mm
    return Representation.named(truth.representation, cell)(drawn, MERGING_SEED)


def accumulated(showers: Showers) -> ObservableAccumulator:
    """Observables of showers."""
    accumulator = ObservableAccumulator(showers.detector, seed=SEED)
    accumulator.add(showers)
    return accumulator


def _ratios(drawn: Showers, truth: Showers) -> dict[str, MetricResult]:
    return _by_name(accumulated(drawn), accumulated(truth))


def _by_name(mine: ObservableAccumulator, theirs: ObservableAccumulator) -> dict[str, MetricResult]:
    return {figure.name: figure for figure in ratio_figures(mine, theirs)}


def _check_not_in_table(path: Path, detector: str) -> None:
    """Refuse a file whose showers the table of clumps was made of: they would be found again."""
    sources = load_table(detector).config.sources
    if sha256(path) in {source.sha256 for source in sources}:
        msg = f"The table of clumps was made of showers of {path}; take another file."
        raise InputError(msg)


def ceiling_header(first: str) -> tuple[str, ...]:
    """Header of a table of figures of merit.

    Arguments:
        first: Header of its first column.
    """
    ranges = " / ".join(f"{low}-{high}" for low, high in ENERGIES_GEV)
    groups = (group.replace("_", " ") for group in FEATURE_GROUPS)
    return (
        first,
        "all",
        *groups,
        f"cells, {ranges} GeV",
        "width of centre x'",
        "y'",
        "hot cells, 1e-3",
    )


def ceiling_row(name: str, result: Ceiling) -> tuple[str, ...]:
    """Row of a table of figures of merit."""
    areas = [result.areas[group] for group in ("", *FEATURE_GROUPS)]
    ratios = [_shown(figure, 2) for figure in result.ratios]
    return name, *map(_area, areas), " / ".join(_shown(one, 3) for one in result.cells), *ratios


def _area(figure: MetricResult) -> str:
    if figure.value is None or figure.error is None:
        return "-"
    return f"{figure.value:.3f} ± {figure.error:.3f}"


def _shown(figure: MetricResult, digits: int) -> str:
    return "-" if figure.value is None else f"{figure.value:.{digits}f}"


def main(arguments: list[str] | None = None) -> None:
    """Print the ceilings, and write the showers that were redrawn."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.oracle.ceiling", description="Ceilings of designs."
    )
    parser.add_argument("truth", type=Path, help="x25 showers of Geant4 to redraw")
    parser.add_argument("reference", type=Path, help="others, to tell them from")
    parser.add_argument("--showers", type=int, default=800, help="of each file")
    parser.add_argument("--design", action="append", choices=DESIGNS, help="only these designs")
    parser.add_argument("--out", type=Path, help="write the last design's showers to this file")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    if options.out is not None and options.out.exists():
        parser.error(f"{options.out} is already there; remove it or choose another name.")
    try:
        truth, others = (
            read_showers(path, slice(0, options.showers))
            for path in (options.truth, options.reference)
        )
        for path in (options.truth, options.reference):
            _check_not_in_table(path, truth.detector)
        reference = accumulated(others)
        floors = classifier_floors(reference, seed=SEED)
        rows, drawn, name = (
            [ceiling_row("Geant4", ceiling(truth, truth, reference, floors))],
            truth,
            "",
        )
        for name in options.design or DESIGNS:
            drawn = DESIGNS[name](truth, SEED)
            rows.append(ceiling_row(name, ceiling(drawn, truth, reference, floors)))
        text = table(ceiling_header("true is"), rows)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "ceiling", text)
        if options.out is not None:
            write_showers(options.out, drawn, generator=f"oracle: {name}", seed=SEED)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
