"""Generation of a shower file: incident particles to showers on disk, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from calozoo.generation.incident_sources import IncidentSource
from calozoo.generation.parsing import is_shower_file
from calozoo.output_files import PACKED, check_output_file
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerWriter
from calozoo_core.io.atomic import is_stream
from calozoo_core.strict_model import StrictModel

if TYPE_CHECKING:
    from calozoo.generation.placement import HitPlacer

__all__ = [
    "FileAttributes",
    "GenerationResult",
    "Stopwatch",
    "check_output",
    "check_request",
    "generate_to_file",
    "write_batches",
]

Item = TypeVar("Item")


@dataclass(frozen=True)
class GenerationResult:
    """Size of a generated file, and the time it took.

    Arguments:
        path: The file.
        n_showers: Number of showers.
        n_points: Number of points of all showers.
        n_bytes: Size of the file.
        seconds: Time from the first incident particle to the complete file.
        generation_seconds: Time of the model alone; the rest is writing and placement.
        placer: Placement of the showers into a detector, if there was one.
    """

    path: Path
    n_showers: int
    n_points: int
    n_bytes: int
    seconds: float
    generation_seconds: float
    placer: HitPlacer | None = None


class FileAttributes(StrictModel):
    """Attributes of a shower file that say how its showers were made.

    Arguments:
        generator: Name of the model.
        seed: Seed.
        hits_detector: Detector that its hits lie in; None for a file without hits.
        hits_threshold_mev: Energy below which hits were left out.
        provenance: Further attributes, in the order in which they are written.
    """

    generator: str
    seed: int
    hits_detector: str | None = None
    hits_threshold_mev: float = 0.0
    provenance: dict[str, str | int | float]

    @classmethod
    def of(cls, generator: Generator, seed: int, placer: HitPlacer | None) -> FileAttributes:
        """Attributes of what this model makes, and this placement adds."""
        if placer is None:
            return cls(generator=generator.spec.name, seed=seed, provenance=generator.provenance)
        return cls(
            generator=generator.spec.name,
            seed=seed,
            hits_detector=placer.detector,
            hits_threshold_mev=placer.threshold_mev,
            provenance=generator.provenance,
        )

    def writer(self, path: Path, *, overwrite: bool = False) -> ShowerWriter:
        """Writer of a file with these attributes.

        Raises:
            OutputExistsError: If the file is there and `overwrite` is not set.
            ShowerFileError: If the file cannot be written.
        """
        return ShowerWriter(path, overwrite=overwrite, **dict(self))


def generate_to_file(
    generator: Generator,
    source: Incident | IncidentSource,
    out: Path,
    *,
    seed: int = 0,
    overwrite: bool = False,
    batch_size: int | None = None,
    extrapolate: bool = False,
    placer: HitPlacer | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> GenerationResult:
    """Generate showers into a native shower file; memory does not grow with their number.

    The request is checked before the first shower is made. A run that is stopped leaves the disk as
    it was.

    Arguments:
        generator: The model.
        source: Incident particles.
        out: The file, `.h5` or `.hdf5`.
        seed: Same seed, same showers; same batch size too, same bytes.
        overwrite: Replace a file that is already there.
        batch_size: Showers at a time; by default what the generator prefers.
        extrapolate: Go beyond the conditions the model was trained on.
        placer: Placement into a detector; the hits are written beside the points.
        on_batch: Called with the number of showers of each batch that was written.

    Raises:
        ConditionsError: If a particle lies outside the conditions and `extrapolate` is not set.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
        InputError: If the batch size is not positive.
        DetectorError: If the showers do not fit into the detector of the placement.
    """
    check_request(generator.spec, source, batch_size=batch_size, extrapolate=extrapolate)
    check_output(out, overwrite=overwrite)
    size = generator.default_batch_size if batch_size is None else batch_size
    start = perf_counter()
    attributes = FileAttributes.of(generator, seed, placer)
    with attributes.writer(out, overwrite=overwrite) as writer:
        generation_seconds = write_batches(
            writer,
            generator,
            source.batches(size),
            seed=seed,
            extrapolate=extrapolate,
            placer=placer,
            on_batch=on_batch,
        )
    return GenerationResult(
        out,
        writer.n_showers,
        writer.n_points,
        writer.n_bytes,
        perf_counter() - start,
        generation_seconds,
        placer,
    )


def write_batches(
    writer: ShowerWriter,
    generator: Generator,
    incidents: Iterable[tuple[int, Incident]],
    *,
    seed: int,
    extrapolate: bool = False,
    placer: HitPlacer | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> float:
    """Generate the showers of some batches of incident particles, and append them to a file.

    Arguments:
        writer: The file.
        generator: The model.
        incidents: Batches, each with the number of its first particle in the whole sample.
        seed: Seed of the sample.
        extrapolate: Go beyond the conditions the model was trained on.
        placer: Placement into a detector.
        on_batch: Called with the number of showers of each batch that was written.

    Returns:
        Seconds that the model took.
    """
    stopwatch = Stopwatch()
    for first, incident in incidents:
        batches = generator.batches(
            incident, seed=seed, first=first, batch_size=len(incident), extrapolate=extrapolate
        )
        for showers in stopwatch.timed(batches):
            writer.append(showers, None if placer is None else placer.place(showers))
            if on_batch is not None:
                on_batch(len(showers))
            del showers  # or they would stay in memory while the next are made
    return stopwatch.seconds


def check_request(
    spec: ModelSpec,
    source: Incident | IncidentSource,
    *,
    batch_size: int | None = None,
    extrapolate: bool = False,
) -> None:
    """Refuse a request that the model cannot do, before it is loaded.

    Raises:
        ConditionsError: If the model does not know the particle, or a particle may lie outside its
            conditions and `extrapolate` is not set.
        InputError: If the batch size is not positive.
    """
    if batch_size is not None and batch_size < 1:
        msg = f"A batch holds at least one shower, not {batch_size}."
        raise InputError(msg)
    spec.conditions.check_particle(source.particle, spec.name)
    if not extrapolate:
        bounds = source if isinstance(source, Incident) else source.bounds()
        spec.conditions.check(bounds, spec.name)


def check_output(out: Path, *, overwrite: bool = False) -> None:
    """Refuse a file that cannot be written, before the showers are made.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If its name, its folder or the disk does not allow it.
    """
    check_output_file(out, overwrite=overwrite, error_type=ShowerFileError)
    if not is_shower_file(out) and not is_stream(out):
        msg = f"Showers are written as HDF5; call the file {_as_hdf5(out)}."
        raise ShowerFileError(msg)


def _as_hdf5(out: Path) -> Path:
    """The name with the suffix of a shower file, without those of packed files: HDF5 is packed."""
    bare = out.with_suffix("") if out.suffix in PACKED else out
    return bare if is_shower_file(bare) else bare.with_suffix(".h5")


class Stopwatch:
    """Time that the items of an iterable take to be made.

    Attributes:
        seconds: The sum of these times.

    Example:
        >>> stopwatch = Stopwatch()
        >>> sum(stopwatch.timed(range(4)))
        6
        >>> stopwatch.seconds > 0
        True
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items; time spent between them does not count."""
        iterator = iter(items)
        while True:
            start = perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += perf_counter() - start
            yield item
            del item  # or it would stay in memory while the next is made
