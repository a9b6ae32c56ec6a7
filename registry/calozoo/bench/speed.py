"""Seconds per shower, with full Geant4 measured in the same run on the same core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean, median
from time import perf_counter

from pydantic import BaseModel, ConfigDict

from calozoo_core.generator import Generator
from calozoo_core.incident import Incident

__all__ = ["ENERGIES_GEV", "EnergySpeed", "Speed", "measure_speed"]

ENERGIES_GEV = tuple(range(10, 101, 10))
"""The energies of the papers' own comparison."""

NORMAL = (0.0, 0.0, 1.0)
BATCH = 64
SINGLES = 10


class EnergySpeed(BaseModel):
    """What a shower of one energy costs, in milliseconds.

    Arguments:
        energy_gev: Incident energy.
        single_ms: One shower at a time.
        batched_ms: Per shower, 64 at a time.
        geant4_ms: Full Geant4; None if it is not installed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy_gev: float
    single_ms: float
    batched_ms: float
    geant4_ms: float | None = None


class Speed(BaseModel):
    """Speed at normal incidence, one thread.

    Arguments:
        threads: Threads of torch.
        repeats: Rounds; each figure is the median of them.
        batch_size: Showers of a batch.
        reference_ms_per_gev: What stands in for Geant4 where it is not installed.
        energies: A row an energy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int
    repeats: int
    batch_size: int = BATCH
    reference_ms_per_gev: float | None = None
    energies: tuple[EnergySpeed, ...]

    def geant4_ms(self, row: EnergySpeed) -> float:
        """Geant4's time at the energy of a row: measured, or the stand-in."""
        if row.geant4_ms is not None:
            return row.geant4_ms
        return row.energy_gev * (self.reference_ms_per_gev or float("nan"))

    @property
    def single_speedup(self) -> float:
        """Geant4's time over the model's, one shower at a time, mean over the energies."""
        return mean(self.geant4_ms(row) / row.single_ms for row in self.energies)

    @property
    def batched_speedup(self) -> float:
        """The same in batches."""
        return mean(self.geant4_ms(row) / row.batched_ms for row in self.energies)


def measure_speed(
    generator: Generator,
    *,
    geant4: Generator | None,
    reference_ms_per_gev: float,
    threads: int,
    repeats: int = 5,
    energies_gev: Sequence[float] = ENERGIES_GEV,
    on_round: Callable[[], None] = lambda: None,
) -> Speed:
    """Time a model and Geant4 in turn, round after round.

    A round makes every energy once with each of the two, so that whatever else the machine does
    falls on both. Start-up is not in it: both have made a shower before the first round.

    Arguments:
        generator: The model.
        geant4: Full Geant4; None to do without.
        reference_ms_per_gev: Stands in for Geant4 where it is None.
        threads: Threads torch was told to use, for the record.
        repeats: Rounds.
        energies_gev: Incident energies.
        on_round: Called after each round.
    """
    singles: dict[float, list[float]] = {energy: [] for energy in energies_gev}
    batched: dict[float, list[float]] = {energy: [] for energy in energies_gev}
    truth: dict[float, list[float]] = {energy: [] for energy in energies_gev}
    for warm in filter(None, (generator, geant4)):
        warm.generate(Incident(energies_gev[0], NORMAL), seed=1)
    generator.generate(energy=energies_gev[-1], n=BATCH, seed=1)
    for seed in range(repeats):
        for energy in energies_gev:
            one, many = Incident(energy, NORMAL), Incident([energy] * BATCH, NORMAL)
            work = partial(generator.generate, one, seed=seed)
            singles[energy].append(_seconds(work, SINGLES))
            work = partial(generator.generate, many, seed=seed, batch_size=BATCH)
            batched[energy].append(_seconds(work, 1) / BATCH)
            if geant4 is not None:
                truth[energy].append(_seconds(partial(geant4.generate, one, seed=seed), 1))
        on_round()
    rows = tuple(
        EnergySpeed(
            energy_gev=energy,
            single_ms=1e3 * median(singles[energy]),
            batched_ms=1e3 * median(batched[energy]),
            geant4_ms=1e3 * median(truth[energy]) if geant4 is not None else None,
        )
        for energy in energies_gev
    )
    return Speed(
        threads=threads,
        repeats=repeats,
        reference_ms_per_gev=None if geant4 is not None else reference_ms_per_gev,
        energies=rows,
    )


def _seconds(work: Callable[[], object], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - start) / times
