"""How far a model's showers are from Geant4's, for the same primaries in the same detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo.benchmark.measurements import EnergyRatios, Fidelity
from calozoo.benchmark.simulation_cache import Library, without_points
from calozoo_core.comparison import compare
from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator, Window, energy_windows
from calozoo_core.placement import Hits, Placement
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["CellSums", "FileReference", "PointSums", "PointTruth", "measure_fidelity"]

FEWEST: Final = 2
"""A mean of a single shower has no error."""

Batches = Iterable[tuple[Showers, Hits | None]]


class CellSums:
    """What is kept of placed showers: their cells' observables, and energy and number of hits.

    Arguments:
        placement: The detector they are placed into.
    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.tally = ObservableAccumulator(placement.detector, placement=placement)
        self.n_hits: list[NDArray[np.int64]] = []

    def add(self, showers: Showers, hits: Hits | None = None) -> None:
        """Take in the next showers; they are placed if they were not."""
        if hits is None:
            hits = self.placement.place(showers)
        placed = replace(without_points(showers), detector=self.placement.detector.name)
        self.tally.add(placed, hits)
        owner = np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
        counted = owner[hits.energy >= HALF_MIP_MEV]
        self.n_hits.append(np.bincount(counted, minlength=len(hits)))


class PointSums:
    """What is kept of points: their observables, and their number in each shower.

    Arguments:
        detector: Name of the detector the showers were made for.
    """

    def __init__(self, detector: str) -> None:
        self.tally = ObservableAccumulator(detector)
        self.n_points: list[NDArray[np.int64]] = []

    def add(self, showers: Showers) -> None:
        """Take in the next showers."""
        self.tally.add(showers)
        self.n_points.append(showers.n_points)


class PointTruth:
    """Geant4's own points for the primaries of a sample, merged as each model has them.

    Arguments:
        library: Steps in a gapless detector.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._sums: dict[str, PointSums] = {}

    def fits(self, spec: ModelSpec) -> bool:
        """Whether a model has the same detector, and is not made of these very showers."""
        own = self.library.spec
        return spec.detector == own.detector and own.name not in (spec.name, spec.source)

    def sums(self, spec: ModelSpec) -> PointSums | None:
        """For a model; None if it does not fit."""
        if not self.fits(spec):
            return None
        name = spec.representation
        if name not in self._sums:
            merge = Representation.named(name, load_detector(spec.detector).cell_mm)
            sums, first = PointSums(spec.detector), 0
            for showers, _ in self.library.batches():
                sums.add(merge(showers, self.library.seed, first))
                first += len(showers)
            self._sums[name] = sums
        return self._sums[name]


class FileReference:
    """A shower file in place of Geant4, whose primaries are then the sample's.

    Arguments:
        path: The file; its showers must say where they enter.
        placement: The detector they lie in, or are put into.

    Raises:
        InputError: If they do not say it.
        ShowerFileError: If the file is missing or damaged.
    """

    def __init__(self, path: Path, placement: Placement) -> None:
        with ShowerFile(path) as file:
            self.incident: Incident = file.incident()
            self._has_hits = file.hits_detector == placement.detector.name
            threshold = file.hits_threshold_mev
        self.name, self._path = path.name, path
        if self.incident.position is None:
            msg = (
                f"{path} does not say where its showers enter {placement.detector.name}; make it "
                f"again, with --place {placement.detector.name}."
            )
            raise InputError(msg)
        if self._has_hits and threshold > HALF_MIP_MEV:
            msg = (
                f"The hits of {path} begin at {threshold:g} MeV, and {HALF_MIP_MEV:g} MeV is "
                f"needed; make it again, with --threshold {HALF_MIP_MEV:g}."
            )
            raise InputError(msg)

    def batches(self, size: int = 256) -> Iterator[tuple[Showers, Hits | None]]:
        """The showers in order, with their hits if the file has them."""
        with ShowerFile(self._path) as file:
            for first in range(0, len(file), size):
                rows = slice(first, first + size)
                yield file[rows], file.hits(rows) if self._has_hits else None


def measure_fidelity(
    generator: Generator | Library,
    incident: Incident,
    reference: CellSums,
    points: PointSums | None = None,
    *,
    seed: int = 0,
    extrapolate: bool = False,
    on_batch: Callable[[int], None] = lambda _: None,
) -> tuple[Fidelity, ObservableAccumulator]:
    """Generate for the primaries of a sample, place, and compare.

    Arguments:
        generator: The model, or showers that it made before for these primaries.
        incident: The primaries, with where they enter the detector.
        reference: Geant4's cells for the same primaries.
        points: Geant4's points, in the model's representation and detector.
        seed: Of the generated showers.
        extrapolate: Go beyond the conditions the model was trained on.
        on_batch: Called with the number of showers of each batch.

    Returns:
        How good it is, and the sums over its cells.

    Raises:
        ConditionsError: If a primary lies outside the conditions and `extrapolate` is not set.
    """
    outside = False
    try:
        generator.spec.conditions.check(incident, generator.spec.name)
    except ConditionsError:
        if not extrapolate:
            raise
        outside = True
    cells = CellSums(reference.placement)
    mine = None if points is None else PointSums(points.tally.detector.name)
    for showers, hits in _generated(generator, incident, seed):
        cells.add(showers, hits)
        if mine is not None:
            mine.add(showers)
        on_batch(len(showers))
    figures = [f for f in compare(cells.tally, reference.tally) if f.name.startswith("cells.")]
    if mine is not None and points is not None:
        of_points = compare(mine.tally, points.tally)
        figures = [f for f in of_points if f.name.startswith("points.")] + figures
    fidelity = Fidelity(
        precision=generator.precision if isinstance(generator, Generator) else "float64",
        extrapolated=outside,
        figures=tuple(figures),
        ratios=_ratios(cells, reference, mine, points),
    )
    return fidelity, cells.tally


def _generated(generator: Generator | Library, incident: Incident, seed: int) -> Batches:
    if isinstance(generator, Library):
        return generator.batches()
    return ((s, None) for s in generator.batches(incident, seed=seed, extrapolate=True))


def _ratios(
    mine: CellSums, theirs: CellSums, points: PointSums | None, true_points: PointSums | None
) -> tuple[EnergyRatios, ...]:
    both = mine.tally.responses, theirs.tally.responses
    columns: dict[str, list[NDArray[Any]]] = {
        "visible_energy": [response.visible_mev for response in both],
        "hits": [np.concatenate(sums.n_hits) for sums in (mine, theirs)],
    }
    if points is not None and true_points is not None:
        columns["points"] = [np.concatenate(sums.n_points) for sums in (points, true_points)]
    found = []
    for window in energy_windows(both[1].energy_gev):
        inside = [_inside(response.energy_gev, window) for response in both]
        counts = [int(np.count_nonzero(rows)) for rows in inside]
        if min(counts) < FEWEST:
            continue
        # Per GeV, so that the spread of the energies inside a window is not counted as an error.
        means = {
            name: _ratio_of_means(
                *((v / r.energy_gev)[k] for v, r, k in zip(values, both, inside, strict=True))
            )
            for name, values in columns.items()
        }
        energies = both[1].energy_gev[inside[1]]
        found.append(
            EnergyRatios(
                low_gev=float(energies.min()),
                high_gev=float(energies.max()),
                n_generated=counts[0],
                n_reference=counts[1],
                visible_energy=means["visible_energy"],
                hits=means["hits"],
                points=means.get("points"),
            )
        )
    return tuple(found)


def _inside(energy_gev: NDArray[np.float32], window: Window) -> NDArray[np.bool_]:
    return (energy_gev >= window.low_gev) & (energy_gev <= window.high_gev)


def _ratio_of_means(generated: FloatArray, reference: FloatArray) -> tuple[float, float]:
    ratio = float(generated.mean() / reference.mean()) if reference.mean() > 0 else 0.0
    errors = [v.std(ddof=1) / max(v.mean(), 1e-30) / len(v) ** 0.5 for v in (generated, reference)]
    return ratio, float(ratio * np.hypot(*errors))
