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
from typing import Final, Literal

import h5py
import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io._binning import read_binning
from calozoo_core.io._exchange_format import Exported, check_values, open_tables, write_tables
from calozoo_core.io._hdf5_guards import Table
from calozoo_core.io._layout import NUMBERS, LayoutError, has_member, table
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS, CylinderVoxels

__all__ = [
    "DATASETS",
    "SAMPLING_FRACTION",
    "THRESHOLD_MEV",
    "Layout",
    "dataset_of",
    "is_challenge_file",
    "read",
    "read_batches",
    "read_binning",
    "read_blocks",
    "read_energies",
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
    directions = np.atleast_2d(np.asarray(direction, dtype=np.float64))
    start = 0
    for energy, deposits in read_blocks(
        path, voxels, sampling_fraction=sampling_fraction, layout=layout
    ):
        some = directions if len(directions) == 1 else directions[start : start + len(energy)]
        incident = Incident(energy / 1000, some, particle)
        yield voxels.spread(deposits, incident, detector, seed, first=start)
        start += len(energy)


def read_blocks(
    path: str | os.PathLike[str],
    voxels: CylinderVoxels,
    *,
    sampling_fraction: float = 1.0,
    layout: Layout = "calochallenge",
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Incident energies and deposits in voxels, a block of showers at a time.

    Arguments:
        path: The file.
        voxels: The voxels it was written with.
        sampling_fraction: What the voxels were divided by; deposits come back.
        layout: As for `read`.

    Returns:
        Incident energies, shape (n,), and deposits, shape (n, n_voxels), both in MeV.

    Raises:
        InputError: If the sampling fraction makes no sense.
        ShowerFileError: If the file is missing, damaged, or has other voxels.
    """
    _check_fraction(sampling_fraction)
    step = max(1, BLOCK_VOXELS // voxels.n_voxels)
    with open_tables(path, LAYOUT) as file:
        energies, showers = _tables(file, path, layout)
        n, width = len(showers), _width(showers)
        if width != voxels.n_voxels:
            msg = f"{path} has showers of {width} voxels, where this binning has {voxels.n_voxels}."
            raise ShowerFileError(msg)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            energy, filled = _numbers(path, energies, showers, rows, layout)
            yield energy[:, 0], filled * sampling_fraction


def read_energies(path: str | os.PathLike[str]) -> FloatArray:
    """Incident energies in MeV, shape (n,), without the voxels.

    Raises:
        ShowerFileError: If the file is missing, damaged, not of this layout, or an energy is not
            positive.
    """
    with open_tables(path, LAYOUT) as file:
        energies, _ = _tables(file, path, "calochallenge")
        energy = energies[:].astype(np.float64, copy=False).reshape(-1)
    wrong = np.flatnonzero(~(np.isfinite(energy) & (energy > 0)))
    if len(wrong):
        raise ShowerFileError(_unsound(path, int(wrong[0])))
    return energy


def is_challenge_file(path: str | os.PathLike[str]) -> bool:
    """True if a file has incident energies as the challenge calls them, and so its layout.

    Raises:
        ShowerFileError: If the file is missing, or no HDF5 file.
    """
    with open_tables(path, LAYOUT) as file:
        return has_member(file, "incident_energies")


def dataset_of(path: str | os.PathLike[str]) -> str:
    """Name in `DATASETS` of the voxels that a file has.

    Raises:
        ShowerFileError: If the file is missing, damaged, not of this layout, or of other voxels.
    """
    with open_tables(path, LAYOUT) as file:
        width = _width(_tables(file, path, "calochallenge")[1])
    for name, voxels in DATASETS.items():
        if voxels.n_voxels == width:
            return name
    known = " or ".join(f"{voxels.n_voxels} ({name})" for name, voxels in DATASETS.items())
    msg = f"{path} has showers of {width} voxels, not {known}."
    raise ShowerFileError(msg)


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
        raise ShowerFileError(_unsound(path, row))
    return energy, filled


def _unsound(path: str | os.PathLike[str], row: int) -> str:
    return (
        f"{path} holds an energy that is not a number of MeV in row {row}, counted from 0; "
        "leave that row out."
    )


def _width(showers: Table) -> int:
    """Voxels of a shower."""
    return math.prod(showers.shape[1:])


def _check_fraction(sampling_fraction: float) -> None:
    if not 0 < sampling_fraction <= 1:
        msg = f"A sampling fraction lies between 0 and 1, and {sampling_fraction:g} does not."
        raise InputError(msg)
