"""Fidelity: figures and ratios of means, generated over Geant4, for the same particles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo.benchmark.measurements import EnergyRatios, Fidelity
from calozoo.benchmark.simulation_cache import SimulationCache
from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.metrics.comparison import classifier_floors, compare, compare_classifier
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator, Window, energy_windows
from calozoo_core.placement import Placement
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, Float32Array, FloatArray, IntArray
from calozoo_core.weights import sha256

__all__ = [
    "CellObservables",
    "FileReference",
    "PointObservables",
    "PointReference",
    "measure_fidelity",
]

FEWEST: Final = 2
"""A mean of a single shower has no error."""

Batches = Iterable[tuple[Showers, Hits | None]]


class CellObservables:
    """Observables of the cells of placed showers.

    Arguments:
        placement: Detector the showers are placed into.
    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.accumulator = ObservableAccumulator(placement.detector, placement=placement)

    @cached_property
    def classifier_floors(self) -> dict[str, float]:
        """AUC of a classifier between halves of these showers, by group of features."""
        return classifier_floors(self.accumulator)

    def add(self, showers: Showers, hits: Hits | None = None) -> None:
        """Add showers; they are placed if no hits are given."""
        if hits is None:
            hits = self.placement.place(showers)
        placed = Showers.without_points(
            showers.incident, showers.representation, self.placement.detector.name
        )
        self.accumulator.add(placed, hits)


class PointObservables:
    """Observables of points, and the number of points of each shower.

    Arguments:
        detector: Detector the showers were made for.
    """

    def __init__(self, detector: str) -> None:
        self.accumulator = ObservableAccumulator(detector)
        self.n_points: list[IntArray] = []

    def add(self, showers: Showers) -> None:
        """Add showers."""
        self.accumulator.add(showers)
        self.n_points.append(showers.n_points)


class PointReference:
    """Points of Geant4 for the incident particles of a sample, merged as each model has them.

    Arguments:
        cache: Cached steps in a gapless detector.
    """

    def __init__(self, cache: SimulationCache) -> None:
        self.cache = cache
        self._observables: dict[str, PointObservables] = {}

    def fits(self, spec: ModelSpec) -> bool:
        """True if a model has the same detector, and is not made of these showers."""
        own = self.cache.spec
        return spec.detector == own.detector and own.name not in (spec.name, spec.source)

    def observables(self, spec: ModelSpec) -> PointObservables | None:
        """Observables in the representation of a model; None if the model does not fit."""
        if not self.fits(spec):
            return None
        name = spec.representation
        if name not in self._observables:
            merge = Representation.named(name, load_detector(spec.detector).cell_mm)
            merged, first = PointObservables(spec.detector), 0
            for showers, _ in self.cache.batches():
                merged.add(merge(showers, self.cache.seed, first))
                first += len(showers)
            self._observables[name] = merged
        return self._observables[name]


class FileReference:
    """Shower file as the reference; its incident particles are those of the sample.

    Arguments:
        path: The file; its showers must have entry points.
        placement: Detector of its hits, or that its showers are placed into.

    Raises:
        InputError: If the showers have no entry points, or the hits a threshold that is too high.
        ShowerFileError: If the file is missing or damaged.
    """

    def __init__(self, path: Path, placement: Placement) -> None:
        with ShowerFile(path) as file:
            self.incident: Incident = file.incident()
            self._has_hits = file.hits_detector == placement.detector.name
            threshold = file.hits_threshold_mev
        self.name, self.sha256, self._path = path.name, sha256(path), path
        if self.incident.position is None:
            msg = (
                f"{path} does not say where its showers enter {placement.detector.name}; make it "
                f"again, with `calozoo generate --place {placement.detector.name}`."
            )
            raise InputError(msg)
        if self._has_hits and threshold > HALF_MIP_MEV:
            msg = (
                f"The hits of {path} begin at {threshold:g} MeV, and {HALF_MIP_MEV:g} MeV is "
                f"needed; make it again, with `calozoo generate --threshold {HALF_MIP_MEV:g}`."
            )
            raise InputError(msg)

    def batches(self, size: int = 256) -> Iterator[tuple[Showers, Hits | None]]:
        """Showers in order, with their hits if the file has them."""
        with ShowerFile(self._path) as file:
            for first in range(0, len(file), size):
                rows = slice(first, first + size)
                yield file[rows], file.hits(rows) if self._has_hits else None


def measure_fidelity(
    generator: Generator | SimulationCache,
    incident: Incident,
    reference: CellObservables,
    points: PointObservables | None = None,
    *,
    seed: int = 0,
    extrapolate: bool = False,
    on_batch: Callable[[int], None] = lambda _: None,
) -> tuple[Fidelity, ObservableAccumulator]:
    """Generate for the incident particles of a sample, place, and compare with the reference.

    Arguments:
        generator: The model, or a cache of its showers for these particles.
        incident: Incident particles with entry points.
        reference: Cells of Geant4 for the same particles.
        points: Points of Geant4, in the model's representation and detector.
        seed: Seed of the generated showers.
        extrapolate: Go beyond the conditions the model was trained on.
        on_batch: Called with the number of showers of each batch.

    Returns:
        The fidelity, and the accumulated observables of the model's cells.

    Raises:
        ConditionsError: If a particle lies outside the conditions and `extrapolate` is not set.
    """
    outside = False
    try:
        generator.spec.conditions.check(incident, generator.spec.name)
    except ConditionsError:
        if not extrapolate:
            raise
        outside = True
    cells = CellObservables(reference.placement)
    mine = None if points is None else PointObservables(points.accumulator.detector.name)
    for showers, hits in _generated(generator, incident, seed):
        cells.add(showers, hits)
        if mine is not None:
            mine.add(showers)
        on_batch(len(showers))
    figures = [
        f for f in compare(cells.accumulator, reference.accumulator) if f.name.startswith("cells.")
    ]
    if mine is not None and points is not None:
        of_points = compare(mine.accumulator, points.accumulator)
        figures = [f for f in of_points if f.name.startswith("points.")] + figures
    figures += compare_classifier(
        cells.accumulator, reference.accumulator, floors=reference.classifier_floors
    )
    fidelity = Fidelity(
        precision=generator.precision if isinstance(generator, Generator) else "float64",
        extrapolated=outside,
        figures=tuple(figures),
        ratios=_ratios(cells, reference, mine, points),
    )
    return fidelity, cells.accumulator


def _generated(generator: Generator | SimulationCache, incident: Incident, seed: int) -> Batches:
    if isinstance(generator, SimulationCache):
        return generator.batches()
    return ((s, None) for s in generator.batches(incident, seed=seed, extrapolate=True))


def _ratios(
    mine: CellObservables,
    theirs: CellObservables,
    points: PointObservables | None,
    true_points: PointObservables | None,
) -> tuple[EnergyRatios, ...]:
    both = mine.accumulator.responses, theirs.accumulator.responses
    columns: dict[str, list[NDArray[Any]]] = {
        "visible_energy": [response.visible_mev for response in both],
        "hits": [response.cells for response in both],
    }
    if points is not None and true_points is not None:
        columns["points"] = [np.concatenate(sums.n_points) for sums in (points, true_points)]
    rows = []
    for window in energy_windows(both[1].energy_gev):
        inside = [_inside(response.energy_gev, window) for response in both]
        counts = [int(np.count_nonzero(mask)) for mask in inside]
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
        rows.append(
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
    return tuple(rows)


def _inside(energy_gev: Float32Array, window: Window) -> BoolArray:
    return (energy_gev >= window.low_gev) & (energy_gev <= window.high_gev)


def _ratio_of_means(generated: FloatArray, reference: FloatArray) -> tuple[float, float]:
    ratio = float(generated.mean() / reference.mean()) if reference.mean() > 0 else 0.0
    errors = [v.std(ddof=1) / max(v.mean(), 1e-30) / len(v) ** 0.5 for v in (generated, reference)]
    return ratio, float(ratio * np.hypot(*errors))
