"""An event as it is drawn: around the place where its strongest primary enters the calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from calozoo.plotting.hits import PlacedShower
from calozoo.reconstruction.photon_finder import FoundPhotons, PhotonFinder
from calozoo.reconstruction.truth import main_truth, shares
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.hits import Hits
from calozoo_core.particles import particle_name
from calozoo_core.placement import Placement
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["NEAR_MM", "EventView", "Line", "view_event"]

NEAR_MM: Final = 400.0
"""Distance to the side, from the place that is looked at, up to which hits are drawn."""

_SAME_FACE_MM: Final = 1.0
_NEUTRAL: Final = [22, 130, 310, 2112, -2112, 3122, -3122, 3322, -3322]
"""Particles that the field does not bend."""


@dataclass(frozen=True)
class Line:
    """Straight line into the calorimeter, in the local frame.

    Arguments:
        entry: Where it crosses the face, in mm, shape (3,).
        direction: Unit vector, shape (3,).
    """

    entry: FloatArray
    direction: FloatArray

    @property
    def is_near(self) -> bool:
        """`True` if it enters through the part of the face that is looked at."""
        is_inwards = self.direction[2] > 0
        return bool(is_inwards and np.abs(self.entry).max() < NEAR_MM)

    def at(self, depth: float) -> FloatArray:
        """Position at a depth in mm, shape (3,)."""
        point: FloatArray = self.entry + self.direction * (depth / self.direction[2])
        return point


@dataclass(frozen=True)
class EventView:
    """One event in the local frame of a place on the face.

    Arguments:
        events: Its primaries: events of length 1.
        event: Its hits: of length 1.
        placement: The detector.
        position: The place, global, in mm, shape (3,).
        entries: Global entry points of the primaries, in mm, shape (N, 3); NaN for a primary that
            does not fly straight into the calorimeter.
        photons: Photons found; None if they were not looked for.
    """

    events: Events
    event: EventHits
    placement: Placement
    position: FloatArray
    entries: FloatArray
    photons: FoundPhotons | None

    @cached_property
    def local(self) -> FloatArray:
        """Centres of the cells of all hits, in mm, shape (N, 3)."""
        hits = self.event.hits
        centres = np.stack([hits.x, hits.y, hits.z], axis=1).astype(np.float64)
        return self.placement.to_local(centres, self.position)

    @cached_property
    def is_near(self) -> BoolArray:
        """Mask of the hits that are drawn, shape (N,)."""
        depth = self.local[:, 2]
        is_inside = (depth > 0) & (depth < self.placement.detector.depth_mm + _SAME_FACE_MM)
        near: BoolArray = (np.abs(self.local[:, :2]).max(axis=1, initial=0) < NEAR_MM) & is_inside
        return near

    @cached_property
    def placed(self) -> PlacedShower:
        """The hits that are drawn, along the path of the strongest primary."""
        hits, near = self.event.hits, self.is_near
        names = ("cell", "layer", "x", "y", "z", "energy")
        columns = {name: getattr(hits, name)[near] for name in names}
        shown = Hits(offsets=np.array([0, int(near.sum())]), **columns)
        axis = self.axis
        direction = axis.direction if axis is not None else np.array([0.0, 0.0, 1.0])
        return PlacedShower(shown, self.placement, self.position, direction)

    @property
    def axis(self) -> Line | None:
        """Path of the strongest primary; None without primaries, or if its path is none."""
        if not self.events.n_primaries:
            return None
        return self.primary_lines[int(self.events.energy.argmax())]

    @property
    def primary_lines(self) -> list[Line | None]:
        """Paths of the primaries; None for one that does not fly straight in, or elsewhere."""
        return [
            self._line(entry, direction) if np.isfinite(entry).all() else None
            for entry, direction in zip(self.entries, self.events.direction, strict=True)
        ]

    @property
    def photon_lines(self) -> list[Line | None]:
        """Paths of the photons found, from the interaction point; None for one elsewhere."""
        found = self.photons
        if found is None:
            return []
        return [self._line(p, d) for p, d in zip(found.position, found.direction, strict=True)]

    @cached_property
    def primary_of_hit(self) -> IntArray:
        """Number of the primary that left most in each hit, shape (N,)."""
        hit = np.repeat(np.arange(len(self.event.hits.cell)), np.diff(self.event.offsets))
        order = np.lexsort((self.event.energy, hit))
        primary = np.full(len(self.event.hits.cell), -1, np.int64)
        primary[hit[order]] = self.event.primary[order]  # the last of a hit stays: the highest
        return primary

    @cached_property
    def primary_of_photon(self) -> IntArray:
        """Primary that each photon found stands for, -1 for none, shape (n,)."""
        assert self.photons is not None
        n = self.events.n_primaries
        return main_truth(shares(self.event, self.photons, n))

    @cached_property
    def tint_of_photon(self) -> IntArray:
        """Number of the colour of each photon found, shape (n,): of the primary it stands for."""
        primary, n = self.primary_of_photon, self.events.n_primaries
        return np.where(primary >= 0, primary, n + np.arange(len(primary)))

    def offset_mm(self, photon: int) -> float:
        """Distance on the face of a photon found from the primary it stands for; NaN for none."""
        assert self.photons is not None
        primary = int(self.primary_of_photon[photon])
        if primary < 0:
            return float("nan")
        return float(np.linalg.norm(self.photons.position[photon] - self.entries[primary]))

    def on_face(self, points: FloatArray) -> FloatArray:
        """Places x', y' on the face of lines from the interaction point to local points.

        Arguments:
            points: In mm, shape (N, 3).

        Returns:
            In mm, shape (N, 2).
        """
        origin = self.placement.to_local(np.zeros((1, 3)), self.position)[0]
        share = -origin[2] / (points[:, 2] - origin[2])
        flat: FloatArray = (origin + (points - origin) * share[:, None])[:, :2]
        return flat

    @property
    def description(self) -> str:
        """The primaries, and how far apart two of them enter."""
        names = [
            f"{particle_name(int(pdg))} of {energy:.3g} GeV"
            for pdg, energy in zip(self.events.pdg, self.events.energy, strict=True)
        ]
        if not names:
            return "no primaries"
        if len(names) > 3:
            return f"{len(names)} primaries of {self.events.energy.sum():.4g} GeV together"
        text = " and ".join(names)
        if len(names) == 2 and np.isfinite(self.entries).all():
            apart = float(np.linalg.norm(self.entries[0] - self.entries[1]))
            text += f", {apart:.3g} mm apart on the face"
        return text

    def _line(self, position: FloatArray, direction: FloatArray) -> Line | None:
        ends = self.placement.to_local(np.stack([position, position + direction]), self.position)
        line = Line(ends[0], ends[1] - ends[0])
        return line if line.is_near else None


def view_event(
    events: Events, event: EventHits, placement: Placement, finder: PhotonFinder | None = None
) -> EventView:
    """View of one event.

    It is looked at where its strongest primary enters, in the middle of all that enter near there;
    at its hits where none flies straight in.

    Arguments:
        events: Its primaries: events of length 1.
        event: Its hits: of length 1.
        placement: The detector.
        finder: Photon finder; None to look for no photons.
    """
    entries = _entries(events, placement)
    photons = None if finder is None else finder.find(event.hits)
    position = _middle(events, event, placement, entries)
    return EventView(events, event, placement, position, entries, photons)


def _entries(events: Events, placement: Placement) -> FloatArray:
    """Entry points of the primaries that start on the face, or fly straight on to it."""
    entries = np.full((events.n_primaries, 3), np.nan)
    starts = placement.on_face(events.vertex)
    entries[starts] = events.vertex[starts]
    is_from_ip = np.linalg.norm(events.vertex, axis=1) < _SAME_FACE_MM
    crossing, is_hit = placement.crossing(events.direction)
    flies = is_from_ip & is_hit & ~starts & np.isin(events.pdg, _NEUTRAL)
    entries[flies] = crossing[flies]
    return entries


def _middle(
    events: Events, event: EventHits, placement: Placement, entries: FloatArray
) -> FloatArray:
    enters = np.flatnonzero(np.isfinite(entries).all(axis=1))
    if len(enters):
        strongest = entries[enters[events.energy[enters].argmax()]]
        there = placement.to_local(entries[enters], strongest)
        is_beside = (np.abs(there[:, :2]).max(axis=1) < NEAR_MM / 2) & (
            np.abs(there[:, 2]) < _SAME_FACE_MM
        )
        middle: FloatArray = entries[enters[is_beside]].mean(axis=0)
        return middle
    hits = event.hits
    if len(hits.energy):
        hottest = int(hits.energy.argmax())
        line = np.array([[hits.x[hottest], hits.y[hottest], hits.z[hottest]]], np.float64)
        crossing, is_hit = placement.crossing(line)
        if is_hit[0]:
            at_hit: FloatArray = crossing[0]
            return at_hit
    anywhere: FloatArray = placement.draw(1, seed=0)[0][
        0
    ]  # an event that leaves nothing has no place
    return anywhere
