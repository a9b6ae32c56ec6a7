"""Table of clumps from fine showers: `python -m studies.clumps.make_table FOLDER FILE...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from calozoo_core.clumps import ClumpTable
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.weights import sha256

__all__ = ["made_from", "main"]

_GRID_SEED = 0


def made_from(paths: list[Path], each: int, representation: str) -> ClumpTable:
    """Table of `each` showers of every file, evenly spaced in the order of their energies.

    Arguments:
        paths: Shower files.
        each: Number of showers.
        representation: What their points are merged to.

    Raises:
        ShowerFileError: If a file cannot be read.
        InputError: If a ring of the mesh holds nothing in any shower, or the showers are coarser.
    """
    parts, sources = [], []
    for path in paths:
        with ShowerFile(path) as file:
            order = np.argsort(file.incident().energy, kind="stable")
            rows = np.sort(order[np.linspace(0, len(order) - 1, min(each, len(order))).astype(int)])
            merge = Representation.named(representation, load_detector(file.detector).cell_mm)
            # Shower by shower, since steps need six times the memory of what is kept.
            parts += [merge(file[row : row + 1], _GRID_SEED, row) for row in rows.tolist()]
            seed = file.seed
        sources.append(
            ShowerSource(file=path.name, sha256=sha256(path), seed=seed, rows=tuple(rows.tolist()))
        )
    return ClumpTable.from_showers(Showers.concatenate(parts), sources=tuple(sources))


def main(arguments: list[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.clumps.make_table", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="where config.json and model.safetensors go")
    parser.add_argument("files", type=Path, nargs="+", help="files of showers, at least as fine")
    parser.add_argument("--each", type=int, default=220, help="showers of each file")
    parser.add_argument("--representation", default="x225", help="what points are merged to")
    options = parser.parse_args(arguments)
    try:
        table = made_from(options.files, options.each, options.representation)
        table.write(options.folder)
    except CalozooError as error:
        sys.exit(str(error))
    config = table.config
    counts = f"{config.n_patches} patches, {config.n_points} points"
    sys.stderr.write(f"{options.folder}: {counts}\n")


if __name__ == "__main__":
    main()
