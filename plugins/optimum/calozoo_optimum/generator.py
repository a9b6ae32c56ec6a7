"""Optimum generators: Geant4's showers in the representation of a model, the best it can reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, DetectorError, InputError
from calozoo_core.frames import axis_offsets
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.ragged import neighbour_runs
from calozoo_core.representation import Representation, nests
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray

__all__ = ["BOX_MM", "Optimum", "ShowerLibrary", "inside_box"]

BOX_MM = 800.0
"""Width of the box around the shower axis in which deposits are kept."""


class Optimum(NumberedGenerator):
    """Generator of Geant4's showers in the representation of a model.

    Deposits within 400 mm of the shower axis are projected onto a regular grid of cells (x1) or of
    3 x 3 sub-cells per cell (x9), whose position is random for each shower, or are kept one by one
    (steps). A point of x1 or x9 is the middle of its cell, since a grid has no positions inside its
    cells. No model of that representation can be better than these showers after placement.

    The showers come from another generator, for the same primaries with the same seed, or from a
    file. The file may have a finer representation whose sub-cells nest in the one asked for.

    References:
        | Full physics benchmark, section II B: https://arxiv.org/abs/2511.17293

    Arguments:
        spec: Spec it was registered with.
        source: Source of the showers.

    Raises:
        InputError: If the source's showers cannot be merged to this representation.
        DetectorError: If they are of another detector.
    """

    def __init__(self, spec: ModelSpec, source: Generator | ShowerLibrary) -> None:
        given = source if isinstance(source, ShowerLibrary) else source.spec
        if given.detector != spec.detector:
            msg = (
                f"{spec.name} needs showers of {spec.detector}, and those of {given.name} are of "
                f"{given.detector}; leave out source."
            )
            raise DetectorError(msg, argument="source")
        if not nests(given.representation, spec.representation):
            msg = (
                f"The {given.representation} points of {given.name} cannot be merged to "
                f"{spec.representation}; feed {spec.name} with steps."
            )
            raise InputError(msg)
        if isinstance(source, Generator):
            spec = spec.model_copy(
                update={"conditions": source.spec.conditions, "source": source.spec.name}
            )
        super().__init__(spec)
        # The batch size depends on the source, not on the class.
        self.default_batch_size = source.default_batch_size  # type: ignore[misc]
        self.checks_particle = source.checks_particle  # type: ignore[misc]
        self._source = source
        cell = load_detector(spec.detector).cell_mm
        self._representation = Representation.named(spec.representation, cell, at="centre")

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        source: Generator | Path | None = None,
    ) -> Optimum:
        """Generator with a source of showers.

        Arguments:
            spec: Spec it was registered with.
            folder: Not used, since it has no weights.
            device: "cpu".
            precision: None.
            source: Generator of the showers, or a native shower file.

        Raises:
            InputError: If there is no source, its showers cannot be merged to this representation,
                or another device or a precision is asked for.
            DetectorError: If the source's showers are of another detector.
            ShowerFileError: If the file is missing, damaged, or no shower file.
        """
        if device != "cpu" or precision is not None:
            msg = f"{spec.name} runs on cpu only; leave out device and precision."
            raise InputError(msg, argument=("device", "precision"))
        if source is None:
            msg = f"{spec.name} makes no showers of its own; give source=, a Generator or a file."
            raise InputError(msg)
        return cls(spec, source if isinstance(source, Generator) else ShowerLibrary(source))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of the source for these primaries, in the box, merged.

        The source makes all of them in one call, on as many cores as it has.

        Arguments:
            incident: The n primaries.
            seed: Seed of the sample.
            numbers: Number of each shower in the sample, shape (n,).

        Raises:
            CalozooError: If the source raises it.
        """
        showers = inside_box(self._source.sample_numbers(incident, seed, numbers))
        grid_seed = self._grid_seed(seed)
        return Showers.concatenate(
            [
                self._representation(showers[run], grid_seed, int(numbers[run.start]))
                for run in neighbour_runs(numbers)
            ]
        )

    @property
    def load_options(self) -> dict[str, Any]:
        """Where its showers come from."""
        source = self._source
        return {"source": source if isinstance(source, Generator) else source.path}

    @property
    def precision(self) -> str:
        """Precision of the source."""
        return self._source.precision if isinstance(self._source, Generator) else super().precision

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _grid_seed(self, seed: int) -> int:
        """Seed of the grids; sub-cells of a file nest only in cells of the file's own grids."""
        own = self._source.grid_seed if isinstance(self._source, ShowerLibrary) else None
        return seed if own is None else own


def inside_box(showers: Showers) -> Showers:
    r"""Showers with the deposits within 400 mm of their axis along x' and along y'.

    Deposits farther away are mostly backscatter, at the other end of the detector. The axis goes
    through the origin along the primary: at the depth d of a layer's middle it is at

    .. math:: x' = d\,p_x / p_z, \quad y' = d\,p_y / p_z

    References:
        | Full physics benchmark, section II B: https://arxiv.org/abs/2511.17293

    Arguments:
        showers: Showers of any representation.

    Raises:
        DetectorError: If their detector is unknown.
    """
    dx, dy = axis_offsets(showers, load_detector(showers.detector))
    keep = np.abs(showers.x - dx) <= BOX_MM / 2
    keep &= np.abs(showers.y - dy) <= BOX_MM / 2
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return Showers(
        offsets=kept_before[showers.offsets],
        x=showers.x[keep],
        y=showers.y[keep],
        layer=showers.layer[keep],
        energy=showers.energy[keep],
        time=None if showers.time is None else showers.time[keep],
        incident=showers.incident,
        representation=showers.representation,
        detector=showers.detector,
    )


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

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these numbers of the file.

        Arguments:
            incident: Primaries; each must equal that of its shower to 1e-3.
            seed: Not used.
            numbers: Number of each shower in the file, shape (n,).

        Raises:
            ConditionsError: If the file has too few showers, or one is of another primary.
            ShowerFileError: If that part of the file is damaged.
        """
        del seed
        return Showers.concatenate(
            [self._run(incident[run], int(numbers[run.start])) for run in neighbour_runs(numbers)]
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _run(self, incident: Incident, first: int) -> Showers:
        """Showers that follow one another in the file."""
        stop = first + len(incident)
        if stop > len(self._file):
            msg = f"{self.name} has too few showers, {len(self._file)}; {self._own_primaries}."
            raise ConditionsError(msg)
        rows = slice(first, stop)
        self._check(incident, self._file.incident(rows), first)
        return replace(self._file[rows], incident=incident)

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
