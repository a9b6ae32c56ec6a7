"""All observables of a sample, summed while its showers go by in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.hits import Hits
from calozoo_core.observables.cell_features import cell_features, feature_columns
from calozoo_core.observables.correlations import CorrelationSums
from calozoo_core.observables.definitions import LEVELS, Binning, Observable, observables
from calozoo_core.observables.deposits import (
    HALF_MIP_MEV,
    Deposits,
    merged_cells,
    placed_cells,
    points,
)
from calozoo_core.observables.histogram import Histogram
from calozoo_core.observables.neighbours import (
    POINT_DISTANCES_MM,
    NeighbourSums,
    adjacent_cells,
    has_point_within,
)
from calozoo_core.observables.response import Responses
from calozoo_core.placement import Placement
from calozoo_core.random import stream
from calozoo_core.representation import PointKind
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["BLOCKS", "CELL_ENERGIES", "MOST_FEATURES", "ObservableAccumulator", "block_of"]

BLOCKS: Final = 50
"""Parts of a sample that are kept apart, for errors and noise floors."""

MOST_FEATURES: Final = 50_000
"""Showers whose features are kept for the metrics that compare showers one by one."""

CELL_ENERGIES: Final = Binning(low=0.1, high=1e4, bins=1000, spacing="log", unit="MeV", flow=True)
"""Bins of the cell spectrum, fine enough to find a quantile in."""


class ObservableAccumulator:
    """The observables of a sample, on points and on cells.

    Batches are added as they come and are not kept: what is kept are histograms and sums, features
    of the first 50,000 showers, and 21 bytes of each shower. Every run of 50 showers puts one into
    each of 50 blocks, in random order; all sums are kept by block. Leaving out one block at a time
    gives errors that know how the deposits of a shower go together, and two halves of the blocks
    give the noise floor, without a second look at the showers. A bootstrap with weights would do
    the first as well, at 20 times the additions, and not the second.

    Arguments:
        detector: The detector the showers were made for, or its name.
        placement: What puts the showers into a detector with gaps, or has put their hits there;
            None takes cells of the showers' own detector, as if it had no gaps.
        threshold_mev: Cells with less are left out.
        seed: Of the grids of cells, where there is no placement.
        first: Number of the first shower in the whole sample, for a part of one.
        levels: What is looked at; points take most of the time where they are many.

    Raises:
        DetectorError: If no detector has that name, or the layers of the placement's lie elsewhere.

    Example:
        >>> from calozoo_core.incident import Incident
        >>> shower = Showers([0, 2], x=[0, 20], y=[0, 0], layer=[3, 4], energy=[2.0, 0.5],
        ...                  incident=Incident(10, (0, 0, 1)), representation="x25",
        ...                  detector="ild_siecal_regular")
        >>> tally = ObservableAccumulator("ild_siecal_regular")
        >>> tally.add(shower)
        >>> tally.histogram("points.layer_energy").contents[3:5].tolist()
        [2.0, 0.5]
    """

    def __init__(
        self,
        detector: Detector | str,
        *,
        placement: Placement | None = None,
        threshold_mev: float = HALF_MIP_MEV,
        seed: int = 0,
        first: int = 0,
        levels: Sequence[str] = LEVELS,
    ) -> None:
        self.detector = load_detector(detector) if isinstance(detector, str) else detector
        self.placement = placement
        self.threshold_mev = threshold_mev
        self.seed = seed
        self.first = first
        self.levels = tuple(levels)
        self.representation: str | None = None
        self.observables: dict[str, Observable] = observables(self.detector)
        if placement is not None and placement.detector.n_layers != self.detector.n_layers:
            msg = (
                f"Showers made for {self.detector.name} do not fit into "
                f"{placement.detector.name}, which has another number of layers."
            )
            raise DetectorError(msg)
        self.correlations = CorrelationSums(BLOCKS, self.detector.n_layers)
        self.point_neighbours = NeighbourSums(
            BLOCKS, tuple(f"{distance:g}mm" for distance in POINT_DISTANCES_MM)
        )
        self.cell_neighbours = NeighbourSums(BLOCKS, ("adjacent",))
        self.cell_energies = np.zeros((BLOCKS, CELL_ENERGIES.bins + 2))
        self._blocks = {
            name: np.zeros((BLOCKS, o.binning.bins + 2)) for name, o in self.observables.items()
        }
        self._left_out = dict.fromkeys(self.observables, 0)
        self._showers = np.zeros(BLOCKS)
        self._responses: list[Responses] = []
        self._features: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        """Showers so far."""
        return int(self._showers.sum())

    @property
    def readout(self) -> str:
        """Whose cells these are, in words; tallies with other cells cannot be compared."""
        if self.placement is None:
            return f"{self.detector.name} without gaps"
        return self.placement.detector.name

    @property
    def point_kind(self) -> PointKind:
        """Kind of the points; those of another kind cannot be compared."""
        return PointKind(str(self.representation), self.detector.name)

    @property
    def responses(self) -> Responses:
        """Incident and visible energy (of cells) of each shower."""
        return Responses.concatenate(self._responses)

    @property
    def features(self) -> NDArray[np.float32]:
        """Features of the cells of each of the first showers, shape (n, n_features).

        The columns are those of `calozoo_core.observables.cell_features.feature_columns`.
        """
        width = sum(map(len, feature_columns(self.detector.n_layers).values()))
        rows = np.concatenate([np.zeros((0, width), np.float32), *self._features])
        return rows[:MOST_FEATURES]

    def histogram(self, name: str) -> Histogram:
        """An observable's histogram.

        Raises:
            InputError: If there is no such observable.
        """
        if name not in self.observables:
            msg = f"No observable is called {name!r}; there are {', '.join(self.observables)}."
            raise InputError(msg)
        return Histogram(
            observable=self.observables[name],
            blocks=self._blocks[name],
            showers=self._showers,
            left_out=self._left_out[name],
        )

    def add(self, showers: Showers, hits: Hits | None = None) -> None:
        """Take in the next showers of the sample.

        Arguments:
            showers: A batch.
            hits: Their hits, if they were placed already.

        Raises:
            DetectorError: If they were made for another detector, or have layers it does not have.
            InputError: If they are of another representation than those before, a value in them is
                no measurement, they are to be placed and do not say where on the face, or their
                hits come without the placement that made them.
        """
        self._check(showers, hits)
        if len(showers) == 0:
            return
        number = self.first + len(self)
        block = block_of(number, len(showers))
        cells = self._cells(showers, hits, number)
        if "points" in self.levels:
            self._add_points(points(showers, self.detector), block)
        self._fill("cells", cells, block)
        self.correlations.add(cells, block)
        beside, _ = adjacent_cells(cells)
        self.cell_neighbours.add(cells, beside[None, :] > 0, block)
        n_bins = CELL_ENERGIES.bins + 2
        index = block[cells.owner] * n_bins + CELL_ENERGIES.index(cells.energy)
        self.cell_energies += np.bincount(index, minlength=BLOCKS * n_bins).reshape(BLOCKS, n_bins)
        self._responses.append(Responses.of(cells, block))
        if sum(map(len, self._features)) < MOST_FEATURES:
            self._features.append(cell_features(cells))
        self._showers += np.bincount(block, minlength=BLOCKS)
        self.representation = showers.representation

    def __iadd__(self, other: ObservableAccumulator) -> ObservableAccumulator:
        """Take in the tally of the part of the sample that comes after this one's.

        Raises:
            InputError: If it is not the next part, or is of another kind.
        """
        self.representation = self.representation or other.representation
        kinds = [
            (t.detector.name, t.readout, t.threshold_mev, t.seed, t.levels, t.representation)
            for t in (self, other)
        ]
        if kinds[0] != kinds[1] or other.first != self.first + len(self):
            msg = "Only the next part of the same sample can be added to a tally."
            raise InputError(msg)
        for name in self.observables:
            self._blocks[name] += other._blocks[name]
            self._left_out[name] += other._left_out[name]
        self.correlations += other.correlations
        self.point_neighbours += other.point_neighbours
        self.cell_neighbours += other.cell_neighbours
        self.cell_energies += other.cell_energies
        self._showers += other._showers
        self._responses += other._responses
        if sum(map(len, self._features)) < MOST_FEATURES:
            self._features += other._features
        return self

    def _check(self, showers: Showers, hits: Hits | None) -> None:
        if showers.detector != self.detector.name:
            msg = f"These showers were made for {showers.detector}, not for {self.detector.name}."
            raise DetectorError(msg)
        if self.representation not in (None, showers.representation):
            msg = f"{showers.representation} showers do not go with {self.representation} showers."
            raise InputError(msg)
        if hits is not None and self.placement is None:
            msg = "Hits can only be looked at with the placement that made them: give it too."
            raise InputError(msg)

    def _cells(self, showers: Showers, hits: Hits | None, number: int) -> Deposits:
        threshold = self.threshold_mev
        if self.placement is None:
            return merged_cells(
                showers, self.detector, threshold_mev=threshold, seed=self.seed, first=number
            )
        if hits is None:
            hits = self.placement.place(showers)
        return placed_cells(hits, showers.incident, self.placement, threshold_mev=threshold)

    def _add_points(self, deposits: Deposits, block: IntArray) -> None:
        self._fill("points", deposits, block)
        self.point_neighbours.add(deposits, has_point_within(deposits), block)

    def _fill(self, level: str, deposits: Deposits, block: IntArray) -> None:
        index: dict[tuple[str, object], IntArray] = {}
        for name, o in self.observables.items():
            if o.level != level:
                continue
            if (o.value, o.binning) not in index:  # several observables share theirs
                index[o.value, o.binning] = _bins(o, deposits, block)
            rows = index[o.value, o.binning]
            if o.per == "shower":
                self._left_out[name] += len(deposits) - len(rows)
            weights = None if o.weight is None else _attribute(deposits, o.weight)
            contents = self._blocks[name]
            contents += np.bincount(rows, weights, minlength=contents.size).reshape(contents.shape)


def _bins(o: Observable, deposits: Deposits, block: IntArray) -> IntArray:
    """Index of each entry in an observable's contents; showers without the quantity have none."""
    values = _attribute(deposits, o.value)
    if o.per == "deposit":
        row = block[deposits.owner]
    else:
        there = np.isfinite(values)
        values, row = values[there], block[there]
    return row * (o.binning.bins + 2) + o.binning.index(values)


def block_of(first: int, n: int) -> IntArray:
    """The blocks of the n showers from number `first` on, shape (n,).

    Each run of 50 showers is dealt to the 50 blocks in an order of its own, the same for every
    sample. Energies that come in a fixed order therefore do not end up in fixed blocks.
    """
    runs = range(first // BLOCKS, (first + n + BLOCKS - 1) // BLOCKS)
    dealt = [stream(0, run, "blocks").permutation(BLOCKS) for run in runs]
    skipped = first % BLOCKS
    blocks: IntArray = np.concatenate([np.zeros(0, np.int64), *dealt])[skipped : skipped + n]
    return blocks


def _attribute(deposits: Deposits, path: str) -> FloatArray:
    value = deposits
    for name in path.split("."):
        value = getattr(value, name)
    return np.asarray(value)
