"""Speed: seconds per shower of models and of full Geant4 in turn, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from calozoo.benchmark.measurements import EnergyTimes, Timing
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Precision
from calozoo_core.strict_model import StrictModel

if TYPE_CHECKING:
    from calozoo_core.generator import Generator
    from calozoo_core.incident import Incident
    from calozoo_core.placement import Placement

__all__ = [
    "BUSY",
    "TimedModel",
    "TimingRequest",
    "load_average",
    "measure_speed",
    "measure_speed_in_process",
]

BUSY: Final = 0.5
"""Load average above which times cannot be trusted."""

BATCH: Final = 64
MOST_SINGLES: Final = 5
LONGEST_BATCH_S: Final = 4.0
LONGEST_SINGLES_S: Final = 0.5

Seconds = tuple[float, float, float, float]
"""Per shower: alone, in a batch, alone and placed, in a batch and placed."""


class TimedModel(StrictModel):
    """Model of a timing.

    Arguments:
        model: Name of the model.
        precision: Precision of its arithmetic; None for the model's own choice.
        weights: Folder of its weights; None for where the catalogue finds them.
    """

    model: str
    precision: Precision | None = None
    weights: Path | None = None


class TimingRequest(StrictModel):
    """Request of a timing.

    Arguments:
        models: The models.
        geant4: Name of the Geant4 to time with them; None to do without.
        detector: Detector that showers are placed into.
        energies_gev: Incident energies.
        threads: Threads that models may use.
        rounds: How often everything is timed.
        seed: Seed of the incident particles and the showers.
        extrapolate: Go beyond the conditions a model was trained on.
    """

    models: tuple[TimedModel, ...]
    geant4: str | None
    detector: str
    energies_gev: tuple[float, ...]
    threads: int
    rounds: int
    seed: int
    extrapolate: bool = False


def measure_speed(
    request: TimingRequest, on_round: Callable[[], None] = lambda: None
) -> tuple[Timing, ...]:
    """Time models and Geant4 in turn, round after round, in this process.

    A round makes every energy once with each of them, from the same incident particles, so that
    other load on the machine falls on all. Start-up is not counted: all have made showers before
    the first round. A model that needs seconds for a shower gets smaller batches.

    Arguments:
        request: The models, energies and rounds.
        on_round: Called after each energy of each round.

    Returns:
        A Timing for each model, in their order.

    Raises:
        CalozooError: What loading or running a model raises.
    """
    from calozoo import api
    from calozoo.benchmark.request import single_photons
    from calozoo.generation.threads import use_threads
    from calozoo_core.placement import load_placement

    use_threads(request.threads)
    placement = load_placement(request.detector)
    load = load_average()
    incident = single_photons(
        placement, max(BATCH, request.rounds * MOST_SINGLES), request.seed, request.energies_gev
    )
    n_energies = len(request.energies_gev)
    by_energy = {
        energy: incident[slice(i, None, n_energies)]
        for i, energy in enumerate(request.energies_gev)
    }
    with ExitStack() as open_models:
        timers = []
        for one in request.models:
            generator = api.load(
                one.model, precision=one.precision, weights=one.weights, offline=True
            )
            open_models.enter_context(closing(generator))
            timers.append(_ModelTimer(generator, placement, request.extrapolate))
            timers[-1].warm_up(by_energy[request.energies_gev[n_energies // 2]])
        geant4 = None
        if request.geant4 is not None:
            geant4 = api.load(request.geant4, offline=True)
            open_models.enter_context(closing(geant4))
            geant4.generate(incident[:1], seed=request.seed)
        times = _rounds(request, timers, geant4, by_energy, on_round)
    return tuple(
        Timing(
            precision=timer.generator.precision,
            threads=request.threads,
            rounds=request.rounds,
            batch_size=timer.batch_size,
            geant4=None if geant4 is None else geant4.spec.name,
            load=load,
            energies=tuple(_medians(energy, *times[i, energy]) for energy in by_energy),
        )
        for i, timer in enumerate(timers)
    )


def measure_speed_in_process(
    request: TimingRequest, on_round: Callable[[], None] = lambda: None
) -> tuple[Timing, ...]:
    """As `measure_speed`, in a process of its own with the right number of threads from its start.

    Raises:
        CalozooError: If it fails there.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_files:
        request_file, answer = Path(folder) / "request.json", Path(folder) / "timings.json"
        request_file.write_text(request.model_dump_json(), encoding="utf-8")
        stderr = open_files.enter_context((Path(folder) / "stderr").open("w+", encoding="utf-8"))
        process = subprocess.Popen(
            [sys.executable, "-m", "calozoo.benchmark.speed", str(request_file), str(answer)],
            env=os.environ | {"OMP_NUM_THREADS": str(request.threads)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                for _ in process.stdout:
                    on_round()
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            stderr.seek(0)
            last = (stderr.read().strip().splitlines() or ["there was no message."])[-1]
            msg = f"The timing stopped: {last.removeprefix('calozoo: ')}"
            raise CalozooError(msg)
        timings = json.loads(answer.read_text(encoding="utf-8"))
    return tuple(Timing.model_validate(timing) for timing in timings)


def load_average() -> float:
    """Load average of the machine over the last minute; 0 on systems that do not count it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


@dataclass
class _ModelTimer:
    """Timer of one model."""

    generator: Generator
    placement: Placement
    extrapolate: bool
    batch_size: int = BATCH
    singles: int = MOST_SINGLES

    def warm_up(self, incident: Incident) -> None:
        """Make the first showers, and find the batch size and number of showers of a round."""
        self._timed(incident, 1, seed=0)
        alone = sum(self._timed(incident, 1, seed=1))
        self.singles = max(1, min(MOST_SINGLES, int(LONGEST_SINGLES_S / alone)))
        for size in (8, BATCH):
            self.batch_size = size
            if sum(self._timed(incident, size, seed=1)) * BATCH > LONGEST_BATCH_S:
                break

    def round(self, incident: Incident, number: int) -> Seconds:
        """Time one energy: showers alone, then a batch of them."""
        alone = [
            self._timed(incident[k : k + 1], 1, seed=number)
            for k in range(number * self.singles, (number + 1) * self.singles)
        ]
        made, placed = (sum(times) / self.singles for times in zip(*alone, strict=True))
        many_made, many_placed = self._timed(incident, self.batch_size, seed=number)
        return made, many_made, made + placed, many_made + many_placed

    def _timed(self, incident: Incident, size: int, seed: int) -> tuple[float, float]:
        """Seconds per shower to generate a batch, and to place it."""
        start = perf_counter()
        showers = self.generator.generate(
            incident[:size], seed=seed, batch_size=size, extrapolate=self.extrapolate
        )
        made = perf_counter()
        self.placement.place(showers)
        return (made - start) / size, (perf_counter() - made) / size


def _rounds(
    request: TimingRequest,
    timers: Sequence[_ModelTimer],
    geant4: Generator | None,
    by_energy: dict[float, Incident],
    on_round: Callable[[], None],
) -> dict[tuple[int, float], tuple[list[Seconds], list[float]]]:
    """Seconds of every round, and those of Geant4, by number of the model and energy."""
    found: dict[tuple[int, float], tuple[list[Seconds], list[float]]] = {
        (i, energy): ([], []) for i in range(len(timers)) for energy in by_energy
    }
    for number in range(request.rounds):
        for energy, incident in by_energy.items():
            geant4_time = 0.0
            if geant4 is not None:
                start = perf_counter()
                geant4.generate(incident[number : number + 1], seed=request.seed + number)
                geant4_time = perf_counter() - start
            for i, timer in enumerate(timers):
                times, geant4_times = found[i, energy]
                times.append(timer.round(incident, number))
                geant4_times += [geant4_time] if geant4 is not None else []
            on_round()
    return found


def _medians(energy: float, times: list[Seconds], geant4_times: list[float]) -> EnergyTimes:
    """Medians over the rounds; of speed-ups, over the ratios of each round."""
    single, batched, single_placed, batched_placed = (
        1e3 * median(column) for column in zip(*times, strict=True)
    )
    speedups = None
    if geant4_times:
        ratios = [[g4 / t for t in row] for g4, row in zip(geant4_times, times, strict=True)]
        first, second, third, fourth = map(median, zip(*ratios, strict=True))
        speedups = (first, second, third, fourth)
    return EnergyTimes(
        energy_gev=energy,
        single_ms=single,
        batched_ms=batched,
        single_placed_ms=single_placed,
        batched_placed_ms=batched_placed,
        geant4_ms=1e3 * median(geant4_times) if geant4_times else None,
        speedups=speedups,
    )


def _main(request_file: str, answer: str) -> None:
    request = TimingRequest.model_validate_json(Path(request_file).read_bytes())

    def report_round() -> None:
        sys.stdout.write(".\n")
        sys.stdout.flush()

    try:
        timings = measure_speed(request, report_round)
    except CalozooError as error:
        sys.stderr.write(f"calozoo: {error}\n")
        sys.exit(error.exit_code)
    text = json.dumps([timing.model_dump(mode="json") for timing in timings])
    Path(answer).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
