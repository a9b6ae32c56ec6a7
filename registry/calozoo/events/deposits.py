"""Deposits of the primaries of a run of events, before they are summed to hits of events."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from calozoo_core.full_simulation import PrimaryDeposits, TakenParticle
from calozoo_core.hits import Hits
from calozoo_core.io.atomic import atomic_path
from calozoo_core.particles import PARTICLES, particle_number
from calozoo_core.ragged import is_ragged, point_rows, row_selection
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["Deposits", "TakenTable"]


@dataclass(frozen=True, eq=False)
class TakenTable:
    """Particles that were stopped on the face and left to a model, in the order of their primaries.

    Arguments:
        primary: Row of the primary that each comes from, shape (n,).
        pdg: Number of the particle in the PDG's scheme, shape (n,).
        energy: Kinetic energy on the face, in GeV, shape (n,).
        position: Global position on the face, in mm, shape (n, 3).
        direction: Global unit vector, shape (n, 3).
        time: Time in ns, shape (n,).
    """

    primary: IntArray
    pdg: NDArray[np.int32]
    energy: FloatArray
    position: FloatArray
    direction: FloatArray
    time: FloatArray

    def __len__(self) -> int:
        return len(self.primary)

    @classmethod
    def of(cls, taken: Sequence[tuple[TakenParticle, ...]]) -> TakenTable:
        """Table of the particles taken from each primary."""
        rows = [particle for of_primary in taken for particle in of_primary]
        return cls(
            np.repeat(np.arange(len(taken)), [len(of_primary) for of_primary in taken]),
            np.array([particle_number(row.particle) for row in rows], np.int32),
            np.array([row.energy_gev for row in rows], np.float64),
            np.array([row.position for row in rows], np.float64).reshape(-1, 3),
            np.array([row.direction for row in rows], np.float64).reshape(-1, 3),
            np.array([row.time_ns for row in rows], np.float64),
        )

    @property
    def number(self) -> IntArray:
        """Number of each particle among those taken from the same primary, shape (n,)."""
        first = np.searchsorted(self.primary, self.primary)
        return np.arange(len(self)) - first

    def of_particle(self, name: str) -> IntArray:
        """Rows of the particles of this name."""
        return np.flatnonzero([PARTICLES[pdg] == name for pdg in self.pdg.tolist()])


@dataclass(frozen=True, eq=False)
class Deposits:
    """Energies that primaries left in cells, by the full simulation and by a model together.

    Cells have no threshold yet. Those of primary i are rows `offsets[i]:offsets[i + 1]`, in order,
    each cell once.

    Arguments:
        offsets: Beginning of each primary, and the end, shape (n + 1,).
        cell: Cells, shape (N,).
        energy: Energies in MeV, shape (N,).
        is_known: Mask of the primaries that the simulation knows, shape (n,).
        taken: Particles that the model simulated.
    """

    offsets: IntArray
    cell: IntArray
    energy: NDArray[np.float32]
    is_known: BoolArray
    taken: TakenTable

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, primaries: Sequence[PrimaryDeposits]) -> Deposits:
        """Deposits of primaries, one after the other."""
        counts = [len(primary.cell) for primary in primaries]
        return cls(
            np.cumsum([0, *counts]),
            np.concatenate([np.zeros(0, np.int64), *(primary.cell for primary in primaries)]),
            np.concatenate([np.zeros(0, np.float32), *(p.energy for p in primaries)]),
            np.array([primary.is_known for primary in primaries], np.bool_),
            TakenTable.of([primary.taken for primary in primaries]),
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Deposits]) -> Deposits:
        """Deposits of several runs of primaries, one after the other."""
        parts = list(parts)
        first = np.cumsum([0, *map(len, parts)])
        counts = [np.diff(part.offsets) for part in parts]
        tables = [part.taken for part in parts]
        names = [field.name for field in fields(TakenTable) if field.name != "primary"]
        taken = TakenTable(
            np.concatenate([t.primary + n for t, n in zip(tables, first[:-1], strict=True)]),
            **{name: np.concatenate([getattr(table, name) for table in tables]) for name in names},
        )
        return cls(
            np.concatenate([[0], *counts]).cumsum(),
            np.concatenate([part.cell for part in parts]),
            np.concatenate([part.energy for part in parts]),
            np.concatenate([part.is_known for part in parts]),
            taken,
        )

    def __getitem__(self, rows: slice) -> Deposits:
        """Deposits of the primaries of a slice."""
        selected = row_selection(rows, len(self), "primary")
        offsets, part = point_rows(self.offsets, selected)
        taken_offsets = np.searchsorted(self.taken.primary, np.arange(len(self) + 1))
        of_taken, chosen = point_rows(taken_offsets, selected)
        columns = {f.name: getattr(self.taken, f.name)[chosen] for f in fields(TakenTable)}
        columns["primary"] = np.repeat(np.arange(len(of_taken) - 1), np.diff(of_taken))
        return Deposits(
            offsets,
            self.cell[part],
            self.energy[part],
            self.is_known[selected],
            TakenTable(**columns),
        )

    def with_model(self, rows: IntArray, hits: Hits) -> Deposits:
        """These deposits, and those of a model.

        Arguments:
            rows: Rows of `taken` that the model simulated.
            hits: Hits of each of them, without a threshold.
        """
        primary = np.concatenate(
            [
                np.repeat(np.arange(len(self)), np.diff(self.offsets)),
                np.repeat(self.taken.primary[rows], hits.n_hits),
            ]
        )
        cell = np.concatenate([self.cell, hits.cell])
        energy = np.concatenate([self.energy, hits.energy]).astype(np.float64)
        order = np.lexsort([cell, primary])
        primary, cell, energy = primary[order], cell[order], energy[order]
        is_new = np.ones(len(cell), np.bool_)
        is_new[1:] = (np.diff(cell) != 0) | (np.diff(primary) != 0)
        starts = np.flatnonzero(is_new)
        summed = np.add.reduceat(energy, starts) if len(starts) else energy
        return Deposits(
            np.searchsorted(primary[starts], np.arange(len(self) + 1)),
            cell[starts],
            summed.astype(np.float32),
            self.is_known,
            self.taken,
        )

    def write(self, path: Path) -> None:
        """Write them to a file, which is complete or not there."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        taken = columns.pop("taken")
        columns |= {f"taken_{f.name}": getattr(taken, f.name) for f in fields(taken)}
        with atomic_path(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **columns)

    @classmethod
    def read(cls, path: Path) -> Deposits:
        """Deposits that were written to a file.

        Raises:
            OSError: If the file cannot be read, or is damaged.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                columns: dict[str, Any] = {
                    f.name: file[f.name] for f in fields(cls) if f.name != "taken"
                }
                taken = {f.name: file[f"taken_{f.name}"] for f in fields(TakenTable)}
        except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise OSError(errno.EIO, "it is damaged", str(path)) from error
        read = cls(**columns, taken=TakenTable(**taken))
        if not read._fits_together():
            raise OSError(errno.EIO, "its columns do not fit together", str(path))
        return read

    def _fits_together(self) -> bool:
        """`True` if all columns have the lengths that the offsets ask for."""
        lengths = {len(getattr(self.taken, field.name)) for field in fields(TakenTable)}
        return (
            is_ragged(self.offsets, {len(self.cell), len(self.energy)})
            and len(self.is_known) == len(self)
            and len(lengths) == 1
        )
