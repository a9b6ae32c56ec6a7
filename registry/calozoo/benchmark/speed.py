"""Seconds per shower, of models and of full Geant4 in turn, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from calozoo.benchmark.measurements import EnergyTimes, Timing
from calozoo.benchmark.system_load import load_average
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Precision
from calozoo_core.strict_model import StrictModel

if TYPE_CHECKING:
    from calozoo_core.generator import Generator
    from calozoo_core.incident import Incident
    from calozoo_core.placement import Placement

__all__ = ["Contestant", "TimingRequest", "measure_speed", "measure_speed_apart"]

BATCH: Final = 64
MOST_SINGLES: Final = 5
LONGEST_BATCH_S: Final = 4.0
LONGEST_SINGLES_S: Final = 0.5


class Contestant(StrictModel):
    """A model to be timed.

    Arguments:
        model: Its name.
        precision: Of its arithmetic; None for the model's own choice.
        weights: Folder of its weights; None for where the catalogue finds them.
    """

    model: str
    precision: Precision | None = None
    weights: Path | None = None


class TimingRequest(StrictModel):
    """What is to be timed.

    Arguments:
        contestants: The models.
        geant4: Name of the Geant4 to time with them; None to do without.
        detector: Where showers are placed.
        energies_gev: Incident energies.
        threads: Threads that models may use.
        rounds: How often everything is timed.
        seed: Decides the primaries and the showers.
        extrapolate: Go beyond the conditions a model was trained on.
    """

    contestants: tuple[Contestant, ...]
    geant4: str | None
    detector: str
    energies_gev: tuple[float, ...]
    threads: int
    rounds: int
    seed: int
    extrapolate: bool = False


@dataclass
class _Watch:
    """Seconds per shower, in every round: made alone and in a batch, and placed likewise."""

    generator: Generator
    placement: Placement
    extrapolate: bool
    batch_size: int = BATCH
    singles: int = MOST_SINGLES
    rounds: list[tuple[float, float, float, float]] = field(default_factory=list)

    def warm_up(self, incident: Incident) -> None:
        """Start whatever starts with the first showers, and see what a round can afford."""
        self._timed(incident, 1, seed=0)
        alone = sum(self._timed(incident, 1, seed=1))
        self.singles = max(1, min(MOST_SINGLES, int(LONGEST_SINGLES_S / alone)))
        for size in (8, BATCH):
            self.batch_size = size
            if sum(self._timed(incident, size, seed=1)) * BATCH > LONGEST_BATCH_S:
                break

    def round(self, incident: Incident, number: int) -> tuple[float, float, float, float]:
        """Time one energy: showers alone, then a batch of them."""
        alone = [
            self._timed(incident[k : k + 1], 1, seed=number)
            for k in range(number * self.singles, (number + 1) * self.singles)
        ]
        made, placed = (sum(times) / self.singles for times in zip(*alone, strict=True))
        many_made, many_placed = self._timed(incident, self.batch_size, seed=number)
        return made, many_made, made + placed, many_made + many_placed

    def _timed(self, incident: Incident, size: int, seed: int) -> tuple[float, float]:
        """Seconds per shower to make the first primaries' showers, and to place them."""
        start = perf_counter()
        showers = self.generator.generate(
            incident[:size], seed=seed, batch_size=size, extrapolate=self.extrapolate
        )
        made = perf_counter()
        self.placement.place(showers)
        return (made - start) / size, (perf_counter() - made) / size


def measure_speed(
    request: TimingRequest, on_round: Callable[[], None] = lambda: None
) -> tuple[Timing, ...]:
    """Time models and Geant4 in turn, round after round, here and now.

    A round makes every energy once with each of them, from the same primaries, so that whatever
    else the machine does falls on all. Start-up is not in it: all have made showers before the
    first round. A model that needs seconds for a shower gets smaller batches.

    Arguments:
        request: What.
        on_round: Called after each energy of each round.

    Returns:
        A Timing for each contestant, in their order.

    Raises:
        CalozooError: What loading or running a model raises.
    """
    from calozoo import api
    from calozoo.benchmark.single_photons import single_photons
    from calozoo.generation.threads import use_threads
    from calozoo_core.placement import load_placement

    use_threads(request.threads)
    placement = load_placement(request.detector)
    load = load_average()
    primaries = single_photons(
        placement, max(BATCH, request.rounds * MOST_SINGLES), request.seed, request.energies_gev
    )
    kinds = len(request.energies_gev)
    at = {e: primaries[slice(i, None, kinds)] for i, e in enumerate(request.energies_gev)}
    with ExitStack() as open_models:
        watches = []
        for one in request.contestants:
            generator = api.load(
                one.model, precision=one.precision, folder=one.weights, offline=True
            )
            open_models.enter_context(closing(generator))
            watches.append(_Watch(generator, placement, request.extrapolate))
            watches[-1].warm_up(at[request.energies_gev[len(at) // 2]])
        geant4 = None
        if request.geant4 is not None:
            geant4 = api.load(request.geant4, offline=True)
            open_models.enter_context(closing(geant4))
            geant4.generate(primaries[:1], seed=request.seed)
        found = _rounds(request, watches, geant4, at, on_round)
    return tuple(
        Timing(
            precision=watch.generator.precision,
            threads=request.threads,
            rounds=request.rounds,
            batch_size=watch.batch_size,
            geant4=None if geant4 is None else geant4.spec.name,
            load=load,
            energies=tuple(_summed_up(energy, *found[i, energy]) for energy in at),
        )
        for i, watch in enumerate(watches)
    )


def measure_speed_apart(
    request: TimingRequest, on_round: Callable[[], None] = lambda: None
) -> tuple[Timing, ...]:
    """As `measure_speed`, in a process of its own with the right number of threads from the start.

    Raises:
        CalozooError: If it fails there.
    """
    with tempfile.TemporaryDirectory() as place, ExitStack() as open_files:
        asked, answer = Path(place) / "request.json", Path(place) / "timings.json"
        asked.write_text(request.model_dump_json(), encoding="utf-8")
        talk = open_files.enter_context((Path(place) / "talk").open("w+", encoding="utf-8"))
        process = subprocess.Popen(
            [sys.executable, "-m", "calozoo.benchmark.speed", str(asked), str(answer)],
            env=os.environ | {"OMP_NUM_THREADS": str(request.threads)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=talk,
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
            talk.seek(0)
            last = (talk.read().strip().splitlines() or ["it said nothing."])[-1]
            msg = f"The timing stopped: {last.removeprefix('calozoo: ')}"
            raise CalozooError(msg)
        timings = json.loads(answer.read_text(encoding="utf-8"))
    return tuple(Timing.model_validate(timing) for timing in timings)


Rounds = list[tuple[float, float, float, float]]


def _rounds(
    request: TimingRequest,
    watches: Sequence[_Watch],
    geant4: Generator | None,
    at: dict[float, Incident],
    on_round: Callable[[], None],
) -> dict[tuple[int, float], tuple[Rounds, list[float]]]:
    """Seconds of every round, and those of Geant4, by contestant and energy."""
    found: dict[tuple[int, float], tuple[Rounds, list[float]]] = {
        (i, energy): ([], []) for i in range(len(watches)) for energy in at
    }
    for number in range(request.rounds):
        for energy, incident in at.items():
            truth = 0.0
            if geant4 is not None:
                start = perf_counter()
                geant4.generate(incident[number : number + 1], seed=request.seed + number)
                truth = perf_counter() - start
            for i, watch in enumerate(watches):
                times, truths = found[i, energy]
                times.append(watch.round(incident, number))
                truths += [truth] if geant4 is not None else []
            on_round()
    return found


def _summed_up(energy: float, times: Rounds, truths: list[float]) -> EnergyTimes:
    single, batched, single_placed, batched_placed = (
        1e3 * median(column) for column in zip(*times, strict=True)
    )
    speedups = None
    if truths:
        ratios = [[truth / t for t in row] for truth, row in zip(truths, times, strict=True)]
        first, second, third, fourth = map(median, zip(*ratios, strict=True))
        speedups = (first, second, third, fourth)
    return EnergyTimes(
        energy_gev=energy,
        single_ms=single,
        batched_ms=batched,
        single_placed_ms=single_placed,
        batched_placed_ms=batched_placed,
        geant4_ms=1e3 * median(truths) if truths else None,
        speedups=speedups,
    )


def _main(asked: str, answer: str) -> None:
    request = TimingRequest.model_validate_json(Path(asked).read_bytes())

    def tick() -> None:
        sys.stdout.write(".\n")
        sys.stdout.flush()

    try:
        timings = measure_speed(request, tick)
    except CalozooError as error:
        sys.stderr.write(f"calozoo: {error}\n")
        sys.exit(error.exit_code)
    text = json.dumps([timing.model_dump(mode="json") for timing in timings])
    Path(answer).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
