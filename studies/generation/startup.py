"""Start-up of commands from the shell: `python -m studies.generation.startup`.

Seconds to a file with one shower of 50 GeV, for every model whose weights are installed, and of
`calozoo list`, on one thread. Each is timed with an interpreter that does nothing before it, whose
seconds are subtracted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import calozoo
from calozoo.benchmark.memory import peak_mb
from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table, write_block

__all__ = ["commands", "main", "report", "seconds"]

ENERGY_GEV: Final = 50
REPEATS: Final = 3

WITHOUT_WEIGHTS: Final = "toy.ild-photon"

IN_TORCH: Final = "caloclouds3.ild-photon"
"""Model that is timed with its network in torch, too."""

_NOTHING: Final = [sys.executable, "-c", "pass"]


def commands(models: Sequence[str] = ()) -> dict[str, list[str]]:
    """Arguments of `calozoo` by the row that they belong to.

    Arguments:
        models: Names of models; by default the toy, and all whose weights are installed.
    """
    names = list(models) or [
        one.name for one in calozoo.list_models() if one.weights or one.name == WITHOUT_WEIGHTS
    ]
    rows = {"`calozoo list`": ["list"]} | {f"`{name}`": _generate(name) for name in names}
    if IN_TORCH in names:
        rows[f"`{IN_TORCH} --runtime torch`"] = [*_generate(IN_TORCH), "--runtime", "torch"]
    return rows


def seconds(rows: Mapping[str, Sequence[str]], repeats: int = REPEATS) -> dict[str, float]:
    """Seconds of commands beyond those of the interpreter, in turn; medians.

    Arguments:
        rows: From `commands`.
        repeats: Timings of each, after one that brings its files into the disk cache.

    Raises:
        CalozooError: If a command fails.
    """
    taken: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(repeats + 1):
        for name, arguments in rows.items():
            nothing = _seconds(_NOTHING)
            taken[name].append(_of_calozoo(arguments) - nothing)
    return {name: median(own[1:]) for name, own in taken.items()}


def report(found: Mapping[str, float]) -> str:
    """Table in Markdown.

    Arguments:
        found: From `seconds`.
    """
    return table(
        ("one shower of", "start-up [s]"), [(name, f"{s:.2f}") for name, s in found.items()]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.startup", description=__doc__
    )
    parser.add_argument("models", nargs="*", help="default: all whose weights are installed")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"default {REPEATS}")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        text = report(seconds(commands(options.models), options.repeats))
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "startup", text)
    except CalozooError as error:
        sys.exit(str(error))


def _generate(model: str) -> list[str]:
    arguments = ["generate", "--quiet", "--offline", "--threads", "1", "--model", model]
    return [*arguments, "--energy", str(ENERGY_GEV), "-n", "1"]


def _of_calozoo(arguments: Sequence[str]) -> float:
    command = [sys.executable, "-m", "calozoo", *arguments]
    if arguments[0] != "generate":
        return _seconds(command)
    with tempfile.TemporaryDirectory() as folder:
        return _seconds([*command, "--out", str(Path(folder) / "showers.h5")])


def _seconds(command: list[str]) -> float:
    began = perf_counter()
    peak_mb(command)
    return perf_counter() - began


if __name__ == "__main__":
    main()
