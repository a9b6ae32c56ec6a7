"""Events of HepMC3 files, read with pyhepmc."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from calozoo.events.hepmc_text import ASCII_V3, IO_GEN_EVENT, EventText, read_event_texts
from calozoo_core.errors import CalozooError, InputError, ShowerFileError
from calozoo_core.events import Events
from calozoo_core.particles import INVISIBLE, PARTICLES
from calozoo_core.typing import FloatArray

__all__ = ["read_hepmc"]

_FINAL = 1
_LIGHT_MM_PER_NS = 299.792458


def read_hepmc(path: Path) -> Iterator[Events]:
    """Events of a HepMC3 file one by one: its particles of status 1, but for neutrinos.

    Momenta are in the unit that the file says, vertices in that of its lengths. Files of HepMC2 are
    read too.

    Arguments:
        path: The file, of ASCII text, perhaps packed with gzip.

    Raises:
        CalozooError: If pyhepmc is not installed.
        ShowerFileError: If the file is no HepMC file, is cut, or an event in it is damaged.
        InputError: If a particle is impossible; the message names it.
    """
    try:
        import pyhepmc
    except ImportError as error:
        msg = "HepMC3 files need pyhepmc; type `pip install 'calozoo[physics]'`."
        raise CalozooError(msg) from error
    for number, text in enumerate(read_event_texts(path)):
        event = pyhepmc.GenEvent()
        if text.n_particles and not _parse(text, event):
            msg = f"Event {number} of {path} is damaged (HepMC cannot read it); make it again."
            raise ShowerFileError(msg)
        yield _events(event, number, pyhepmc)


def _parse(text: EventText, event: Any) -> bool:
    """Read an event from its text, without the messages that HepMC writes to stdout.

    Returns:
        `False` if that fails.
    """
    from pyhepmc import Setup, io

    reader_of = {ASCII_V3: io.ReaderAscii, IO_GEN_EVENT: io.ReaderAsciiHepMC2}[text.kind]
    before = Setup.print_errors, Setup.print_warnings, Setup.debug_level
    Setup.print_errors, Setup.print_warnings, Setup.debug_level = False, False, 0
    try:
        with reader_of(io.pyiostream(BytesIO(text.file))) as reader:
            is_read = reader.read_event(event) and not reader.failed()
            return is_read and len(event.particles) == text.n_particles
    finally:
        Setup.print_errors, Setup.print_warnings, Setup.debug_level = before


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
    at = np.array([_position(p) for p in final], np.float64).reshape(-1, 4)
    mothers = [_mother(p) for p in final]
    return Events.of(
        [0, len(final)],
        [p.pid for p in final],
        _kinetic_energy(momentum, energy, mass),
        momentum,
        at[:, :3],
        at[:, 3] / _LIGHT_MM_PER_NS,
        np.array([mother for mother, _ in mothers], np.int32),
        np.array([pdg for _, pdg in mothers], np.int32),
        first_event=number,
    )


def _kinetic_energy(momentum: FloatArray, energy: FloatArray, mass: FloatArray) -> FloatArray:
    """Kinetic energies in GeV, shape (N,).

    E - m loses all digits for slow particles; p^2 / (E + m) does not.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.linalg.norm(momentum, axis=1)
        ratio = np.divide(p, np.maximum(energy, p) + mass, where=p > 0, out=np.zeros_like(p))
        kinetic: FloatArray = p * ratio
    return kinetic


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
