"""Ways to take halos from the library: `python -m studies.oracle.halos REFERENCE.h5`.

Cores of a model are completed from the library in several ways and placed into the real detector;
boosted trees try to tell their cells from those of Geant4 there, for the same photons.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import calozoo
from calozoo.benchmark.fidelity import CellObservables
from calozoo_core.clumps import ShowersFromCore, load_library, load_table
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.io import ShowerFile
from calozoo_core.markdown import table, write_block
from calozoo_core.placement import Placement, load_placement
from calozoo_core.random import stream
from studies.oracle.placed import BATCH, SEED, figures_header, figures_row, reference_cells

__all__ = ["WAYS", "completed", "showers_from_core"]

RATIOS: Final = {
    "cells": "cells.occupancy",
    "width of centre x'": "cells.centre_x",
    "y'": "cells.centre_y",
}
"""Ratios beside the areas, by header."""

WAYS: Final[dict[str, dict[str, Any]]] = {
    # Showers of one lean are one shower, once the lean counts more than all else.
    "whole showers, one of the three nearest": {
        "candidates": 3,
        "shower_weight": 0.0,
        "lean_weight": 1e6,
    },
    "layers, of any lean": {"lean_weight": 0.0},
    "layers, of one lean": {},
}
"""Fields of the library's configuration, where they differ from what calozoo ships."""


def showers_from_core(detector: str, fields: dict[str, Any]) -> ShowersFromCore:
    """Sampler of whole showers that takes halos from the library in another way.

    Arguments:
        detector: Detector of the library and of the table.
        fields: Fields of the library's configuration that are changed.
    """
    library = load_library(detector)
    other = replace(library, config=library.config.model_copy(update=fields))
    return ShowersFromCore(other, load_table(detector))


def completed(
    reference: Path, model: CoreGenerator[Any], placement: Placement, n: int, fields: dict[str, Any]
) -> CellObservables:
    """Cells of a model's cores, completed from the library, for the primaries of a reference.

    Arguments:
        reference: File of showers in the real detector.
        model: Model of the core.
        placement: Real detector.
        n: Number of showers.
        fields: Fields of the library's configuration that are changed.

    Raises:
        ShowerFileError: If the file is missing or damaged.
    """
    core, showers = model.core_sampler(), showers_from_core(model.spec.detector, fields)
    cells = CellObservables(placement)
    with ShowerFile(reference) as file:
        for first in range(0, n, BATCH):
            incident = file.incident(slice(first, first + BATCH))
            streams = [stream(SEED, first + i, "halos") for i in range(len(incident))]
            cells.add(showers(core(incident, streams), incident, streams))
    return cells


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.oracle.halos", description=__doc__)
    parser.add_argument("reference", type=Path, help="hits of Geant4 in the real detector")
    parser.add_argument("--model", default="calodream", help="model of the core")
    parser.add_argument("--showers", type=int, default=3000, help="number of showers, by fifties")
    parser.add_argument("--detector", default="ild_siecal", help="the real detector")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        placement = load_placement(options.detector)
        model = calozoo.load(options.model)
        if not isinstance(model, CoreGenerator):
            msg = f"{options.model} draws no core of its own; calodream does."
            raise InputError(msg)
        with ShowerFile(options.reference) as file:
            n = min(options.showers, len(file)) // BATCH * BATCH
        theirs, ratios = reference_cells(options.reference, placement, n), tuple(RATIOS.values())
        rows = [
            figures_row(
                name, completed(options.reference, model, placement, n, fields), theirs, ratios
            )
            for name, fields in WAYS.items()
        ]
    except CalozooError as error:
        sys.exit(str(error))
    text = table(figures_header("halos of", tuple(RATIOS)), rows)
    sys.stdout.write(f"{text}\n")
    if options.write is not None:
        write_block(options.write, "halos", text)


if __name__ == "__main__":
    main()
