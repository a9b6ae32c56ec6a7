"""The CaloChallenge's HDF5 layout: one row of voxels a shower.

::

    /incident_energies (n, 1) f8 MeV    /showers (n, n_voxels) f8 MeV

Read are also energies of shape (n,), voxels of shape (n, layers, sectors, rings), numbers of other
types and byte orders, and data packed with LZF.

Directions and the particle are not in the file. Voxels are numbered with the radius fastest, then
alpha, then the layer; `calozoo_core.voxels` says how they lie.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NoReturn
from xml.parsers import expat

import h5py
import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io._exchange_format import Exported, check_values, open_tables, write_tables
from calozoo_core.io._hdf5_guards import Table
from calozoo_core.io._layout import NUMBERS, LayoutError, has_member, table
from calozoo_core.io.file_faults import reason
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS, CylinderVoxels, LayerBins

__all__ = [
    "DATASETS",
    "SAMPLING_FRACTION",
    "THRESHOLD_MEV",
    "Layout",
    "read",
    "read_batches",
    "read_binning",
    "read_showers",
    "write",
]

SAMPLING_FRACTION: Final = 0.033
"""Visible over incident energy by which data sets 2 and 3 are divided.

    | CaloChallenge, section 2.3: https://arxiv.org/abs/2410.21611
"""

THRESHOLD_MEV: Final = 0.5e-3 / SAMPLING_FRACTION
"""Readout threshold of a voxel of data sets 2 and 3: 0.5 keV, divided likewise (15.15 keV)."""

LAYOUT: Final = "in the CaloChallenge's layout"

Layout = Literal["calochallenge", "par04"]

BLOCK_VOXELS: Final = 1 << 22

MAX_BINNING_BYTES: Final = 1 << 20
MAX_LAYERS: Final = 256
MAX_DEPTH: Final = 8


def write(
    path: str | os.PathLike[str],
    batches: Iterable[Showers],
    voxels: CylinderVoxels,
    *,
    sampling_fraction: float = 1.0,
    threshold_mev: float = 0.0,
    overwrite: bool = False,
) -> Exported:
    """Write showers as voxels, in 64 bits and packed with gzip.

    Arguments:
        path: The file.
        batches: Showers, in runs.
        voxels: The voxels; `DATASETS` has those of the challenge, `read_binning` reads others.
        sampling_fraction: What deposits are divided by; `SAMPLING_FRACTION` for data sets 2 and 3.
        threshold_mev: Voxels below it, after that division, are emptied; `THRESHOLD_MEV` for data
            sets 2 and 3.
        overwrite: Replace a file that is already there.

    Returns:
        How much was written, and how much energy fell beside the voxels or below the threshold.

    Raises:
        InputError: If the sampling fraction is not between 0 and 1, or the threshold is negative.
        DetectorError: If the layers of the showers' detector do not fit the voxels.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If a value is no measurement, no shower came, or the file cannot be
            written.
    """
    _check_fraction(sampling_fraction)
    if not (math.isfinite(threshold_mev) and threshold_mev >= 0):
        msg = f"The threshold of a voxel must be 0 MeV or more, not {threshold_mev:g}."
        raise InputError(msg)
    path = Path(path)
    exported = Exported()
    step = max(1, BLOCK_VOXELS // voxels.n_voxels)
    with write_tables(path, overwrite=overwrite) as append:
        for batch in batches:
            check_values(batch, path)
            for start in range(0, len(batch), step):
                part = batch[start : start + step]
                filled, outside = voxels.fill(part)
                rows = filled / sampling_fraction
                below = rows < threshold_mev
                rows[below] = 0
                energy = part.incident.energy.astype(np.float64)[:, None] * 1000
                append({"incident_energies": energy, "showers": rows})
                exported += Exported(
                    len(part),
                    float(part.visible_energy.sum()),
                    float(outside.sum()),
                    float(filled[below].sum()),
                )
    return exported


def read(
    path: str | os.PathLike[str], rows: slice = slice(None), *, layout: Layout = "calochallenge"
) -> tuple[FloatArray, FloatArray]:
    """Incident energies and voxels, all rows or a run of them.

    Arguments:
        path: The file.
        rows: Which showers.
        layout: "par04" for `incident_energy` and voxels of shape (n, rings, sectors, layers), as
            Geant4's example Par04 has them.

    Returns:
        Incident energies, shape (n, 1), and voxels, shape (n, n_voxels), both in MeV and 64 bits.
        Energies of voxels come as they are in the file, also negative ones.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not of this layout.
    """
    with open_tables(path, LAYOUT) as file:
        return _numbers(path, *_tables(file, path, layout), rows, layout)


def read_showers(
    path: str | os.PathLike[str],
    voxels: CylinderVoxels,
    *,
    detector: str,
    direction: ArrayLike = (0, 0, 1),
    particle: str = "e-",
    seed: int = 0,
    sampling_fraction: float = 1.0,
) -> Showers:
    """Showers whose points are spread uniformly over their voxels.

    Arguments and errors are those of `read_batches`.
    """
    return Showers.concatenate(
        read_batches(
            path,
            voxels,
            detector=detector,
            direction=direction,
            particle=particle,
            seed=seed,
            sampling_fraction=sampling_fraction,
        )
    )


def read_batches(
    path: str | os.PathLike[str],
    voxels: CylinderVoxels,
    *,
    detector: str,
    direction: ArrayLike = (0, 0, 1),
    particle: str = "e-",
    seed: int = 0,
    sampling_fraction: float = 1.0,
    layout: Layout = "calochallenge",
) -> Iterator[Showers]:
    """Showers whose points are spread uniformly over their voxels, batch by batch.

    Arguments:
        path: The file.
        voxels: The voxels it was written with.
        detector: Name of the detector, which is not in the file.
        direction: Of the primaries, in the local frame, shape (3,) or (n, 3); not in the file.
        particle: PDG name of the primaries; not in the file.
        seed: The same seed gives the same points.
        sampling_fraction: What the voxels were divided by; the showers get deposits back.
        layout: As for `read`.

    Raises:
        InputError: If the sampling fraction or the directions make no sense.
        DetectorError: If the layers of the detector do not fit the voxels.
        ShowerFileError: If the file is missing, damaged, or has other voxels.
    """
    _check_fraction(sampling_fraction)
    directions = np.atleast_2d(np.asarray(direction, dtype=np.float64))
    step = max(1, BLOCK_VOXELS // voxels.n_voxels)
    with open_tables(path, LAYOUT) as file:
        energies, showers = _tables(file, path, layout)
        n, width = len(showers), math.prod(showers.shape[1:])
        if width != voxels.n_voxels:
            msg = f"{path} has showers of {width} voxels, where this binning has {voxels.n_voxels}."
            raise ShowerFileError(msg)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            energy, filled = _numbers(path, energies, showers, rows, layout)
            some = directions if len(directions) == 1 else directions[rows]
            incident = Incident(energy[:, 0] / 1000, some, particle)
            deposits = filled * sampling_fraction
            yield voxels.spread(deposits, incident, detector, seed, first=start)


def read_binning(path: str | os.PathLike[str], particle: str | None = None) -> CylinderVoxels:
    """The voxels that a `<Bins>` file describes.

    Every `<Layer>` is a layer, also one with the single edge 0, which has no voxels. The file is
    read with caution: up to 1 MB, and without a document type, so nothing in it expands or points
    elsewhere.

    References:
        | CaloChallenge: https://github.com/CaloChallenge/homepage

    Arguments:
        path: The file.
        particle: Name of the `<Bin>`, where the file has several.

    Raises:
        InputError: If the file has no such `<Bin>`, or its rings make no sense.
        ShowerFileError: If the file is missing, too long, or no such XML.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BINNING_BYTES + 1)
    except (OSError, ValueError) as error:
        msg = f"The binning {path} cannot be read ({reason(error)})."
        raise ShowerFileError(msg) from error
    if len(text) > MAX_BINNING_BYTES:
        msg = f"The binning {path} is longer than {MAX_BINNING_BYTES} bytes; give a file of <Bins>."
        raise ShowerFileError(msg)
    reader = _BinningReader()
    try:
        bins = reader.read(text)
    except expat.ExpatError as error:
        msg = f"The binning {path} is not XML ({error})."
        raise ShowerFileError(msg) from error
    except (_BinningError, ValueError, LookupError) as error:
        msg = f"The binning {path} cannot be used ({_clause(error)})."
        raise ShowerFileError(msg) from error
    return CylinderVoxels(tuple(_chosen(path, bins, particle)))


def _tables(file: h5py.File, path: str | os.PathLike[str], layout: Layout) -> tuple[Table, Table]:
    """Both data sets, once it is clear that they belong together.

    Raises:
        LayoutError: If they do not, or are not to be trusted.
        ShowerFileError: If they are in the other layout.
    """
    is_par04 = has_member(file, "incident_energy")
    if is_par04 != (layout == "par04") and (is_par04 or has_member(file, "incident_energies")):
        other = "par04" if is_par04 else "calochallenge"
        msg = f"{path} is in another layout; read it with layout={other!r}."
        raise ShowerFileError(msg, argument=f"layout={other!r}")
    if is_par04 and has_member(file, "incident_theta"):
        theta = table(file, "incident_theta", NUMBERS, rank=(1, 2))[:1]
        first = f" (that of row 0 at theta {float(theta.flat[0]):g})" if theta.size else ""
        msg = (
            f"{path} has particles at angles to Par04's cylinder{first}, which have no place here; "
            "give a file without incident_theta."
        )
        raise ShowerFileError(msg)
    for member, layout_name in (("events", "CaloClouds"), ("shower_ids", "ShowerData")):
        if has_member(file, member):
            msg = (
                f"{path} is in the layout of {layout_name}, which says neither its axes nor the "
                "units of its energies; write the showers with calozoo_core.io.write_showers."
            )
            raise ShowerFileError(msg)
    name = "incident_energy" if is_par04 else "incident_energies"
    energies = table(file, name, NUMBERS, rank=(1, 2))
    showers = table(file, "showers", NUMBERS, rank=4 if is_par04 else (2, 4))
    n = len(showers)
    if energies.shape not in ((n,), (n, 1)) or showers.size == 0:
        msg = f"its energies have the shape {energies.shape}, its showers {showers.shape}"
        raise LayoutError(msg)
    return energies, showers


def _numbers(
    path: str | os.PathLike[str], energies: Table, showers: Table, rows: slice, layout: Layout
) -> tuple[FloatArray, FloatArray]:
    energy = energies[rows].astype(np.float64, copy=False).reshape(-1, 1)
    filled = showers[rows].astype(np.float64, copy=False)
    if layout == "par04":
        filled = filled.transpose(0, 3, 2, 1)
    filled = filled.reshape(len(energy), -1)
    is_sound = (np.isfinite(energy) & (energy > 0))[:, 0] & np.isfinite(filled).all(axis=1)
    if not is_sound.all():
        row = rows.indices(len(showers))[0] + int(np.flatnonzero(~is_sound)[0])
        msg = (
            f"{path} holds an energy that is not a number of MeV in row {row}, counted from 0; "
            "leave that row out."
        )
        raise ShowerFileError(msg)
    return energy, filled


def _check_fraction(sampling_fraction: float) -> None:
    if not 0 < sampling_fraction <= 1:
        msg = f"A sampling fraction lies between 0 and 1, and {sampling_fraction:g} does not."
        raise InputError(msg)


class _BinningError(Exception):
    """Fault of a binning, as a clause."""


def _chosen(path: Path, bins: dict[str, list[LayerBins]], particle: str | None) -> list[LayerBins]:
    if particle is None and len(bins) == 1:
        return next(iter(bins.values()))
    if particle in bins:
        return bins[particle]
    names = ", ".join(bins)
    asked = "give one of them" if particle is None else f"not {particle}"
    msg = f"{path} has the bins {names}; {asked}."
    raise InputError(msg)


def _clause(error: BaseException) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


class _BinningReader:
    """Collects the layers of each `<Bin>` as expat comes by them."""

    def __init__(self) -> None:
        self._bins: dict[str, list[LayerBins]] = {}
        self._open: list[str] = []
        self._current: list[LayerBins] = []

    def read(self, text: bytes) -> dict[str, list[LayerBins]]:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(text, True)
        if not any(layers for layers in self._bins.values()):
            msg = "it has no <Layer> in a <Bin>"
            raise _BinningError(msg)
        return self._bins

    def _refuse_doctype(self, *_: object) -> NoReturn:
        msg = "it declares a document type"
        raise _BinningError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > MAX_DEPTH:
            msg = "its elements are too deep"
            raise _BinningError(msg)
        if name == "Bin":
            self._current = self._bins.setdefault(attributes.get("name", "unnamed"), [])
            if self._current:
                msg = f"two of its bins are called {attributes.get('name', 'unnamed')}"
                raise _BinningError(msg)
        elif name == "Layer" and "Bin" in self._open:
            if len(self._current) == MAX_LAYERS:
                msg = f"it has more than {MAX_LAYERS} layers"
                raise _BinningError(msg)
            self._current.append(_layer(attributes))

    def _end(self, name: str) -> None:
        self._open.pop()


def _layer(attributes: dict[str, str]) -> LayerBins:
    try:
        edges = tuple(float(edge) for edge in attributes["r_edges"].split(","))
        n_alpha = int(attributes["n_bin_alpha"])
    except (KeyError, ValueError, OverflowError):
        msg = "a <Layer> needs r_edges and n_bin_alpha, both in numbers"
        raise _BinningError(msg) from None
    return LayerBins(edges, n_alpha)
