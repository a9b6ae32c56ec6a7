"""Cost of placement beside generation: `python -m calozoo.benchmark.placement_cost MODEL`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import NamedTuple

# The linear algebra behind numpy reads this once, when it is imported; torch is told by itself.
os.environ["OMP_NUM_THREADS"] = "1"

from calozoo import api
from calozoo.generation.hit_placement import Placer
from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement, load_placement

__all__ = ["Cost", "main", "measure_placement"]

ENERGIES_GEV = (10.0, 50.0, 100.0)
BATCH = 64


class Cost(NamedTuple):
    """What a shower of one energy costs, in milliseconds, in batches of 64.

    Arguments:
        energy_gev: Incident energy.
        generation_ms: Making it.
        placement_ms: Putting it into a detector, with the threshold and the sums of a run.
        percent: The second over the first, as the median of the rounds.
    """

    energy_gev: float
    generation_ms: float
    placement_ms: float
    percent: float


def measure_placement(
    generator: Generator,
    placement: Placement,
    *,
    repeats: int = 15,
    energies_gev: Sequence[float] = ENERGIES_GEV,
) -> list[Cost]:
    """Time both in turn, round after round, so that whatever else runs falls on both.

    Arguments:
        generator: The model.
        placement: The detector; primaries enter where lines from the interaction point do.
        repeats: Rounds; each figure is the median of them.
        energies_gev: Incident energies.
    """
    costs = []
    for energy in energies_gev:
        rounds = [_timed(generator, placement, energy, seed) for seed in range(repeats + 1)]
        made, placed = zip(*rounds[1:], strict=True)  # the first warms up
        ratio = median(p / m for m, p in rounds[1:])
        costs.append(
            Cost(energy, 1e3 * median(made) / BATCH, 1e3 * median(placed) / BATCH, 100 * ratio)
        )
    return costs


def _timed(
    generator: Generator, placement: Placement, energy: float, seed: int
) -> tuple[float, float]:
    """Seconds to make a batch straight in, and to place it."""
    position, _ = placement.draw(BATCH, seed)
    incident = Incident([energy] * BATCH, (0.0, 0.0, 1.0), position=position)
    start = perf_counter()
    showers = generator.generate(incident, seed=seed, batch_size=BATCH)
    made = perf_counter()
    Placer(placement).place(showers)
    return made - start, perf_counter() - made


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m calozoo.benchmark.placement_cost", description=__doc__
    )
    parser.add_argument("model")
    parser.add_argument("--detector", default="ild_siecal", help="where the showers are put")
    parser.add_argument("--repeats", type=int, default=15, help="rounds of the timing")
    options = parser.parse_args(arguments)
    use_threads(1)
    try:
        generator = api.load(options.model, offline=True)
        placement = load_placement(options.detector)
        costs = measure_placement(generator, placement, repeats=options.repeats)
    except CalozooError as error:
        print(f"calozoo: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    lines = ["energy [GeV]  generation [ms]  placement [ms]  ratio [%]"]
    lines += [
        f"{c.energy_gev:12g}  {c.generation_ms:15.3f}  {c.placement_ms:14.3f}  {c.percent:9.1f}"
        for c in costs
    ]
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
