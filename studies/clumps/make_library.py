"""Library of halos from showers: `python -m studies.clumps.make_library FOLDER FILE...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from calozoo_core.clumps import HaloLibrary
from calozoo_core.clumps.training import drawn_showers
from calozoo_core.errors import CalozooError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Write the library."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.clumps.make_library", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="where config.json and model.safetensors go")
    parser.add_argument("files", type=Path, nargs="+", help="files of training showers")
    parser.add_argument("--showers", type=int, default=8000, help="showers of all files")
    parser.add_argument("--seed", type=int, default=1, help="chooses the showers")
    options = parser.parse_args(arguments)
    try:
        showers, sources = drawn_showers(options.files, options.showers, options.seed)
        library = HaloLibrary.from_showers(showers, sources=sources)
        library.write(options.folder)
    except CalozooError as error:
        sys.exit(str(error))
    config = library.config
    sys.stderr.write(f"{options.folder}: {config.n_showers} showers, {config.n_entries} entries\n")


if __name__ == "__main__":
    main()
