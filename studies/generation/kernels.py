"""Times of generation with compiled kernels and without: `python -m studies.generation.kernels`.

Both in one process, in turn, on one thread: photons of 10 to 100 GeV, alone and in batches of 64.
Of the batches, showers of the same seed are compared as sets of points.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

import calozoo
from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.kernels import numpy_only, use_compiled
from calozoo_core.markdown import table, write_block
from calozoo_core.typing import FloatArray
from studies.same_seed.points import difference

__all__ = ["main", "report", "same_showers", "times"]

NAMES = ("caloinn", "caloclouds3", "3dgan", "convl2lflows", "calodream", "calodiffusion")
MODELS = tuple(f"{name}.ild-photon-clumps" for name in (*NAMES, "caloqvae", "caloscore"))
BATCH = 64
REPEATS = 5
_BY = ("numpy", "compiled")


def times(generator: Generator, repeats: int = REPEATS) -> list[float]:
    """Milliseconds a shower: alone in numpy and compiled, then in batches.

    Arguments:
        generator: Model of photons.
        repeats: Pairs that the median is taken of.
    """
    energies = _energies()

    def alone(seed: int) -> None:
        for energy in energies[:8]:
            generator.generate(energy=float(energy), n=1, seed=seed)

    def together(seed: int) -> None:
        generator.generate(energy=energies, seed=seed, batch_size=BATCH)

    return [*_pair(alone, 8, repeats), *_pair(together, BATCH, repeats)]


def same_showers(generator: Generator) -> int:
    """Showers of a batch of one seed that have the same points with kernels and without.

    Arguments:
        generator: Model of photons.
    """
    compiled = generator.generate(energy=_energies(), seed=0, batch_size=BATCH)
    with numpy_only():
        plain = generator.generate(energy=_energies(), seed=0, batch_size=BATCH)
    return difference(plain, compiled).n_same


def report(measured: dict[str, tuple[list[float], int]]) -> str:
    """Table in Markdown.

    Arguments:
        measured: From `times` and `same_showers`, by model.
    """
    header = ("model", *(f"{how}, {by} [ms]" for how in ("alone", "64") for by in _BY))
    rows = [
        (f"`{name}`", *(f"{ms:.3g}" for ms in own), f"{same} of {BATCH}")
        for name, (own, same) in measured.items()
    ]
    return table((*header, "the same points in both"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.kernels", description=__doc__
    )
    parser.add_argument("models", nargs="*", help="default: all of photons on clumps")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    if not use_compiled():
        sys.exit("There are no compiled kernels here; `calozoo doctor` says why.")
    try:
        use_threads(1)  # kernels are switched off for a thread, not for those that it starts
        measured = {}
        for name in options.models or MODELS:
            generator = calozoo.load(name)
            measured[name] = times(generator), same_showers(generator)
        text = report(measured)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "kernels", text)
    except CalozooError as error:
        sys.exit(str(error))


def _energies() -> FloatArray:
    return np.random.default_rng(1).uniform(10, 100, BATCH)


def _pair(run: Callable[[int], None], showers: int, repeats: int) -> list[float]:
    taken: dict[str, list[float]] = {by: [] for by in _BY}
    for seed in range(repeats + 1):
        for by, own in taken.items():
            with numpy_only() if by == "numpy" else nullcontext():
                start = perf_counter()
                run(seed)
                own.append(1000 * (perf_counter() - start) / showers)
    return [median(own[1:]) for own in taken.values()]  # the first warms up


if __name__ == "__main__":
    main()
