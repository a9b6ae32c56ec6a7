"""Cost of placement relative to generation: `python -m studies.placement.cost MODEL`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import NamedTuple

# BLAS reads this when numpy is imported; use_threads sets torch.
os.environ["OMP_NUM_THREADS"] = "1"

from calozoo import api
from calozoo.generation.placement import HitPlacer
from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement, load_placement

__all__ = ["PlacementCost", "main", "measure_placement"]

ENERGIES_GEV = (10.0, 50.0, 100.0)
BATCH = 64


class PlacementCost(NamedTuple):
    """Times per shower at one incident energy, in ms, in batches of 64.

    Arguments:
        energy_gev: Incident energy.
        generation_ms: Time of generation.
        placement_ms: Time of placement, with the threshold and the sums of a run.
        percent: Placement over generation, the median of the rounds.
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
) -> list[PlacementCost]:
    """Times of generation and placement, measured in turn.

    Arguments:
        generator: The model.
        placement: The detector; primaries enter on lines from the interaction point.
        repeats: Rounds; each figure is the median of them.
        energies_gev: Incident energies.
    """
    costs = []
    for energy in energies_gev:
        rounds = [_timed(generator, placement, energy, seed) for seed in range(repeats + 1)]
        made, placed = zip(*rounds[1:], strict=True)  # without the warm-up
        ratio = median(p / m for m, p in rounds[1:])
        costs.append(
            PlacementCost(
                energy, 1e3 * median(made) / BATCH, 1e3 * median(placed) / BATCH, 100 * ratio
            )
        )
    return costs


def _timed(
    generator: Generator, placement: Placement, energy: float, seed: int
) -> tuple[float, float]:
    """Seconds to generate and to place a batch at normal incidence."""
    position, _ = placement.draw(BATCH, seed)
    incident = Incident([energy] * BATCH, (0.0, 0.0, 1.0), position=position)
    start = perf_counter()
    showers = generator.generate(incident, seed=seed, batch_size=BATCH)
    made = perf_counter()
    HitPlacer(placement).place(showers)
    return made - start, perf_counter() - made


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m studies.placement.cost", description=__doc__)
    parser.add_argument("model")
    parser.add_argument(
        "--detector", default="ild_siecal", help="detector that the showers are placed in"
    )
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
