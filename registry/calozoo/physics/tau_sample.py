"""Photons of tau pairs in e+ e- collisions at 250 GeV, made by Pythia.

References:
    | Full physics benchmark, section V: https://arxiv.org/abs/2511.17293
    | Pythia 8.3: https://arxiv.org/abs/2203.11601
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calozoo_core.errors import CalozooError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, TakenParticle
from calozoo_core.placement import Placement
from calozoo_core.typing import FloatArray

__all__ = ["TauSample", "line_to_face"]

LEAST_PHOTON_GEV = 5.0
_PI0, _TAU, _GAMMA = 111, 15, 22
_MOST_TRIES = 200
"""Generated events for a selected one, at most; on average there are seven."""


@dataclass(frozen=True)
class TauSample:
    """Photons above 5 GeV of tau pairs, in events with a pi0 whose photons both reach a model.

    Beams are unpolarised, without beam spectrum and crossing angle. An event is selected if at
    least one pi0 of a tau decay has two photons of at least 5 GeV that the trigger accepts; it
    holds all such photons, and nothing else. They start on the face, at the end of a straight line
    from their vertex.

    Arguments:
        n: Number of selected events.
        seed: Seed of Pythia.
        isr: Radiation of photons off the beams.
    """

    n: int
    seed: int = 0
    isr: bool = True

    @property
    def name(self) -> str:
        """Name of the sample, without its size."""
        return "tau" if self.isr else "tau-without-isr"

    def events(self, placement: Placement, trigger: FaceTrigger) -> Events:
        """Selected events.

        Photons with one `mother` are those of one pi0 of a tau decay.

        Arguments:
            placement: Placement of the detector.
            trigger: Choice of the photons.

        Raises:
            CalozooError: If pythia8mc is not installed, or fails.
        """
        pythia = _pythia(self.seed, isr=self.isr)
        selected: list[Events] = []
        for _ in range(_MOST_TRIES * self.n):
            if len(selected) == self.n:
                break
            if not pythia.next():
                continue
            event = _selected(pythia.event, placement, trigger)
            if event is not None:
                selected.append(event)
        if len(selected) < self.n:
            msg = f"Pythia made only {len(selected)} events of {self.n} that can be used."
            raise CalozooError(msg)
        return Events.concatenate(selected)


def line_to_face(vertex: FloatArray, momentum: FloatArray, placement: Placement) -> FloatArray:
    """Points where straight lines reach the face of the part that the momenta point to.

    Arguments:
        vertex: Beginnings of the lines, global, in mm, shape (n, 3).
        momentum: Directions, in any unit, shape (n, 3).
        placement: Placement of the detector.

    Returns:
        Global positions in mm, shape (n, 3).

    Raises:
        InputError: If a line misses the face.
    """
    normal_at = placement.enter(momentum)
    inwards = np.broadcast_to([0.0, 0.0, 1.0], momentum.shape)
    normal = placement.to_global(inwards, normal_at) - normal_at
    missing = np.einsum("nj,nj->n", normal, normal_at - vertex)
    along = np.einsum("nj,nj->n", normal, momentum)
    position: FloatArray = vertex + momentum * (missing / along)[:, None]
    return position


def _pythia(seed: int, *, isr: bool) -> Any:
    try:
        import pythia8mc
    except ImportError as error:
        msg = "Tau pairs need Pythia; type `pip install 'calozoo[physics]'`."
        raise CalozooError(msg) from error
    settings = os.environ.get(_SETTINGS)
    if settings and not Path(settings, "Index.xml").is_file():
        msg = (
            f"{_SETTINGS} is {settings}, where Pythia's settings are not; give their folder, or "
            "unset it."
        )
        raise CalozooError(msg)
    pythia = pythia8mc.Pythia("", False)
    for line in (
        "Print:quiet = on",
        "Beams:idA = 11",
        "Beams:idB = -11",
        "Beams:eCM = 250.",
        f"PDF:lepton = {'on' if isr else 'off'}",
        "WeakSingleBoson:ffbar2gmZ = on",
        "23:onMode = off",
        "23:onIfAny = 15",
        "Random:setSeed = on",
        f"Random:seed = {seed + 1}",  # Pythia takes 0 for the time of day
    ):
        pythia.readString(line)
    if not pythia.init():
        msg = "Pythia does not start; install the version that calozoo[physics] asks for."
        raise CalozooError(msg)
    return pythia


def _selected(event: Any, placement: Placement, trigger: FaceTrigger) -> Events | None:
    """Photons of an event that reach a model, if both of a pi0 do."""
    every = list(_photons(event))
    if len(every) < 2:
        return None
    photons = [photon for photon in every if _is_taken(photon, placement, trigger)]
    mothers = [photon[0] for photon in photons]
    if not any(mother >= 0 and mothers.count(mother) == 2 for mother in mothers):
        return None
    mother, momentum, vertex, time = zip(*photons, strict=True)
    momenta, vertices = np.array(momentum), np.array(vertex)
    face = line_to_face(vertices, momenta, placement)
    flight_ns = np.linalg.norm(face - vertices, axis=1) / _LIGHT_MM_PER_NS
    number = np.unique(mother, return_inverse=True)[1] - (min(mother) < 0)
    return Events.of(
        [0, len(photons)],
        np.full(len(photons), _GAMMA),
        np.linalg.norm(momenta, axis=1),
        momenta,
        face,
        np.array(time) + flight_ns,
        number,
        np.where(np.array(mother) >= 0, _PI0, 0),
    )


_SETTINGS = "PYTHIA8DATA"
_LIGHT_MM_PER_NS = 299.792458

_Photon = tuple[int, tuple[float, float, float], tuple[float, float, float], float]


def _photons(event: Any) -> Iterator[_Photon]:
    """Photons of an event: index of the pi0 of a tau decay or -1, momentum, vertex in mm, time."""
    for particle in event:
        if particle.isFinal() and particle.id() == _GAMMA and particle.e() >= LEAST_PHOTON_GEV:
            yield (
                _mother(event, particle),
                (particle.px(), particle.py(), particle.pz()),
                (particle.xProd(), particle.yProd(), particle.zProd()),
                particle.tProd() / _LIGHT_MM_PER_NS,
            )


def _mother(event: Any, photon: Any) -> int:
    """Index of the pi0 of a tau decay that decayed to this photon and another; -1 if none did."""
    index = photon.mother1()
    pi0 = event[index]
    if pi0.id() != _PI0 or [event[i].id() for i in pi0.daughterList()] != [_GAMMA, _GAMMA]:
        return -1
    above = pi0.mother1()
    while above > 0:
        if abs(event[above].id()) == _TAU:
            return int(index)
        above = event[above].mother1()
    return -1


def _is_taken(photon: _Photon, placement: Placement, trigger: FaceTrigger) -> bool:
    _, momentum, vertex, _ = photon
    p, v = np.array([momentum]), np.array([vertex])
    if not trigger.trigger.aims(p)[0] or not placement.crossing(p)[1][0]:
        return False
    size = float(np.linalg.norm(p))
    direction = tuple((p[0] / size).tolist())
    position = tuple(line_to_face(v, p, placement)[0].tolist())
    return trigger.accepts(placement, TakenParticle("gamma", size, position, direction))
