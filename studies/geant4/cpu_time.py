"""CPU time of Geant4 per GeV, and Python's share of it: `python -m studies.geant4.cpu_time`.

Every timing runs in its own process, the variants in turn, so that a slower machine slows all of
them. Nothing else should run at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np

from calozoo_core.errors import CalozooError
from calozoo_core.incident import Incident
from calozoo_core.markdown import table, write_block
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.generator import Geant4

__all__ = ["report", "time_variants", "time_workers"]

ROOT = Path(__file__).parents[2]
DETECTORS = ("ild_siecal_regular", "ild_siecal", "par04_siw")

VARIANTS = (  # as in `single_timing`, which may be imported in a process of its own only
    "as it is",
    "nothing recorded",
    "an empty Python function called instead",
    "no field",
    "field integrated by interpolation",
    "chords ten times coarser, 2.5 mm",
    "scattering as part of transportation",
    "the same, several steps at once",
)
"""Variants timed in ild_siecal_regular; the first is the unchanged simulation."""

Timings = dict[tuple[str, str], list[float]]


def time_variants(n: int, repeats: int) -> tuple[Timings, dict[tuple[str, str], float]]:
    """CPU times per GeV of each detector and variant, and their recorded steps per GeV.

    Arguments:
        n: Photons of 20 GeV in each timing.
        repeats: Timings of each.

    Returns:
        CPU times per GeV in ms, one for each repeat, and steps per GeV, by (detector, variant).

    Raises:
        CalozooError: If Geant4's data sets are not found, or Geant4 stops.
    """
    runs = [(DETECTORS[0], variant) for variant in VARIANTS]
    runs += [(detector, VARIANTS[0]) for detector in DETECTORS[1:]]
    times: Timings = defaultdict(list)
    steps: dict[tuple[str, str], float] = {}
    environment = os.environ | data_environment()
    for _ in range(repeats):
        for run in runs:
            result = _run(*run, n, environment)
            times[run].append(result["ms_per_gev"])
            steps[run] = result["steps_per_gev"]
    return times, steps


def time_workers(n: int, energy_gev: float, repeats: int) -> dict[int, list[float]]:
    """Wall-clock times of n showers with one and with two workers, in s, without their start."""
    incident = Incident(np.full(n, energy_gev), (0, 0, 1))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers in seconds:
            with closing(Geant4(ILD_SIECAL_REGULAR, workers=workers)) as geant4:
                geant4.generate(energy=0.1, n=2)
                began = time.perf_counter()
                geant4.generate(incident, seed=1)
                seconds[workers].append(time.perf_counter() - began)
    return seconds


def report(
    times: Timings,
    steps: dict[tuple[str, str], float],
    seconds: dict[int, list[float]],
    workload: str,
) -> str:
    """The three tables in Markdown.

    Arguments:
        times: CPU times from `time_variants`.
        steps: Steps from `time_variants`.
        seconds: From `time_workers`.
        workload: The showers of the workers, for the header.
    """
    own = (DETECTORS[0], VARIANTS[0])
    costs = table(
        ("detector", "CPU time [ms/GeV]", "lowest", "recorded steps per GeV"),
        [
            (
                f"`{run[0]}`",
                f"{median(times[run]):.1f}",
                f"{min(times[run]):.1f}",
                f"{steps[run]:.0f}",
            )
            for run in times
            if run[1] == VARIANTS[0]
        ],
    )
    variants = table(
        ("`ild_siecal_regular`", "time / time as it is", "recorded steps per GeV"),
        [
            (run[1], f"{_ratio(times[run], times[own]):.2f}", f"{steps[run]:.0f}")
            for run in times
            if run[0] == DETECTORS[0]
        ],
    )
    one, two = median(seconds[1]), median(seconds[2])
    workers = table(
        (workload, "seconds", "faster by"),
        [("1 worker", f"{one:.1f}", ""), ("2 workers", f"{two:.1f}", f"{one / two:.2f}")],
    )
    return f"{costs}\n\n{variants}\n\n{workers}"


def main(arguments: list[str] | None = None) -> None:
    """Run all timings, print the tables, and write them into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.geant4.cpu_time", description=__doc__)
    parser.add_argument("--photons", type=int, default=4, help="of 20 GeV a timing; default 4")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each; default 5")
    parser.add_argument("--showers", type=int, default=200, help="for the workers; default 200")
    parser.add_argument("--energy", type=float, default=10.0, help="of these, in GeV; default 10")
    parser.add_argument("--write", type=Path, help="put the tables into this page, too")
    options = parser.parse_args(arguments)
    try:
        times, steps = time_variants(options.photons, options.repeats)
        seconds = time_workers(options.showers, options.energy, min(3, options.repeats))
        workload = f"{options.showers} photons of {options.energy:g} GeV"
        text = report(times, steps, seconds, workload)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "bench", text)
    except CalozooError as error:
        sys.exit(str(error))


def _ratio(times: list[float], own: list[float]) -> float:
    """Median ratio of timings made in turn."""
    return median(a / b for a, b in zip(times, own, strict=True))


def _run(detector: str, variant: str, n: int, environment: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "studies.geant4.single_timing"]
        done = subprocess.run(
            [*command, detector, variant, str(n), str(result)],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if not result.is_file():
            msg = f"Geant4 stopped with code {done.returncode} while it was timed."
            raise CalozooError(msg)
        found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
        return found


if __name__ == "__main__":
    main()
