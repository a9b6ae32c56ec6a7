"""A shower file as the source of an optimum generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from calozoo_core.errors import ConditionsError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.showers import Showers

__all__ = ["Library"]

TOLERANCE = 1e-3


class Library:
    """Showers that were made before: shower i of a request is number i of the file.

    The file is opened once, and of its showers only those asked for are read.

    Arguments:
        path: A native shower file.

    Attributes:
        name: Its path, for messages.
        representation: How finely its deposits are merged.
        detector: Name of the detector they were made for.
        grid_seed: The seed that fixes the grid its points were merged on; None for steps, which
            lie on none, and where the file does not say.

    Raises:
        ShowerFileError: If the file is missing, damaged, or no shower file.
    """

    default_batch_size = 64

    def __init__(self, path: Path) -> None:
        self._file = ShowerFile(path)
        self.name = str(path)
        self.representation = self._file.representation
        self.detector = self._file.detector
        is_merged = self.representation != "steps"
        self.grid_seed = _whole_number(self._file.seed) if is_merged else None

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """The showers of these primaries, of which the first is number `first` of the file.

        Arguments:
            incident: The primaries; each must be the one its shower was made for, to 1e-3.
            seed: Not needed: the showers are there.
            first: Number of the first of them.

        Raises:
            ConditionsError: If the file has not as many showers, or one is of another primary.
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
            "take the library's own primaries with "
            f"--energy @{self.name} --dir @{self.name} and without -n"
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


def _whole_number(text: str) -> int | None:
    """The seed that a file names; None if that is none."""
    return int(text) if text.isdecimal() and len(text) < 21 and int(text) < 2**64 else None
