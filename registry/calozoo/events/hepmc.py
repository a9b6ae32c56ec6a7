"""Events of HepMC3 files, read with pyhepmc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from calozoo_core.errors import CalozooError, InputError, ShowerFileError
from calozoo_core.events import Events
from calozoo_core.particles import INVISIBLE, PARTICLES

__all__ = ["read_hepmc"]

_FINAL = 1
_LIGHT_MM_PER_NS = 299.792458


def read_hepmc(path: Path) -> Iterator[Events]:
    """Events of a HepMC3 file one by one: its particles of status 1, but for neutrinos.

    Momenta are in the unit that the file says, vertices in that of its lengths.

    Arguments:
        path: The file, of ASCII text, perhaps packed with gzip.

    Raises:
        CalozooError: If pyhepmc is not installed.
        ShowerFileError: If the file is damaged.
        InputError: If a particle is impossible; the message names it.
    """
    try:
        import pyhepmc
    except ImportError as error:
        msg = "HepMC3 files need pyhepmc; type `pip install 'calozoo[physics]'`."
        raise CalozooError(msg) from error
    number = -1
    try:
        with pyhepmc.open(str(path)) as file:
            for number, event in enumerate(file):
                yield _events(event, number, pyhepmc)
    except CalozooError:
        raise
    except Exception as error:  # any file may be given
        msg = f"{path} is not a sound HepMC3 file (after event {number}); make it again."
        raise ShowerFileError(msg) from error


def _events(event: Any, number: int, pyhepmc: Any) -> Events:
    event.set_units(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    final = [p for p in event.particles if p.status == _FINAL and p.pid not in INVISIBLE]
    unknown = [p for p in final if p.pid not in PARTICLES]
    if unknown:
        msg = (
            f"Event {number} has a final particle with the PDG number {unknown[0].pid}, which does "
            "not live long enough to reach a calorimeter; decay it in the event generator."
        )
        raise InputError(msg)
    momentum = np.array([(p.momentum.px, p.momentum.py, p.momentum.pz) for p in final])
    momentum = momentum.reshape(-1, 3)
    energy = np.array([p.momentum.e for p in final], np.float64)
    mass = np.array([max(p.generated_mass, 0.0) for p in final], np.float64)
    bad = np.flatnonzero(~(momentum != 0).any(axis=1) | ~np.isfinite(momentum).all(axis=1))
    if len(bad):
        msg = f"Event {number} has a {PARTICLES[final[bad[0]].pid]} with a momentum of zero."
        raise InputError(msg)
    squared = (momentum**2).sum(axis=1)
    # E - m loses all digits for slow particles; p^2 / (E + m) does not.
    kinetic = squared / (np.maximum(energy, np.sqrt(squared)) + mass)
    mothers = [_mother(p) for p in final]
    positions = [_position(p) for p in final]
    return Events.of(
        [0, len(final)],
        [p.pid for p in final],
        kinetic,
        momentum,
        np.array([at[:3] for at in positions]).reshape(-1, 3),
        np.array([at[3] / _LIGHT_MM_PER_NS for at in positions], np.float64),
        np.array([mother for mother, _ in mothers], np.int32),
        np.array([pdg for _, pdg in mothers], np.int32),
    )


def _mother(particle: Any) -> tuple[int, int]:
    """Number of the mother in the event and its PDG number, if it is one."""
    vertex = particle.production_vertex
    parents = list(vertex.particles_in) if vertex is not None else []
    return (parents[0].id, parents[0].pid) if len(parents) == 1 else (-1, 0)


def _position(particle: Any) -> tuple[float, float, float, float]:
    vertex = particle.production_vertex
    if vertex is None:
        return 0.0, 0.0, 0.0, 0.0
    at = vertex.position
    return at.x, at.y, at.z, at.t
