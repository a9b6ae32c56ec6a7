"""Measurements of a benchmark: the schema of a card's measurements.json."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean
from typing import Final, Literal

from pydantic import Field, ValidationError

from calozoo.physics.results import PhysicsResult
from calozoo_core.cores import available_cores
from calozoo_core.errors import CalozooError
from calozoo_core.generator import ModelSpec
from calozoo_core.metrics.result import MetricResult
from calozoo_core.strict_model import StrictModel

__all__ = [
    "EnergyRatios",
    "EnergyTimes",
    "Fidelity",
    "Machine",
    "Measurements",
    "Memory",
    "SampleDescription",
    "Timing",
    "read_measurements",
]

MAX_BYTES: Final = 4 << 20


class Machine(StrictModel):
    """Machine of the measurements: a time means nothing without it.

    Arguments:
        processor: Name of the processor.
        cores: Number of cores the process may run on.
        system: Operating system and architecture.
        python: Version of Python.
        packages: Versions of the installed packages, by name.
    """

    processor: str
    cores: int
    system: str
    python: str
    packages: dict[str, str]

    @classmethod
    def here(cls, *distributions: str) -> Machine:
        """This machine, with the versions of these distributions and of those all models use."""
        names = ("calozoo", "calozoo-core", *distributions, "torch", "numpy", "geant4_pybind")
        return cls(
            processor=_processor(),
            cores=available_cores(),
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            packages={name: found for name in names if (found := _version(name)) is not None},
        )


class SampleDescription(StrictModel):
    """Incident particles of a sample, and the reference.

    Arguments:
        n_showers: Number of generated showers, and of those of the reference.
        energies_gev: Incident energies; the lowest and the highest if they are many.
        theta_deg: Range of polar angles in the detector's frame; None if they are a file's.
        phi_deg: Range of azimuths, likewise.
        detector: Detector the showers were placed into.
        threshold_mev: Energy below which cells were left out.
        reference: Model, or file, of the reference for cells.
        reference_sha256: Hash of that file; None if it is no file, and in cards of before this was
            recorded.
        points_reference: The same for points; None if they were not compared.
        seed: Seed of the incident particles and of all showers.
    """

    n_showers: int
    energies_gev: tuple[float, ...]
    theta_deg: tuple[float, float] | None = None
    phi_deg: tuple[float, float] | None = None
    detector: str
    threshold_mev: float
    reference: str
    reference_sha256: str | None = None
    points_reference: str | None = None
    seed: int


class EnergyRatios(StrictModel):
    """Ratios of means at one energy, or in a range of energies, generated over reference.

    Arguments:
        low_gev: Lowest energy.
        high_gev: Highest energy.
        n_generated: Number of generated showers.
        n_reference: Number of showers of the reference.
        visible_energy: Visible energy of cells, with its statistical error.
        hits: Number of cells, likewise.
        points: Number of points, likewise; None if they were not compared.
    """

    low_gev: float
    high_gev: float
    n_generated: int
    n_reference: int
    visible_energy: tuple[float, float]
    hits: tuple[float, float]
    points: tuple[float, float] | None = None


class Fidelity(StrictModel):
    """Fidelity of a model in one precision.

    Arguments:
        precision: Precision of its arithmetic.
        extrapolated: Whether some incident particles lie outside what it was trained on.
        figures: Every figure, with error and noise floor.
        ratios: Means by incident energy.
    """

    precision: str
    extrapolated: bool = False
    figures: tuple[MetricResult, ...]
    ratios: tuple[EnergyRatios, ...]


class EnergyTimes(StrictModel):
    """Times per shower at one energy, in milliseconds; each the median of all rounds.

    Arguments:
        energy_gev: Incident energy.
        single_ms: Generated alone.
        batched_ms: Generated in a batch.
        single_placed_ms: Generated alone and placed into the detector.
        batched_placed_ms: Generated in a batch and placed.
        geant4_ms: Full Geant4 for the same particles; None if it was not timed.
        speedups: Geant4's time over each of the four, as medians of the rounds' own ratios.
    """

    energy_gev: float
    single_ms: float
    batched_ms: float
    single_placed_ms: float
    batched_placed_ms: float
    geant4_ms: float | None = None
    speedups: tuple[float, float, float, float] | None = None


class Timing(StrictModel):
    """Timing of a model.

    Arguments:
        precision: Precision of its arithmetic.
        threads: Threads it may use.
        rounds: Number of rounds; each time is their median.
        batch_size: Showers of a batch.
        geant4: Name of the Geant4 that was timed in turn with it, on one core.
        load: Load average of the machine when it began.
        energies: Times at each energy.
    """

    precision: str
    threads: int
    rounds: int
    batch_size: int
    geant4: str | None = None
    load: float
    energies: tuple[EnergyTimes, ...] = Field(min_length=1)

    @property
    def speedup(self) -> float | None:
        """Speed-up over Geant4, alone, not placed; mean over the energies."""
        return self._mean(0)

    @property
    def batched_speedup(self) -> float | None:
        """Speed-up in batches, not placed."""
        return self._mean(1)

    @property
    def placed_speedup(self) -> float | None:
        """Speed-up alone, with placement: the quantity of the full physics benchmark."""
        return self._mean(2)

    @property
    def batched_placed_speedup(self) -> float | None:
        """Speed-up in batches, with placement."""
        return self._mean(3)

    def mean_ms(self, column: Callable[[EnergyTimes], float]) -> float:
        """Mean over the energies of one of their columns."""
        return mean(map(column, self.energies))

    def _mean(self, column: int) -> float | None:
        ratios = [row.speedups[column] for row in self.energies if row.speedups is not None]
        return mean(ratios) if len(ratios) == len(self.energies) else None


class Memory(StrictModel):
    """Peak resident memory of one `calozoo generate`, in 10^6 bytes, and its start-up time.

    Arguments:
        n_showers: Number of showers, of 10 to 100 GeV.
        peak_mb: Peak resident set of the whole process.
        interpreter_mb: Peak resident set of a Python that does nothing.
        startup_s: Seconds from the command to a file with one shower.
    """

    n_showers: int
    peak_mb: float
    interpreter_mb: float
    startup_s: float

    @property
    def generation_mb(self) -> float:
        """Peak memory above that of the interpreter."""
        return self.peak_mb - self.interpreter_mb


class Measurements(StrictModel):
    """Measurements of one model.

    Arguments:
        version: Version of this format.
        spec: Spec of the model.
        precision: Its default precision.
        parameters: Number of parameters; None without weights.
        weights_bytes: Size of model.safetensors; None without weights.
        weights_sha256: Hash of each weights file, by name; None without weights, and in cards of
            before this was recorded.
        machine: Machine of the measurements.
        sample: Incident particles and reference.
        fidelity: Fidelity in each precision; the default first.
        timings: Timings; one thread in the default precision first. Empty if the model is not a
            fast simulation.
        memory: Memory of a generation; None likewise.
        physics: Results of `calozoo physics`, one a test.
        notes: Remarks for the reader of the card.
        pictures: Files beside the card that it shows.
    """

    version: Literal[2] = 2
    spec: ModelSpec
    precision: str
    parameters: int | None = None
    weights_bytes: int | None = None
    weights_sha256: dict[str, str] | None = None
    machine: Machine
    sample: SampleDescription
    fidelity: tuple[Fidelity, ...] = Field(min_length=1)
    timings: tuple[Timing, ...] = ()
    memory: Memory | None = None
    physics: tuple[PhysicsResult, ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()

    @property
    def figures(self) -> dict[tuple[str, str], MetricResult]:
        """Figures in the default precision, by observable and metric."""
        return {(figure.name, figure.metric): figure for figure in self.fidelity[0].figures}

    @property
    def physics_figures(self) -> dict[tuple[str, str], MetricResult]:
        """Figures of reconstructed photons and pi0, by name and metric."""
        return {
            (figure.name, figure.metric): figure for one in self.physics for figure in one.figures
        }

    def physics_of(self, weights_sha256: dict[str, str] | None) -> tuple[PhysicsResult, ...]:
        """Results of `calozoo physics` that were made with these weights."""
        return tuple(one for one in self.physics if one.weights_sha256 == weights_sha256)

    def with_physics(self, result: PhysicsResult) -> Measurements:
        """These measurements with a result of `calozoo physics`, in place of one of that test.

        Of that one, pairs of energies that are not among those of the result are kept.
        """
        others = [one for one in self.physics if one.test != result.test]
        for older in self.physics:
            if older.test == result.test:
                result = result.with_other_energies(older)
        tests = sorted([*others, result], key=lambda one: one.test)
        return self.model_copy(update={"physics": tuple(tests)})

    def as_json(self) -> str:
        """The text of measurements.json."""
        content = self.model_dump(mode="json", exclude_none=True)
        if not self.physics:
            del content["physics"]
        return json.dumps(content, indent=1) + "\n"


def read_measurements(path: Path) -> Measurements:
    """Measurements in a file.

    Raises:
        CalozooError: If it cannot be read, or is not of this format.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            msg = f"{path} is larger than {MAX_BYTES} bytes; measure the model again."
            raise CalozooError(msg)
        return Measurements.model_validate_json(content)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); make it with `calozoo benchmark`."
        raise CalozooError(msg) from error
    except ValidationError as error:
        where = repr(".".join(map(str, error.errors()[0]["loc"]))[:80])[1:-1] or "its text"
        msg = f"{path} is not what `calozoo benchmark` writes ({where}); measure the model again."
        raise CalozooError(msg) from error


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    if sys.platform == "linux":
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text().splitlines()
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
