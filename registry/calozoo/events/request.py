"""Request for a simulation of events, checked before anything is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from calozoo import api
from calozoo.events.numbering import check_numbers
from calozoo.events.sources import EventSource, check_vertices
from calozoo.generation.placement import HitPlacer
from calozoo.models import names
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, Primary, TakenParticle, missing_physics
from calozoo_core.generator import Generator
from calozoo_core.particles import PARTICLES, particle_name
from calozoo_core.placement import Placement, Trigger, load_placement
from calozoo_core.random import check_seed
from calozoo_core.specs import ModelSpec

__all__ = [
    "CHUNK",
    "FULL_SIMULATION",
    "EventCensus",
    "EventRequest",
    "find_full_simulation",
    "find_simulation_spec",
    "make_trigger",
    "model_digest",
]

CHUNK = 16
"""Events that are simulated, and kept, together."""

FULL_SIMULATION = "geant4"
"""Name of the full simulation that does what a model does not."""

_CHECKED_AT_ONCE = 4096
_PI0 = 111


@dataclass(frozen=True)
class EventRequest:
    """Request for a simulation of events.

    Arguments:
        source: Source of the events.
        model: Spec of the model, or of a full simulation, which then does everything.
        detector: Detector.
        seed: The user's seed.
        threshold_mev: Hits with less energy are left out.
        trigger: Particles that are left to the model; None for a full simulation.

    Raises:
        InputError: If the seed or the threshold is impossible.
        DetectorError: If the showers of the model cannot be placed into the detector.
    """

    source: EventSource
    model: ModelSpec
    detector: Detector
    seed: int = 0
    threshold_mev: float = 0.1
    trigger: FaceTrigger | None = None

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not 0 <= self.threshold_mev < float("inf"):
            msg = f"The threshold of a hit must be 0 MeV or more, not {self.threshold_mev:g}."
            raise InputError(msg, argument="threshold_mev")
        if self.trigger is not None:
            placer = HitPlacer(self.placement, self.threshold_mev)
            placer.check(self.model.detector, self.model.representation)

    @property
    def placement(self) -> Placement:
        """Placement of the detector."""
        return load_placement(self.detector)

    def digest(self, chunk: int, model_digest: str) -> str:
        """Hash of all that the deposits depend on, and of the size of the chunks.

        Arguments:
            chunk: Events of a chunk.
            model_digest: Hash of the model's weights, or a text that tells them apart.
        """
        trigger = None if self.trigger is None else repr(self.trigger)
        content = (
            self.source.digest(),
            self.model.name,
            model_digest,
            repr(self.detector),
            self.seed,
            trigger,
            chunk,
        )
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def check_events(self) -> EventCensus:
        """Read all events once, and refuse what cannot be simulated.

        Raises:
            CalozooError: If the events cannot be read, or one cannot be simulated; the message
                names the primary.
        """
        simulation, _ = find_full_simulation(self.model)
        n_events, pdgs = 0, set[int]()
        for first, events in self.source.survey(_CHECKED_AT_ONCE):
            check_numbers(events, first)
            check_vertices(events, first, self.placement)
            self._check_primaries(events, first, simulation)
            pdgs.update(events.pdg.tolist())
            n_events = first + len(events)
        return EventCensus(n_events, tuple(sorted(pdgs, key=list(PARTICLES).index)))

    def _check_primaries(self, events: Events, first: int, simulation: type[Generator]) -> None:
        """Refuse primaries that the full simulation cannot do, if it gets them."""
        pi0 = (events.pdg == _PI0).nonzero()[0]
        if len(pi0) and missing_physics(self.detector.physics, "pi0"):
            msg = (
                f"{events.label(int(pi0[0]), first)} is a pi0 that was not decayed, and "
                "Geant4's electromagnetic physics leaves nothing of it; decay it in the event "
                "generator."
            )
            raise InputError(msg)
        faults = simulation.impossible_primaries(self.detector, events)
        primaries = events.primaries if faults else []
        for row, fault in faults.items():
            if not self._takes_at_start(primaries[row]):
                msg = f"{events.label(row, first)} {fault}."
                raise InputError(msg)

    def _takes_at_start(self, primary: Primary) -> bool:
        return self.trigger is not None and self.trigger.accepts(
            self.placement, TakenParticle.at_start(primary)
        )


@dataclass(frozen=True)
class EventCensus:
    """Number of events of a source, and the kinds of their particles.

    Arguments:
        n_events: Number of events.
        pdgs: Numbers of the particles in the PDG's scheme.
    """

    n_events: int
    pdgs: tuple[int, ...]

    def missing_physics(self, physics: str) -> str | None:
        """Sentence on the particles that physics of a detector does not simulate fully; or None."""
        by_kind: dict[str, list[str]] = {}
        for pdg in self.pdgs:
            name = particle_name(pdg)
            loss = missing_physics(physics, name)
            if loss is not None:
                by_kind.setdefault(loss, []).append(name)
        if not by_kind:
            return None
        clauses = [f"{loss}: {', '.join(names)}" for loss, names in by_kind.items()]
        return f"{physics} has no hadrons ({'; '.join(clauses)})."


def find_full_simulation(model: ModelSpec) -> tuple[type[Generator], bool]:
    """Class of the full simulation, and whether it is the model itself.

    Arguments:
        model: Spec of the model.

    Raises:
        CalozooError: If no full simulation is installed.
    """
    own = names.find_factory(model)
    if _simulates_events(own):
        return own, True
    factory = names.find_factory(api.find_model(FULL_SIMULATION))
    if not _simulates_events(factory):
        msg = f"{FULL_SIMULATION} simulates no events; install the newest calozoo-geant4."
        raise CalozooError(msg)
    return factory, False


def find_simulation_spec(name: str, detector: Detector) -> ModelSpec:
    """Spec of a full simulation in a detector.

    Arguments:
        name: Its name: an architecture means its tag of this detector, and the architecture alone
            where there is none.
        detector: The detector.

    Raises:
        InputError: If the name is that of a tag of another detector.
    """
    spec = api.find_model(name)
    if load_detector(spec.detector) == detector:
        return spec
    architecture, _, _ = spec.name.partition(".")
    if "." in name:
        msg = (
            f"{spec.name} simulates {spec.detector}, not {detector.name}; write {architecture}, or "
            f"give detector={spec.detector}."
        )
        raise InputError(msg, argument=f"detector={spec.detector}")
    for other in names.list_models(architecture):
        if other.factory == spec.factory and load_detector(other.detector) == detector:
            return other
    return spec.model_copy(update={"name": architecture, "detector": detector.name})


def make_trigger(
    detector: Detector, model: ModelSpec, least_energy_gev: float | None = None
) -> FaceTrigger:
    """Choice of the particles that are left to a model.

    Arguments:
        detector: The detector.
        model: Spec of the model.
        least_energy_gev: Particles below it stay with the full simulation; by default 5 GeV.

    Raises:
        InputError: If the energy is impossible.
    """
    conditions = model.conditions
    ranges = conditions.energy_gev, conditions.theta_deg
    if least_energy_gev is None:
        return FaceTrigger(Trigger.of(detector, conditions.particles), *ranges)
    if not 0 < least_energy_gev < float("inf"):
        msg = f"The least energy for a model must be above 0 GeV, not {least_energy_gev:g}."
        raise InputError(msg, argument="least_energy_gev")
    return FaceTrigger(Trigger.of(detector, conditions.particles, least_energy_gev), *ranges)


def _simulates_events(factory: type[Generator]) -> bool:
    return getattr(factory.full_simulation, "__func__", None) is not (
        Generator.full_simulation.__func__  # type: ignore[attr-defined]
    )


def model_digest(model: ModelSpec, weights: Path | None) -> str:
    """Text that tells the weights of a model apart: their hash, or the revision of the index.

    Arguments:
        model: Spec of the model.
        weights: Folder of other weights; None for the model's own.
    """
    if weights is None:
        return model.weights or ""
    digest = hashlib.sha256()
    for path in sorted(weights.iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
