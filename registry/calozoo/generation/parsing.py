"""Parsing of a request: energies, directions and positions as text, to distributions.

Example:
    >>> source = make_source("10:100", "cone:60", n=5, seed=1)
    >>> len(source)
    5
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from calozoo.generation.incident_sources import (
    Cone,
    Distribution,
    IncidentSource,
    ListedValues,
    LogUniformEnergy,
    UniformEnergy,
    check_rows,
    unit_vectors,
)
from calozoo.generation.incident_tables import IncidentTable, TableReader
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    from calozoo_core.placement import Placement

__all__ = [
    "default_n",
    "is_shower_file",
    "make_source",
    "make_source_from_ip",
    "parse_direction",
    "parse_energy",
    "parse_momentum",
    "parse_position",
]

# No calorimeter sees energies or angles beyond these, and they stay what they are in 32 bits.
MIN_ENERGY_GEV, MAX_ENERGY_GEV = 1e-12, 1e9
MIN_COSINE = 1e-6

ENERGY_FORMS = "a number of GeV, or 10:100, log:1:1000, 10,20,50 or @FILE (one a row, or .h5)"
DIRECTION_FORMS = "THETA,PHI in degrees, X,Y,Z, cone:60 or @FILE (one of these a row, or .h5)"

POSITION_FORMS = "X,Y,Z in mm, random or @FILE (one X,Y,Z a row, or .h5)"
MOMENTUM_FORMS = "THETA,PHI in degrees from the beam, X,Y,Z or @FILE (one of these a row)"

Value = TypeVar("Value", float, FloatArray)


def make_source(
    energy: str,
    direction: str | None = None,
    n: int | None = None,
    *,
    seed: int = 0,
    particle: str = "gamma",
    position: str = "random",
    placement: Placement | None = None,
) -> IncidentSource:
    """Incident particles of a request written as text.

    Arguments:
        energy: See `parse_energy`.
        direction: See `parse_direction`; None for those of a table that has energies and
            directions, else straight in.
        n: Number of particles; by default the rows of a file, else the entries of a list, which is
            one for a single value.
        seed: Seed of all distributions.
        particle: PDG name.
        position: See `parse_position`.
        placement: Detector that the particles enter at these positions; None for no positions.

    Raises:
        InputError: If the text cannot be read or makes no sense; the message says what to write.
        ShowerFileError: If a shower file is missing or damaged.
    """
    tables = TableReader()
    energies = parse_energy(energy, tables)
    directions = _directions(energy, tables) if direction is None else None
    if directions is None:
        directions = parse_direction("0,0" if direction is None else direction, tables)
    positions = None if placement is None else parse_position(position, placement, tables)
    if n is None:
        n = default_n(energies, directions, positions)
    source = IncidentSource(energies, directions, n, seed, particle, positions)
    if placement is not None and positions is not None:
        from calozoo.generation.placement import check_entry_points

        check_entry_points(positions, n, placement)
    return source


def make_source_from_ip(
    energy: str,
    direction: str | None,
    n: int | None = None,
    *,
    seed: int = 0,
    particle: str = "gamma",
    placement: Placement,
    extrapolate: bool = False,
) -> IncidentSource:
    """Incident particles that fly straight from the interaction point (IP) into a detector.

    Arguments:
        energy: See `parse_energy`.
        direction: See `parse_momentum`; None for all directions that the trigger takes.
        n: Number of particles; by default as in `make_source`.
        seed: Seed of all distributions.
        particle: PDG name.
        placement: The detector.
        extrapolate: Allow directions that the trigger does not take.

    Raises:
        InputError: If the text cannot be read or makes no sense, the particle has a charge, or one
            misses the detector; the message says what to write.
        ConditionsError: If the trigger does not take a direction and `extrapolate` is not set.
        ShowerFileError: If a shower file is missing or damaged.
    """
    from calozoo.generation.placement import (
        EntryPoints,
        LinesFromIp,
        LocalDirections,
        check_lines,
    )

    tables = TableReader()
    energies = parse_energy(energy, tables)
    momenta = None if direction is None else parse_momentum(direction, tables)
    if n is None:
        n = default_n(energies, momenta)
    check_rows(n, momenta)
    lines = LinesFromIp(placement, momenta)
    check_lines(lines, n, particle, extrapolate=extrapolate)
    directions = LocalDirections(lines, seed)
    return IncidentSource(energies, directions, n, seed, particle, EntryPoints(lines))


def is_shower_file(name: str | Path) -> bool:
    """True if a name has the suffix of a shower file; the file need not exist.

    Example:
        >>> is_shower_file("showers.h5"), is_shower_file("energies.txt"), is_shower_file("toy")
        (True, False, False)
    """
    return Path(name).suffix in (".h5", ".hdf5")


def parse_energy(text: str, tables: TableReader | None = None) -> Distribution:
    """Energies in GeV from `50`, `10:100`, `log:1:1000`, `10,20,50` or `@file`.

    A file is a table (see `incident_tables`), or a shower file, whose incident energies are taken.

    Arguments:
        text: The energies; `@-` for a table in the standard input.
        tables: Reader of the tables of the request.

    Raises:
        InputError: If the text is none of these, or an energy is not positive.
        ShowerFileError: If the shower file is missing or damaged.

    Example:
        >>> parse_energy("log:1:1000")
        LogUniformEnergy(low=1.0, high=1000.0)
    """
    if text.startswith("@"):
        tables, file = tables or TableReader(), text[1:]
        if is_shower_file(file) or tables.is_hdf5(file):
            return ListedValues(_read_incident(file).energy.astype(np.float64), file=file)
        table = tables.read(file)
        return _listed(table, table.energies(), lambda energy, where: _energy(str(energy), where))
    if ":" not in text:
        return ListedValues(np.array([_energy(word) for word in text.split(",")]))
    kind, *bounds = text.split(":") if text.startswith("log:") else ("", *text.split(":"))
    if len(bounds) != 2:
        raise InputError(_unreadable("energy", text, ENERGY_FORMS))
    low, high = (_energy(bound) for bound in bounds)
    if low > high:
        msg = f"The energy range {text} is upside down; write {high:g} before {low:g}."
        raise InputError(msg)
    return LogUniformEnergy(low, high) if kind else UniformEnergy(low, high)


def parse_direction(text: str, tables: TableReader | None = None) -> Distribution:
    """Directions from `theta,phi` in degrees, `x,y,z`, `cone:60` or `@file`.

    Theta is measured from the calorimeter normal z', phi around it from x'. A file is a table (see
    `incident_tables`), or a shower file, whose incident directions are taken.

    Arguments:
        text: The directions; `@-` for a table in the standard input.
        tables: Reader of the tables of the request.

    Raises:
        InputError: If the text is none of these, or does not point into the calorimeter.
        ShowerFileError: If the shower file is missing or damaged.

    Example:
        >>> parse_direction("0,0").sample(seed=0, first=0, stop=1).tolist()
        [[0.0, 0.0, 1.0]]
    """
    if text.startswith("@"):
        tables, file = tables or TableReader(), text[1:]
        if is_shower_file(file) or tables.is_hdf5(file):
            return ListedValues(_read_incident(file).direction.astype(np.float64), file=file)
        table = tables.read(file)
        return _listed(table, table.directions(), _local_direction)
    if text.startswith("cone:"):
        return Cone(_theta(_number(text.removeprefix("cone:")), text))
    if text.count(",") != 1:
        return ListedValues(np.array([_vector(_three(text, "direction", DIRECTION_FORMS), text)]))
    theta, phi = (_number(word) for word in text.split(","))
    if phi is None:
        raise InputError(_unreadable("direction", text, DIRECTION_FORMS))
    return ListedValues(unit_vectors(np.array([_theta(theta, text)]), np.array([phi])))


def parse_position(
    text: str, placement: Placement, tables: TableReader | None = None
) -> Distribution:
    """Global positions in mm from `x,y,z`, `random` or `@file`.

    Random positions are entry points of straight lines from the interaction point, within the
    acceptance of the trigger. A file is a table (see `incident_tables`), or a shower file with
    positions.

    Arguments:
        text: The positions; `@-` for a table in the standard input.
        placement: The detector.
        tables: Reader of the tables of the request.

    Raises:
        InputError: If the text is none of these.
        ShowerFileError: If the shower file is missing or damaged.
    """
    if text == "random":
        from calozoo.generation.placement import EntryPoints, LinesFromIp

        return EntryPoints(LinesFromIp(placement))
    if not text.startswith("@"):
        return ListedValues(np.array([_three(text, "position", POSITION_FORMS)]))
    tables, file = tables or TableReader(), text[1:]
    if not is_shower_file(file) and not tables.is_hdf5(file):
        table = tables.read(file)
        return ListedValues(table.positions(), file=table.file)
    positions = _read_incident(file).position
    if positions is None:
        msg = f"The showers of {file} have no positions; write position={POSITION_FORMS}."
        raise InputError(msg, argument="position=X,Y,Z")
    return ListedValues(positions, file=file)


def parse_momentum(text: str, tables: TableReader | None = None) -> Distribution:
    """Directions in the detector's frame from `theta,phi` in degrees, `x,y,z` or `@file`.

    Theta is measured from the beam, phi around it. A file is a table (see `incident_tables`).

    Arguments:
        text: The directions; `@-` for a table in the standard input.
        tables: Reader of the tables of the request.

    Raises:
        InputError: If the text is none of these.

    Example:
        >>> parse_momentum("90,90").sample(seed=0, first=0, stop=1).round(6).tolist()
        [[0.0, 1.0, 0.0]]
    """
    if text.startswith("@"):
        table = (tables or TableReader()).read(text[1:])
        return _listed(table, table.directions(), _global_direction)
    if text.count(",") != 1:
        return ListedValues(np.array([_momentum(_three(text, "direction", MOMENTUM_FORMS), text)]))
    theta, phi = (_number(word) for word in text.split(","))
    if theta is None or phi is None or not 0 <= theta <= 180:
        raise InputError(_unreadable("direction", text, MOMENTUM_FORMS))
    return ListedValues(unit_vectors(np.array([theta]), np.array([phi])))


def default_n(*distributions: Distribution | None) -> int:
    """Default number of showers: the rows of a file, else the entries of a list, or one.

    Raises:
        InputError: If files have different numbers of rows.
    """
    rows = [one for one in distributions if isinstance(one, ListedValues)]
    files = [one for one in rows if one.file is not None]
    counts = {len(one.values) for one in files}
    if len(counts) > 1:
        parts = " and ".join(f"{one.file} {len(one.values)}" for one in files)
        msg = f"The files have different numbers of rows, {parts}; give n."
        raise InputError(msg, argument="n")
    return counts.pop() if counts else max([1, *(len(one.values) for one in rows)])


def _read_incident(path: str) -> Incident:
    """Incident particles of a shower file; those of the CaloChallenge's come straight in."""
    from calozoo_core.io import ShowerFile, calochallenge

    if calochallenge.is_challenge_file(path):
        return Incident(calochallenge.read_energies(path) / 1000, (0, 0, 1), "e-")
    with ShowerFile(path) as file:
        if not len(file):
            msg = f"The file {path} holds no showers; name one that does."
            raise InputError(msg)
        return file.incident()


def _directions(energy: str, tables: TableReader) -> Distribution | None:
    """Directions that stand beside the energies of a table; None if there are none."""
    file = energy[1:]
    if not energy.startswith("@") or is_shower_file(file) or tables.is_hdf5(file):
        return None
    return parse_direction(energy, tables) if tables.read(file).has_directions else None


def _listed(
    table: IncidentTable, values: FloatArray, check: Callable[[Any, str], Value]
) -> ListedValues:
    """Values of a table, each checked on its own."""
    checked = [check(value, table.where(row)) for row, value in enumerate(values)]
    return ListedValues(np.array(checked), file=table.file)


def _local_direction(values: FloatArray, where: str) -> FloatArray:
    text = _joined(values)
    if len(values) == 2:
        theta = np.array([_theta(values[0], text + where)])
        direction: FloatArray = unit_vectors(theta, values[1:])[0]
        return direction
    return _vector(values, text, where)


def _global_direction(values: FloatArray, where: str) -> FloatArray:
    text = _joined(values)
    if len(values) == 3:
        return _momentum(values, text, where)
    if not 0 <= values[0] <= 180:
        raise InputError(_unreadable("direction", text, MOMENTUM_FORMS, where))
    direction: FloatArray = unit_vectors(values[:1], values[1:])[0]
    return direction


def _joined(values: FloatArray) -> str:
    return ",".join(f"{value:g}" for value in values)


def _energy(word: str, where: str = "") -> float:
    value = _number(word)
    if value is None:
        raise InputError(_unreadable("energy", word, ENERGY_FORMS, where))
    if not MIN_ENERGY_GEV <= value <= MAX_ENERGY_GEV:
        msg = f"An energy must be positive and below {MAX_ENERGY_GEV:g} GeV, not {value:g}{where}."
        raise InputError(msg)
    return value


def _vector(vector: FloatArray, text: str, where: str = "") -> FloatArray:
    """Direction in the local frame, its largest component 1."""
    largest = np.abs(vector).max()
    if not largest:
        msg = f"The direction {text}{where} is zero; write 0,0,1 for straight in."
        raise InputError(msg)
    scaled: FloatArray = vector / largest
    if scaled[2] <= MIN_COSINE * np.linalg.norm(scaled):
        msg = (
            f"The direction {text}{where} does not point into the calorimeter; "
            "write a z' that is positive."
        )
        raise InputError(msg)
    return scaled


def _momentum(vector: FloatArray, text: str, where: str = "") -> FloatArray:
    """Direction in the detector's frame, its largest component 1."""
    largest = np.abs(vector).max()
    if not largest:
        msg = f"The direction {text}{where} is zero; write 0,1,0 for straight up."
        raise InputError(msg)
    scaled: FloatArray = vector / largest
    return scaled


def _three(text: str, what: str, forms: str) -> FloatArray:
    numbers = [_number(word) for word in text.split(",")]
    if len(numbers) != 3 or None in numbers:
        raise InputError(_unreadable(what, text, forms))
    return np.array([float(number) for number in numbers if number is not None])


def _theta(degrees: float | None, text: str) -> float:
    if degrees is None:
        raise InputError(_unreadable("direction", text, DIRECTION_FORMS))
    if not 0 <= degrees < 90:
        msg = (
            f"The direction {text} does not point into the calorimeter; write a theta from 0, "
            "straight in, to less than 90 degrees."
        )
        raise InputError(msg)
    return degrees


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _unreadable(what: str, text: str, forms: str, where: str = "") -> str:
    return f"Cannot read the {what} {reprlib.repr(text)}{where}; write {forms}."
