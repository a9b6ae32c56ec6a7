"""What a person asks for, turned into primaries."""

from __future__ import annotations

from calozoo.generation.entry_points import (
    Entries,
    Flights,
    LocalDirections,
    check_flights,
    check_positions,
)
from calozoo.generation.incident_sources import IncidentSource, check_rows
from calozoo.generation.parsing import (
    default_n,
    parse_direction,
    parse_energy,
    parse_momentum,
    parse_position,
)
from calozoo_core.placement import Placement

__all__ = ["make_flights", "make_source"]


def make_source(
    energy: str,
    direction: str = "0,0",
    n: int | None = None,
    *,
    seed: int = 0,
    particle: str = "gamma",
    position: str = "random",
    placement: Placement | None = None,
) -> IncidentSource:
    """The primaries that a person describes in words.

    Arguments:
        energy: See `parse_energy`.
        direction: See `parse_direction`.
        n: How many; by default the rows of a file, else the entries of a list, which is one for a
            single value.
        seed: Decides what is drawn.
        particle: PDG name.
        position: See `parse_position`.
        placement: The detector they enter at these positions; None for primaries without any.

    Raises:
        InputError: If the words cannot be read or make no sense; the message says what to write.
        ShowerFileError: If a shower file is missing or damaged.
    """
    energies, directions = parse_energy(energy), parse_direction(direction)
    positions = None if placement is None else parse_position(position, placement)
    if n is None:
        n = default_n(energies, directions, positions)
    source = IncidentSource(energies, directions, n, seed, particle, positions)
    if placement is not None and positions is not None:
        check_positions(positions, n, placement)
    return source


def make_flights(
    energy: str,
    direction: str | None,
    n: int | None = None,
    *,
    seed: int = 0,
    particle: str = "gamma",
    placement: Placement,
    extrapolate: bool = False,
) -> IncidentSource:
    """Primaries that fly straight from the interaction point into a detector.

    Arguments:
        energy: See `parse_energy`.
        direction: See `parse_momentum`; None for all directions that the trigger takes.
        n: How many; by default as in `make_source`.
        seed: Decides what is drawn.
        particle: PDG name.
        placement: The detector.
        extrapolate: Fly to where the trigger takes none, too.

    Raises:
        InputError: If the words cannot be read or make no sense, the particle has a charge, or one
            misses the detector; the message says what to write.
        ConditionsError: If the trigger takes none in a direction and `extrapolate` is not set.
        ShowerFileError: If a shower file is missing or damaged.
    """
    energies = parse_energy(energy)
    momenta = None if direction is None else parse_momentum(direction)
    if n is None:
        n = default_n(energies, momenta)
    check_rows(n, momenta)
    flights = Flights(placement, momenta)
    check_flights(flights, n, particle, extrapolate=extrapolate)
    directions = LocalDirections(flights, seed)
    return IncidentSource(energies, directions, n, seed, particle, Entries(flights))
