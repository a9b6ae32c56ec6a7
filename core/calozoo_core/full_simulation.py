"""Full simulation of the particles of events, which may leave some of them to a model."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.frames import as_text
from calozoo_core.particles import particle_number
from calozoo_core.typing import IntArray

if TYPE_CHECKING:
    from calozoo_core.placement import Placement, Trigger

__all__ = [
    "ON_FACE_MM",
    "FaceTrigger",
    "FullSimulation",
    "Primary",
    "PrimaryDeposits",
    "TakenParticle",
    "missing_physics",
]

ON_FACE_MM = 1e-3
"""Largest distance from the face of a particle that crosses it, by the rounding of positions."""

_ELECTROMAGNETIC = frozenset({"gamma", "e-", "e+", "mu-", "mu+"})
_CHARGED = ("+", "-", "proton")

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Primary:
    """Primary particle of an event.

    Arguments:
        particle: PDG name.
        energy_gev: Kinetic energy.
        vertex: Global position at which it starts, in mm.
        direction: Global unit vector.
        time_ns: Time at which it starts.

    Raises:
        InputError: If there is no such particle, or its energy is not above 0 and finite.
    """

    particle: str
    energy_gev: float
    vertex: Vector
    direction: Vector
    time_ns: float = 0.0

    def __post_init__(self) -> None:
        particle_number(self.particle)
        if not 0 < self.energy_gev < math.inf:
            msg = f"A primary needs an energy above 0 GeV, not {self.energy_gev:g} GeV."
            raise InputError(msg)

    def __str__(self) -> str:
        at = as_text(np.array(self.vertex))
        return f"{self.particle} of {self.energy_gev:g} GeV from {at} mm"


@dataclass(frozen=True)
class TakenParticle:
    """Particle that was stopped on the face of a calorimeter, for a model to simulate.

    Arguments:
        particle: PDG name.
        energy_gev: Kinetic energy at the face.
        position: Global position on the face, in mm.
        direction: Global unit vector.
        time_ns: Time at which it reached the face.
    """

    particle: str
    energy_gev: float
    position: Vector
    direction: Vector
    time_ns: float = 0.0

    @classmethod
    def at_start(cls, primary: Primary) -> TakenParticle:
        """Primary that is stopped where it starts, on the face."""
        return cls(
            primary.particle,
            primary.energy_gev,
            primary.vertex,
            primary.direction,
            primary.time_ns,
        )


@dataclass(frozen=True, eq=False)
class PrimaryDeposits:
    """Energy that the full simulation of a primary left in cells, and what it left to a model.

    Arguments:
        cell: Cells in order, each once, shape (n,).
        energy: Energy in MeV, shape (n,), without a threshold.
        taken: Particles stopped on the face, in the order of the simulation.
        is_known: `False` if the simulation knows no such particle, which then left nothing.
    """

    cell: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    energy: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    taken: tuple[TakenParticle, ...] = ()
    is_known: bool = True


@dataclass(frozen=True)
class FaceTrigger:
    """Choice of the particles on the face of a calorimeter that a model simulates.

    A particle is taken if it enters the calorimeter, the trigger accepts it, and it lies within the
    conditions that the model was trained on. All others stay with the full simulation.

    Arguments:
        trigger: Cuts by particle, energy and direction of the momentum.
        energy_gev: Least and largest energy that the model was trained on.
        theta_deg: Least and largest angle to the normal, likewise.

    Raises:
        InputError: If the trigger takes an unknown particle or has an impossible energy, or a range
            does not go from low to high.
    """

    trigger: Trigger
    energy_gev: tuple[float, float]
    theta_deg: tuple[float, float]

    def __post_init__(self) -> None:
        for particle in self.trigger.particles:
            particle_number(particle)
        if not 0 <= self.trigger.least_energy_gev < math.inf:
            energy = self.trigger.least_energy_gev
            msg = f"The least energy that a model simulates must be 0 GeV or more, not {energy:g}."
            raise InputError(msg)
        for name, (low, high), most in (
            ("energies in GeV", self.energy_gev, math.inf),
            ("angles in degrees", self.theta_deg, 180.0),
        ):
            if not 0 <= low <= high <= most:
                msg = f"The {name} that a model simulates cannot go from {low:g} to {high:g}."
                raise InputError(msg)

    def accepts(self, placement: Placement, particle: TakenParticle) -> bool:
        """`True` if a particle is on the face, and taken.

        Arguments:
            placement: Placement of the calorimeter.
            particle: The particle.
        """
        least, most = self.energy_gev
        if not least <= particle.energy_gev <= most:
            return False
        if not self.trigger.accepts(
            particle.direction, particle.energy_gev, particle.particle
        ).all():
            return False
        position, direction = np.array([particle.position]), np.array([particle.direction])
        if abs(float(placement.depth(position)[0])) > ON_FACE_MM:
            return False
        if not placement.on_face(position).all():
            return False
        cos = float(placement.local_direction(position, direction)[0, 2])
        low, high = self.theta_deg
        theta = np.degrees(np.arccos(np.clip(cos, -1.0, 1.0)))
        return cos > 0 and bool(low <= theta <= high)


def missing_physics(physics: str, particle: str) -> str | None:
    """Clause on what Geant4's simulation of a particle lacks, such as "only ionises"; or `None`.

    Arguments:
        physics: Physics of a detector: an electromagnetic constructor, which knows photons,
            electrons and muons, or a reference list, which knows hadrons too.
        particle: PDG name.

    Example:
        >>> missing_physics("G4EmStandardPhysics", "pi+")
        'only ionises'
        >>> missing_physics("FTFP_BERT", "pi+") is None
        True
    """
    is_simulated = particle in _ELECTROMAGNETIC or not physics.startswith("G4Em")
    if is_simulated or particle.startswith(("nu_", "anti_nu_")):
        return None
    return "only ionises" if particle.endswith(_CHARGED) else "leaves nothing"


class FullSimulation(ABC):
    """Full simulation of primaries in a detector, each of them for itself.

    What a primary leaves depends on it, its seed and the detector alone, whether or not its
    neighbours are simulated or left to a model.
    """

    @abstractmethod
    def run(
        self, primaries: Sequence[Primary], seeds: Sequence[int], names: Sequence[str]
    ) -> Iterator[PrimaryDeposits]:
        """Deposits of primaries, in their order.

        Arguments:
            primaries: The primaries.
            seeds: Seed of each, 0 < seed < 2^63.
            names: Name of each in error messages, such as "event 3, primary 1".

        Raises:
            CalozooError: If the simulation stops; it names the primary.
        """

    @abstractmethod
    def close(self) -> None:
        """Release processes and files."""
