"""Particles by their number in the PDG's scheme, and the names that Geant4 has for them."""

from __future__ import annotations

import operator
from typing import Any, Final

from calozoo_core.errors import InputError

__all__ = [
    "INVISIBLE",
    "PARTICLES",
    "meant_particle",
    "particle_name",
    "particle_number",
    "to_particle_name",
]

PARTICLES = {
    22: "gamma",
    11: "e-",
    -11: "e+",
    13: "mu-",
    -13: "mu+",
    12: "nu_e",
    -12: "anti_nu_e",
    14: "nu_mu",
    -14: "anti_nu_mu",
    16: "nu_tau",
    -16: "anti_nu_tau",
    111: "pi0",
    211: "pi+",
    -211: "pi-",
    130: "kaon0L",
    310: "kaon0S",
    321: "kaon+",
    -321: "kaon-",
    2112: "neutron",
    -2112: "anti_neutron",
    2212: "proton",
    -2212: "anti_proton",
    3122: "lambda",
    -3122: "anti_lambda",
    3112: "sigma-",
    -3112: "anti_sigma-",
    3222: "sigma+",
    -3222: "anti_sigma+",
    3312: "xi-",
    -3312: "anti_xi-",
    3322: "xi0",
    -3322: "anti_xi0",
    3334: "omega-",
    -3334: "anti_omega-",
}
"""Names in Geant4 of the particles that live long enough to reach a calorimeter, and of pi0."""

INVISIBLE = frozenset({12, -12, 14, -14, 16, -16})
"""Neutrinos, which leave nothing in a calorimeter."""

_NUMBERS = {name: number for number, name in PARTICLES.items()}

_WORDS: Final = {
    "photon": "gamma",
    "g": "gamma",
    "\u03b3": "gamma",
    "electron": "e-",
    "e": "e-",
    "positron": "e+",
    "muon": "mu-",
    "mu": "mu-",
    "pion": "pi+",
    "pi": "pi+",
    "k+": "kaon+",
    "k-": "kaon-",
    "n": "neutron",
    "p": "proton",
    "antiproton": "anti_proton",
    "antineutron": "anti_neutron",
} | {name.casefold(): name for name in _NUMBERS}
"""Names by what people write instead of them, in lower case."""


def particle_name(number: int) -> str:
    """Name of a particle, such as gamma or e-.

    Arguments:
        number: Number in the PDG's scheme.

    Raises:
        InputError: If it is none of `PARTICLES`.

    Example:
        >>> particle_name(-11)
        'e+'
    """
    name = PARTICLES.get(number)
    if name is None:
        msg = (
            f"There is no long-lived particle with the PDG number {number}; decay it in the event "
            "generator."
        )
        raise InputError(msg)
    return name


def particle_number(name: str) -> int:
    """Number of a particle in the PDG's scheme.

    Arguments:
        name: Name, such as gamma or e-.

    Raises:
        InputError: If it is none of `PARTICLES`.

    Example:
        >>> particle_number("gamma")
        22
    """
    number = _NUMBERS.get(name)
    if number is None:
        known = ", ".join(list(_NUMBERS)[:5])
        msg = f"No particle is called {name!r}; write a PDG name, such as {known}."
        raise InputError(msg)
    return number


def to_particle_name(particle: Any) -> str:
    """Name of a particle that is given by its name or its number.

    Arguments:
        particle: The name, which is returned as it is, or the number, also as a text.

    Raises:
        InputError: If it is neither, or a number without a name.

    Example:
        >>> to_particle_name(22), to_particle_name("-11"), to_particle_name("gamma")
        ('gamma', 'e+', 'gamma')
    """
    if isinstance(particle, str):
        digits = particle.strip().removeprefix("+")
        is_number = digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) < 12
        return particle_name(int(digits)) if is_number else particle
    try:
        if isinstance(particle, bool):
            raise TypeError
        return particle_name(operator.index(particle))
    except TypeError:
        msg = (
            f"particle must be one PDG name for all primaries, such as 'gamma', not {particle!r}; "
            "make an Incident for each particle."
        )
        raise InputError(msg, argument="particle") from None


def meant_particle(word: str) -> str | None:
    """Name of the particle that was probably meant by a word; None if nothing is like it.

    Example:
        >>> meant_particle("photon"), meant_particle("Gamma"), meant_particle("shower") is None
        ('gamma', 'gamma', True)
    """
    return _WORDS.get(word.casefold())
