"""Overhead of the plugin over a bare loop of Geant4: `python -m studies.geant4.overhead`.

The same photons in all arms, one arm after the other in each round, so that a slower machine slows
all of them. Nothing else should run at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from calozoo_core.errors import CalozooError
from calozoo_core.incident import Incident
from calozoo_core.markdown import table, write_block
from calozoo_core.random import stream
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.generator import Geant4

__all__ = ["main", "measure", "report"]

ROOT = Path(__file__).parents[2]
ENERGY_GEV = 20.0

BARE, RECORDED, PLUGIN = "a bare loop, nothing recorded", "a loop that records", "the plugin"
TWO_BARE, TWO_WORKERS = "two bare loops at once, half the photons each", "the plugin, two workers"
ARMS = (BARE, RECORDED, PLUGIN, TWO_BARE, TWO_WORKERS)


def measure(n: int, rounds: int) -> dict[str, list[float]]:
    """Wall-clock times of n photons of 20 GeV, in s, one for each round, by arm.

    Arguments:
        n: Photons of a round, the same in all arms.
        rounds: Number of rounds.

    Raises:
        CalozooError: If Geant4's data sets are not found, or Geant4 stops.
    """
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    with ExitStack() as stack:
        one, other = (stack.enter_context(_loop()) for _ in range(2))
        workers = {
            count: stack.enter_context(closing(Geant4(ILD_SIECAL_REGULAR, workers=count)))
            for count in (1, 2)
        }
        for geant4 in workers.values():
            geant4.generate(energy=0.1, n=2)  # starts the workers
        for number in range(rounds):
            seeds = _seeds(number, n)
            halves = {one: seeds[::2], other: seeds[1::2]}
            seconds[BARE].append(one.seconds(seeds, is_recorded=False))
            seconds[RECORDED].append(one.seconds(seeds, is_recorded=True))
            seconds[PLUGIN].append(_generated(workers[1], number, n))
            seconds[TWO_BARE].append(_at_once(halves))
            seconds[TWO_WORKERS].append(_generated(workers[2], number, n))
    return seconds


def report(seconds: dict[str, list[float]], workload: str) -> str:
    """The table in Markdown.

    Arguments:
        seconds: From `measure`.
        workload: The photons of a round, for the header.
    """
    bare, one = seconds[BARE], seconds[PLUGIN]
    rows = []
    for arm, own in seconds.items():
        reference = {TWO_BARE: bare, TWO_WORKERS: one}.get(arm)
        faster = "" if reference is None else f"{_ratio(reference, own):.2f}"
        more = (
            ""
            if reference is not None or arm == BARE
            else f"{100 * (_ratio(own, bare) - 1):+.0f} %"
        )
        rows.append((arm, f"{median(own):.2f}", more, faster))
    return table((workload, "seconds", "more than the bare loop", "faster by"), rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.geant4.overhead", description=__doc__)
    parser.add_argument("--photons", type=int, default=16, help="of 20 GeV a round; default 16")
    parser.add_argument("--rounds", type=int, default=9, help="default 9")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        seconds = measure(options.photons, options.rounds)
        text = report(seconds, f"{options.photons} photons of {ENERGY_GEV:g} GeV")
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "overhead", text)
    except CalozooError as error:
        sys.exit(str(error))


class _Loop:
    """Process with `single_loop`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.answer()

    def ask(self, seeds: Sequence[int], *, is_recorded: bool) -> None:
        """Let it simulate photons with these seeds."""
        assert self._process.stdin
        print(json.dumps((is_recorded, ENERGY_GEV, seeds)), file=self._process.stdin, flush=True)

    def answer(self) -> str:
        """Its next answer; other lines are Geant4's."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("seconds "):
                return line.split()[1]
        msg = f"Geant4 stopped with code {self._process.wait()} while it was timed."
        raise CalozooError(msg)

    def seconds(self, seeds: Sequence[int], *, is_recorded: bool) -> float:
        """Seconds that photons with these seeds take."""
        self.ask(seeds, is_recorded=is_recorded)
        return float(self.answer())


@contextmanager
def _loop() -> Iterator[_Loop]:
    with subprocess.Popen(
        [sys.executable, "-m", "studies.geant4.single_loop"],
        env=os.environ | data_environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield _Loop(process)
        finally:
            process.kill()  # Geant4's own clean-up may crash


def _at_once(seeds: dict[_Loop, list[int]]) -> float:
    """Seconds until the last of several loops has done its own photons."""

    def work() -> None:
        for loop, own in seeds.items():
            loop.ask(own, is_recorded=False)
        for loop in seeds:
            loop.answer()

    return _timed(work)


def _generated(geant4: Geant4, seed: int, n: int) -> float:
    incident = Incident(np.full(n, ENERGY_GEV), (0, 0, 1))
    return _timed(lambda: geant4.generate(incident, seed=seed, batch_size=n))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _seeds(seed: int, n: int) -> list[int]:
    """Seeds that the plugin gives Geant4 for the first photons of a sample."""
    return [int(stream(seed, i, "geant4").integers(1, 2**63 - 1)) for i in range(n)]


def _ratio(times: list[float], own: list[float]) -> float:
    """Median ratio of timings made in turn."""
    return median(a / b for a, b in zip(times, own, strict=True))


if __name__ == "__main__":
    main()
