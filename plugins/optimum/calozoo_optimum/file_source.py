"""Shower files as the source of an optimum generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from calozoo_core.errors import ConditionsError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.showers import Showers

__all__ = ["ShowerLibrary"]

TOLERANCE = 1e-3


class ShowerLibrary:
    """Showers of a file: shower i of a request is number i of the file.

    The file is opened once, and only the showers asked for are read.

    Arguments:
        path: Native shower file.

    Attributes:
        path: The file.
        name: Path in messages.
        representation: Representation of the showers.
        detector: Name of their detector.
        grid_seed: Seed of the grid their points were merged on; `None` for steps, and if the file
            has none.

    Raises:
        ShowerFileError: If the file is missing, damaged, or no shower file.
    """

    default_batch_size = 64
    checks_particle = True

    def __init__(self, path: Path) -> None:
        self._file = ShowerFile(path)
        self.path = self._file.path
        self.name = str(path)
        self.representation = self._file.representation
        self.detector = self._file.detector
        is_merged = self.representation != "steps"
        self.grid_seed = _seed_number(self._file.seed) if is_merged else None

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the file.

        Arguments:
            incident: Primaries; each must equal that of its shower to 1e-3.
            seed: Not used.
            first: Number of the first of them.

        Raises:
            ConditionsError: If the file has too few showers, or one is of another primary.
            ShowerFileError: If that part of the file is damaged.
        """
        stop = first + len(incident)
        if stop > len(self._file):
            msg = f"{self.name} has too few showers, {len(self._file)}; {self._own_primaries}."
            raise ConditionsError(msg)
        rows = slice(first, stop)
        self._check(incident, self._file.incident(rows), first)
        return replace(self._file[rows], incident=incident)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def _own_primaries(self) -> str:
        return (
            "take the library's own primaries, as "
            f"`calozoo generate --energy @{self.name} --dir @{self.name}` does"
        )

    def _check(self, asked: Incident, stored: Incident, first: int) -> None:
        """Refuse primaries that are not those of the file."""
        if asked.particle != stored.particle:
            msg = (
                f"{self.name} holds showers of {stored.particle}, not of {asked.particle}; "
                f"add particle={stored.particle!r}."
            )
            raise ConditionsError(msg, argument=f"particle={stored.particle!r}")
        other_energy = np.abs(asked.energy - stored.energy) > TOLERANCE * stored.energy
        other_direction = np.abs(asked.direction - stored.direction).max(axis=1) > TOLERANCE
        differing = np.flatnonzero(other_energy | other_direction)
        if not len(differing):
            return
        row = differing[0]
        if other_energy[row]:
            is_ = f"is a {stored.energy[row]:g} GeV {stored.particle}"
            is_not = f"{asked.energy[row]:g} GeV"
        else:
            is_, is_not = f"goes along {_text(stored, row)}", _text(asked, row)
        msg = f"Shower {first + row} of {self.name} {is_}, not {is_not}; {self._own_primaries}."
        raise ConditionsError(msg)


def _text(incident: Incident, row: int) -> str:
    return ",".join(f"{component:.4g}" for component in incident.direction[row])


def _seed_number(text: str) -> int | None:
    """Seed in the attributes of a file; `None` if it is no number."""
    return int(text) if text.isdecimal() and len(text) < 21 and int(text) < 2**64 else None
