"""Library of halos from showers: `python -m studies.clumps.make_library FOLDER FILE...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from calozoo_core.clumps import HaloLibrary
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.clumps.training import drawn_showers
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.weights import sha256

__all__ = ["main", "whole_files"]

MERGED_TO: Final = "x25"
"""Representation that steps are merged to, as the training showers are."""

GRID_SEED: Final = 0

BLOCK: Final = 100
"""Showers that are merged together, since steps need six times the memory of what is kept."""


def whole_files(paths: Sequence[Path]) -> tuple[list[Showers], list[ShowerSource]]:
    """Showers of files of steps, merged, and where they come from.

    Arguments:
        paths: Native shower files.

    Raises:
        ShowerFileError: If a file is missing or damaged.
        InputError: If the showers are coarser than what they are merged to.
    """
    parts, sources = [], []
    for path in paths:
        with ShowerFile(path) as file:
            merge = Representation.named(MERGED_TO, load_detector(file.detector).cell_mm)
            n, seed = len(file), file.seed
            for first in range(0, n, BLOCK):
                merged = merge(file[first : first + BLOCK], GRID_SEED, first)
                parts.append(replace(merged, time=None))  # training showers have none
        sources.append(
            ShowerSource(file=path.name, sha256=sha256(path), seed=seed, rows=tuple(range(n)))
        )
    return parts, sources


def main(arguments: list[str] | None = None) -> None:
    """Write the library."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.clumps.make_library", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="where config.json and model.safetensors go")
    parser.add_argument("files", type=Path, nargs="+", help="files of training showers")
    parser.add_argument("--showers", type=int, default=8000, help="showers of all files")
    parser.add_argument("--seed", type=int, default=1, help="chooses the showers")
    parser.add_argument(
        "--steps",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files of Geant4's steps, of which all showers are taken besides",
    )
    options = parser.parse_args(arguments)
    try:
        drawn, sources = drawn_showers(options.files, options.showers, options.seed)
        parts, others = whole_files(options.steps)
        showers = Showers.concatenate([drawn, *parts])
        library = HaloLibrary.from_showers(showers, sources=(*sources, *others))
        library.write(options.folder)
    except CalozooError as error:
        sys.exit(str(error))
    config = library.config
    sys.stderr.write(f"{options.folder}: {config.n_showers} showers, {config.n_entries} entries\n")


if __name__ == "__main__":
    main()
