"""Showers of a run put into a detector: hits, and what that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TypeVar

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.placement import Hits, Placement, load_placement
from calozoo_core.showers import Showers

__all__ = ["DEFAULT_THRESHOLD_MEV", "Placer", "Stopwatch", "find_placement", "find_placer"]

DEFAULT_THRESHOLD_MEV = 0.1
"""Half of what a muon leaves in a layer of ILD."""

Item = TypeVar("Item")


def find_placement(
    model: str, made_for: str, place: str | None, position: str | None, *, from_ip: bool
) -> Placement | None:
    """The detector in which the positions of a request lie, if it has any.

    A model whose own detector has a shape may need positions without hits being asked for.

    Arguments:
        model: Its name.
        made_for: The detector its showers are made for.
        place: The detector they shall be put into, if any.
        position: Where they shall enter it, if somebody said.
        from_ip: Whether they fly straight from the interaction point.

    Raises:
        InputError: If these contradict each other.
        DetectorError: If there is no such detector.
    """
    if position is not None and from_ip:
        msg = "Positions follow from --from-ip; leave it or --position out."
        raise InputError(msg)
    if place is not None:
        return load_placement(place)
    if position is None and not from_ip:
        return None
    own = load_detector(made_for)
    if own.barrel is None and own.endcap is None and own.cylinder is None:
        msg = (
            f"{model} makes the same showers wherever they enter; add --place DETECTOR to put them "
            "into one."
        )
        raise InputError(msg)
    return load_placement(own)


def find_placer(
    representation: str,
    made_for: str,
    place: str | None,
    placement: Placement | None,
    threshold_mev: float | None,
) -> Placer | None:
    """What puts the showers of a request into a detector, if they shall be.

    Arguments:
        representation: Of the showers.
        made_for: The detector they are made for.
        place: The detector they shall be put into, if any.
        placement: Where their positions lie.
        threshold_mev: Hits with less energy are left out; None for the usual cut.

    Raises:
        InputError: If there is a threshold and no detector, or it is none.
        DetectorError: If the showers do not fit into the detector.
    """
    if place is None or placement is None:
        if threshold_mev is not None:
            msg = "A --threshold cuts hits; add --place DETECTOR, or leave it out."
            raise InputError(msg)
        return None
    placer = Placer(placement, DEFAULT_THRESHOLD_MEV if threshold_mev is None else threshold_mev)
    placer.check(load_detector(made_for).name, representation)
    return placer


class Stopwatch:
    """Adds up the seconds that items take to come.

    Example:
        >>> watch = Stopwatch()
        >>> sum(watch.timed(range(4)))
        6
        >>> watch.seconds > 0
        True
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items; what is done between them does not count."""
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


class Placer:
    """Puts batch after batch into a detector, and keeps count.

    Arguments:
        placement: Where the showers go.
        threshold_mev: Hits with less energy are left out.

    Attributes:
        visible_mev: Energy of all points.
        live_mev: The part of it that fell into cells, before the threshold.
        n_hits: Hits that were kept.
        seconds: What it all took.

    Raises:
        InputError: If the threshold is negative or not finite.
    """

    def __init__(self, placement: Placement, threshold_mev: float = DEFAULT_THRESHOLD_MEV) -> None:
        if not 0 <= threshold_mev < np.inf:
            msg = f"A threshold must be an energy in MeV, 0 or more, not {threshold_mev:g}."
            raise InputError(msg)
        self.placement = placement
        self.threshold_mev = threshold_mev
        self.visible_mev = self.live_mev = 0.0
        self.n_hits = 0
        self.seconds = 0.0

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.placement.detector.name

    @property
    def lost_percent(self) -> float:
        """Share of the energy that fell into gaps or beside the detector."""
        return 100 * (1 - self.live_mev / self.visible_mev) if self.visible_mev else 0.0

    def check(self, detector: str, representation: str) -> None:
        """Refuse showers that would not fit, before they are made.

        Raises:
            DetectorError: If the layers of the detector they are made for lie elsewhere.
        """
        nobody = Incident(np.zeros(0), np.zeros((0, 3)), position=np.zeros((0, 3)))
        none, layer = np.zeros(0, np.float32), np.zeros(0, np.uint8)
        offsets = np.zeros(1, np.int64)
        self.placement.place(
            Showers(offsets, none, none, layer, none, nobody, representation, detector)
        )

    def place(self, showers: Showers) -> Hits:
        """The cells that the showers of a batch hit.

        Raises:
            DetectorError: If their layers lie elsewhere.
            InputError: If they have no positions, or one is not on the face.
        """
        start = perf_counter()
        # All cells first: what the threshold takes is not what the gaps take.
        hits = self.placement.place(showers)
        self.visible_mev += float(showers.energy.sum(dtype=np.float64))
        self.live_mev += float(hits.energy.sum(dtype=np.float64))
        kept = _above(hits, self.threshold_mev)
        self.n_hits += len(kept.energy)
        self.seconds += perf_counter() - start
        return kept


def _above(hits: Hits, threshold_mev: float) -> Hits:
    kept = np.flatnonzero(hits.energy >= threshold_mev)
    columns = {name: values.take(kept) for name, values in vars(hits).items() if name != "offsets"}
    return Hits(offsets=np.searchsorted(kept, hits.offsets), **columns)
