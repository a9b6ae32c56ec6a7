"""Placement of a run in a detector: entry points of incident particles, and hits of showers."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from calozoo.generation.incident_sources import Distribution, ListedValues
from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.observables import HALF_MIP_MEV
from calozoo_core.placement import Placement, Trigger, load_placement
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = [
    "EntryPoints",
    "HitPlacer",
    "LinesFromIp",
    "LocalDirections",
    "check_entry_points",
    "check_lines",
    "find_hit_placer",
    "find_placement",
]


NEUTRAL = ("gamma", "neutron", "anti_neutron", "kaon0L", "kaon0S", "pi0")
BLOCK = 4096
MAX_LOOKED_AT = 4 * BLOCK


@dataclass(frozen=True)
class LinesFromIp:
    """Straight lines from the interaction point (IP) to the face of a detector.

    Arguments:
        placement: The detector.
        momenta: Distribution of global momenta; None for isotropic lines within the acceptance of
            the trigger.
    """

    placement: Placement
    momenta: Distribution | None = None

    def sample(self, seed: int, first: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """Entry points on the face and momenta of particles first, ..., stop - 1.

        Arguments:
            seed: Seed of the request.
            first: Number of the first particle.
            stop: Number after that of the last.

        Returns:
            Global positions in mm, and momenta of any length, of which only the direction counts;
            shape (n, 3) each.
        """
        if self.momenta is None:
            return self.placement.draw(stop - first, seed, first)
        momenta = self.momenta.sample(seed, first, stop)
        return self.placement.enter(momenta), momenta


@dataclass(frozen=True)
class EntryPoints:
    """Entry points of lines from the interaction point: global positions on the face, in mm."""

    lines: LinesFromIp

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.lines.sample(seed, first, stop)[0]

    def bounds(self, n: int) -> FloatArray:
        return np.zeros((0, 3))


@dataclass(frozen=True)
class LocalDirections:
    """Directions of lines from the interaction point, in the local frames of their entry points.

    Arguments:
        lines: The lines.
        seed: Seed of the request.
    """

    lines: LinesFromIp
    seed: int

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        position, momentum = self.lines.sample(seed, first, stop)
        return self.lines.placement.local_direction(position, momentum)

    def bounds(self, n: int) -> FloatArray:
        """Directions with the smallest and the largest angle of the first ones.

        Of a large sample not all are made to find them, which would take minutes before anything
        is seen; the generator looks at the rest batch by batch.
        """
        outermost, n = np.zeros((0, 3)), min(n, MAX_LOOKED_AT)
        for first in range(0, n, BLOCK):
            block = self.sample(self.seed, first, min(first + BLOCK, n))
            outermost = np.concatenate([outermost, block])
            outermost = outermost[[outermost[:, 2].argmin(), outermost[:, 2].argmax()]]
        return outermost


class HitPlacer:
    """Placement of batch after batch into a detector, with a threshold and running sums.

    Arguments:
        placement: The detector.
        threshold_mev: Hits with less energy are left out; by default half of what a muon leaves in
            a layer of ILD.

    Attributes:
        visible_mev: Energy of all points.
        live_mev: Energy of the points that fell into cells, before the threshold.
        n_hits: Number of hits above the threshold.
        seconds: Time spent in `place`.

    Raises:
        InputError: If the threshold is negative or not finite.
    """

    def __init__(self, placement: Placement, threshold_mev: float = HALF_MIP_MEV) -> None:
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
        """Percentage of the energy that fell into gaps or beside the detector."""
        return 100 * (1 - self.live_mev / self.visible_mev) if self.visible_mev else 0.0

    def check(self, detector: str, representation: str) -> None:
        """Refuse showers that do not fit, before they are made.

        Raises:
            DetectorError: If the layers of the detector they are made for lie elsewhere.
        """
        nobody = Incident(np.zeros(0), np.zeros((0, 3)), position=np.zeros((0, 3)))
        self.placement.place(Showers.without_points(nobody, representation, detector))

    def place(self, showers: Showers) -> Hits:
        """Hits of the showers of a batch, above the threshold.

        Raises:
            DetectorError: If the layers of the showers lie elsewhere.
            InputError: If they have no positions, or one is not on the face.
        """
        start = perf_counter()
        # All cells first: what the threshold takes is not what the gaps take.
        hits = self.placement.place(showers)
        self.visible_mev += float(showers.energy.sum(dtype=np.float64))
        self.live_mev += float(hits.energy.sum(dtype=np.float64))
        above = _above(hits, self.threshold_mev)
        self.n_hits += len(above.energy)
        self.seconds += perf_counter() - start
        return above


def find_placement(
    model: str, made_for: str, place: str | None, position: str | None, *, from_ip: bool
) -> Placement | None:
    """Detector in which the entry points of a request lie, if it has any.

    A model whose own detector has a shape may need entry points without hits being asked for.

    Arguments:
        model: Name of the model.
        made_for: Detector its showers are made for.
        place: Detector the showers are placed into, if any.
        position: Entry points of the request, if any.
        from_ip: Whether the particles fly straight from the interaction point.

    Raises:
        InputError: If these contradict each other.
        DetectorError: If there is no such detector.
    """
    if position is not None and from_ip:
        msg = "Entry points follow from from_ip=True; leave it or position out."
        raise InputError(msg, argument=("from_ip=True", "position"))
    if place is not None:
        return load_placement(place)
    if position is None and not from_ip:
        return None
    own = load_detector(made_for)
    if own.barrel is None and own.endcap is None and own.cylinder is None:
        msg = (
            f"{model} makes the same showers wherever they enter; add place=DETECTOR to put them "
            "into one."
        )
        raise InputError(msg, argument="place=DETECTOR")
    return load_placement(own)


def find_hit_placer(
    representation: str,
    made_for: str,
    place: str | None,
    placement: Placement | None,
    threshold_mev: float | None,
) -> HitPlacer | None:
    """Placement of a request's showers, if it asks for hits.

    Arguments:
        representation: Representation of the showers.
        made_for: Detector they are made for.
        place: Detector they are placed into, if any.
        placement: Detector in which their entry points lie.
        threshold_mev: Hits with less energy are left out; None for the default.

    Raises:
        InputError: If there is a threshold and no detector, or the threshold is invalid.
        DetectorError: If the showers do not fit into the detector.
    """
    if place is None or placement is None:
        if threshold_mev is not None:
            msg = "threshold_mev cuts hits; add place=DETECTOR, or leave it out."
            raise InputError(msg, argument=("threshold_mev", "place=DETECTOR"))
        return None
    placer = HitPlacer(placement, HALF_MIP_MEV if threshold_mev is None else threshold_mev)
    placer.check(load_detector(made_for).name, representation)
    return placer


def check_entry_points(positions: Distribution, n: int, placement: Placement) -> None:
    """Refuse listed positions that are not on the face.

    Raises:
        InputError: If one is not; the message names it and the face.
    """
    if isinstance(positions, ListedValues):
        placement.check(positions.values[:n])


def check_lines(lines: LinesFromIp, n: int, particle: str, *, extrapolate: bool = False) -> None:
    """Refuse particles that do not fly straight from the interaction point to the face.

    Raises:
        InputError: If the particle has a charge, or a line misses the face.
        ConditionsError: If a line leads out of the acceptance of the trigger, and `extrapolate` is
            not set.
    """
    if particle not in NEUTRAL:
        msg = (
            f"Only neutral particles fly straight from the interaction point, not {particle}; "
            "leave from_ip out, and give position and direction."
        )
        raise InputError(msg, argument=("from_ip", "position", "direction"))
    if not isinstance(lines.momenta, ListedValues):
        return
    detector, listed = lines.placement.detector, lines.momenta.values[:n]
    lines.placement.enter(listed)
    trigger = Trigger.of(detector)
    vetoed = listed[~trigger.aims(listed)]
    if len(vetoed) and not extrapolate:
        msg = (
            f"The direction {_angles(vetoed[0])} leads to the edge of a part of "
            f"{detector.name}; take {_acceptance(trigger)}, or add extrapolate=True."
        )
        raise ConditionsError(msg, argument="extrapolate=True")


def _above(hits: Hits, threshold_mev: float) -> Hits:
    above = np.flatnonzero(hits.energy >= threshold_mev)
    columns = {name: values.take(above) for name, values in vars(hits).items() if name != "offsets"}
    return Hits(offsets=np.searchsorted(above, hits.offsets), **columns)


def _angles(momentum: FloatArray) -> str:
    theta = np.degrees(np.arctan2(np.hypot(momentum[0], momentum[1]), momentum[2]))
    return f"{theta:.4g},{np.degrees(np.arctan2(momentum[1], momentum[0])):.4g}"


def _acceptance(trigger: Trigger) -> str:
    """Directions that a trigger takes, as text."""
    parts = []
    if trigger.barrel_theta_deg is not None:
        low, high = trigger.barrel_theta_deg
        parts.append(f"a theta of {low:g} to {high:g} degrees")
        if trigger.sides:
            side = 360 / trigger.sides
            first, last = trigger.overlap_deg - side / 2, side / 2 - trigger.margin_deg
            parts[-1] += f" with a phi of {first:g} to {last:g} degrees around k * {side:g}"
    if trigger.endcap_theta_deg is not None:
        end = trigger.endcap_theta_deg
        parts.append(f"a theta up to {end:g} or from {180 - end:g} degrees")
    return ", or ".join(parts)
