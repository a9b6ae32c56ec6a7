"""Import of shower files of other programs into the native format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from calozoo.export.formats import parse_grid, parse_voxels
from calozoo.generation.generate_file import check_output
from calozoo.generation.parsing import make_source
from calozoo.output_files import check_sources
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.io import ShowerWriter, calochallenge, ddml, root
from calozoo_core.particles import to_particle_name
from calozoo_core.showers import Showers
from calozoo_core.voxels import DATASETS

__all__ = ["IMPORT_FORMATS", "import_file"]

IMPORT_FORMATS: Final = ("calochallenge", "par04", "ddml", "root")

_VOXELS: Final = {"detector", "particle", "voxels", "bin", "sampling_fraction", "seed"}
_OWN_OPTIONS: Final[dict[str, set[str]]] = {
    "calochallenge": _VOXELS,
    "par04": _VOXELS,
    "ddml": {"detector", "particle", "grid", "energy", "direction"},
    "root": set(),
}

_NOT_READ: Final = {
    "caloclouds": "its axes, its origin and the units of its energies differ from file to file, "
    "and no file says them",
    "showerdata": "it says neither its detector nor the units of its energies, of which GeV and "
    "MeV are in use",
}
"""Layouts that cannot be read safely, and why."""

RUN: Final = 256


def import_file(
    source: Path,
    out: Path,
    from_format: str,
    *,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    on_batch: Callable[[int], None] = lambda n: None,
) -> ShowerWriter:
    """Write the showers of another program's file as a native file, whole or not at all.

    Arguments:
        source: The file.
        out: The native file.
        from_format: One of `IMPORT_FORMATS`.
        options: What the file does not say: `detector`, `particle`, `voxels`, `bin`,
            `sampling_fraction` and `seed` (of the places in a voxel) for "calochallenge" and
            "par04"; `detector`, `particle`, `grid`, `energy` and `direction`, as `make_source`
            reads them, for "ddml".
        overwrite: Replace a file that is already there.
        on_batch: Called with the number of showers of each batch.

    Returns:
        The closed writer, which has the totals.

    Raises:
        InputError: If the format is unknown, or an option is missing or belongs to another.
        CalozooError: Whatever reading and writing raise.
    """
    if from_format in _NOT_READ:
        msg = (
            f"The layout of {from_format} is not read, since {_NOT_READ[from_format]}; "
            "write the showers with calozoo_core.io.write_showers."
        )
        raise InputError(msg)
    if from_format not in IMPORT_FORMATS:
        msg = (
            f"There is no format {from_format!r} to import; there are {', '.join(IMPORT_FORMATS)}."
        )
        raise InputError(msg)
    given = {name: value for name, value in (options or {}).items() if value is not None}
    for name in given:
        if name not in _OWN_OPTIONS[from_format]:
            msg = f"{name} means nothing to {from_format}; leave it out."
            raise InputError(msg, argument=name)
    check_sources(out, [source])
    check_output(out, overwrite=overwrite)
    batches = _batches(source, from_format, given)
    provenance = {"imported_from": source.name, "imported_format": from_format}
    with ShowerWriter(
        out,
        generator=_generator(source, from_format),
        seed=int(given.get("seed", 0)),
        overwrite=overwrite,
        provenance=provenance,
    ) as writer:
        for showers in batches:
            writer.append(showers)
            on_batch(len(showers))
    return writer


def _generator(source: Path, from_format: str) -> str:
    """Who made the showers, as far as the file says it."""
    return root.read_generator(source) if from_format == "root" else "unknown"


def _batches(source: Path, from_format: str, given: Mapping[str, Any]) -> Iterator[Showers]:
    if from_format == "root":
        return root.read_batches(source, RUN)
    if from_format == "ddml":
        return iter([_library(source, given)])
    return _voxelised(source, from_format, given)


def _voxelised(source: Path, from_format: str, given: Mapping[str, Any]) -> Iterator[Showers]:
    detector = given.get("detector", "par04_siw")
    cylinders = parse_voxels(given.get("voxels"), given.get("bin"), detector)
    is_dataset = any(cylinders.is_like(known) for known in DATASETS.values())
    default = calochallenge.SAMPLING_FRACTION if is_dataset else 1.0
    return calochallenge.read_batches(
        source,
        cylinders,
        detector=detector,
        particle=to_particle_name(given.get("particle", "e-")),
        seed=int(given.get("seed", 0)),
        sampling_fraction=given.get("sampling_fraction", default),
        layout="par04" if from_format == "par04" else "calochallenge",
    )


def _library(source: Path, given: Mapping[str, Any]) -> Showers:
    for name in ("detector", "energy"):
        if name not in given:
            msg = f"A library of DDML does not say its {name}; give {name}."
            raise InputError(msg, argument=name)
    n = ddml.count(source)
    incidents = make_source(
        given["energy"],
        given.get("direction"),
        n,
        particle=to_particle_name(given.get("particle", "gamma")),
    )
    ((_, incident),) = incidents.batches(n)
    detector, grid = given["detector"], given.get("grid")
    cells = None if grid is None else parse_grid(grid, detector)
    showers = ddml.read_library(source, incident, detector=detector, grid=cells)
    if not len(showers):
        msg = f"{source} holds no showers."
        raise ShowerFileError(msg)
    return showers
