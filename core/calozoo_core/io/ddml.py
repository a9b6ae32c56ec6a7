"""DDML's shower library: a grid of cells for each shower, which DDML places in Geant4.

::

    /layers (n, layer, X, Y) f4 MeV

Energy, direction and particle of the primaries are not in the file. DDML's local frame has x' and
y' of ours negated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io._exchange_format import Exported, check_values, open_tables, write_tables
from calozoo_core.io._layout import NUMBERS, table
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["Grid", "TwoAngleGrid", "count", "read_library", "write_library"]

BLOCK_CELLS: Final = 1 << 22
MAX_CELLS: Final = 1 << 24

_CELL_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class Grid:
    r"""The cells of a layer about the entry point, as DDML's regular-grid decoders take them.

    X and Y run along DDML's x' and y', which are ours negated. The entry point is the lower corner
    (in X and Y) of cell `(nx // 2, ny // 2)`: of an even number of cells as many lie on either
    side; of an odd number, the one more lies on the upper side. A shower is cut off where the grid
    ends, however tilted it is.

    References:
        | DDML, RegularGridGANModel: https://github.com/key4hep/DDML

    Arguments:
        shape: Number of cells along X and Y.
        cell_mm: Their pitch.

    Raises:
        InputError: If there are no cells, too many, or their pitch is no length.

    Example:
        >>> grid = Grid(shape=(30, 30))
        >>> turn, entry = grid.frame(np.array([[0.0, 0.0, 1.0]]))
        >>> (turn[0] @ (3, 4)).tolist(), entry[0].tolist()
        ([-3.0, -4.0], [15.0, 15.0])
    """

    shape: tuple[int, int] = (30, 30)
    cell_mm: float = 5.088333

    def __post_init__(self) -> None:
        nx, ny = self.shape
        if min(nx, ny) < 1 or nx * ny > MAX_CELLS:
            msg = f"A grid has 1 to {MAX_CELLS} cells, not {nx} x {ny}."
            raise InputError(msg)
        if not (math.isfinite(self.cell_mm) and self.cell_mm > 0):
            msg = f"The pitch of the cells must be a positive length in mm, not {self.cell_mm:g}."
            raise InputError(msg)

    def frame(self, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position and axes of the grid of each shower.

        Arguments:
            direction: Of the primaries, in our local frame, shape (n, 3).

        Returns:
            What turns our (x', y') into the grid's axes, shape (n, 2, 2), and where the entry point
            lies in the grid, in cells from its lower corner, shape (n, 2).
        """
        turn = np.broadcast_to(-np.eye(2), (len(direction), 2, 2))
        return turn, np.broadcast_to([n // 2 for n in self.shape], (len(direction), 2)).astype(
            float
        )

    def fill(self, showers: Showers) -> tuple[NDArray[np.float32], FloatArray]:
        """Sum the deposits of each shower in its cells.

        Returns:
            Energy of each cell, in MeV, shape (n, n_layers, nx, ny), and the energy of each shower
            that fell beside its grid, in MeV, shape (n,).

        Raises:
            DetectorError: If there is no such detector.
        """
        shape = (load_detector(showers.detector).n_layers, *self.shape)
        shower, energy = showers.shower_index, showers.energy.astype(np.float64)
        turn, entry = self.frame(showers.incident.direction.astype(np.float64))
        points = np.column_stack([showers.x, showers.y]).astype(np.float64)
        place = np.einsum("pij,pj->pi", turn[shower], points) / self.cell_mm + entry[shower]
        inside = np.all((place >= 0) & (place < self.shape), axis=1)
        ix, iy = np.floor(place[inside]).astype(np.int64).T
        cell = np.ravel_multi_index(
            (shower[inside], showers.layer[inside], ix, iy), (len(showers), *shape)
        )
        n_cells = len(showers) * math.prod(shape)
        layers = np.bincount(cell, energy[inside], minlength=n_cells).astype(np.float32)
        outside = np.bincount(shower[~inside], energy[~inside], minlength=len(showers))
        return layers.reshape(len(showers), *shape), outside.astype(np.float64)

    def points(self, layers: NDArray[np.float32], incident: Incident, detector: str) -> Showers:
        """The middles of all cells with energy.

        Arguments:
            layers: Energy of each cell, in MeV, shape (n, n_layers, nx, ny).
            incident: The n primaries.
            detector: Name of the detector.

        Raises:
            DetectorError: If these are not cells, or parts of cells that a representation has.
        """
        turn, entry = self.frame(incident.direction.astype(np.float64))
        shower, layer, ix, iy = np.nonzero(layers > 0)
        place = (np.column_stack([ix, iy]) + 0.5 - entry[shower]) * self.cell_mm
        x, y = np.einsum("pji,pj->ip", turn[shower], place)  # a turn's inverse is its transpose
        return Showers(
            offsets=np.searchsorted(shower, np.arange(len(incident) + 1)),
            x=x,
            y=y,
            layer=layer.astype(np.uint8),
            energy=layers[shower, layer, ix, iy],
            incident=incident,
            representation=_representation(self.cell_mm, detector),
            detector=detector,
        )


@dataclass(frozen=True)
class TwoAngleGrid(Grid):
    r"""The grid of DDML's decoder for two angles, which its library reader comes with.

    DDML turns and mirrors a grid by the octant of the track's azimuth, and shifts it along with the
    shower: 79 mm behind the face its axis passes 77 mm from the grid's lower edge in X and 137 mm
    in Y, whatever the angles. Y (49 cells) runs along the larger transverse component of the
    direction, X (30) along the smaller, both positive there. So a library fits only tracks of the
    directions, and in the order, it was written for; a track along the normal has no azimuth, and
    rounding decides in which of eight orientations DDML places it.

    References:
        | DDML, RegularGridTwoAngleBIBAEModel: https://github.com/key4hep/DDML

    Example:
        >>> turn, entry = TwoAngleGrid().frame(np.array([[0.0, 0.0, 1.0]]))
        >>> entry[0].round(2).tolist()
        [15.13, 26.92]
    """

    shape: tuple[int, int] = (30, 49)

    def frame(self, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position and axes of the grid of each shower."""
        x, y = 0.0 - direction[:, 0], 0.0 - direction[:, 1]  # in DDML's frame, never minus zero
        phi = np.abs(np.arctan2(y, x))
        along_y = (phi > np.pi / 4) & (phi <= 3 * np.pi / 4)
        sign_x, sign_y = np.where(x < 0, -1.0, 1.0), np.where(y < 0, -1.0, 1.0)
        turn = np.zeros((len(direction), 2, 2))
        turn[:, 0, 0] = -np.where(along_y, sign_x, 0)
        turn[:, 0, 1] = -np.where(along_y, 0, sign_y)
        turn[:, 1, 0] = -np.where(along_y, 0, sign_x)
        turn[:, 1, 1] = -np.where(along_y, sign_y, 0)
        smaller = np.where(along_y, np.abs(x), np.abs(y)) / direction[:, 2]
        larger = np.where(along_y, np.abs(y), np.abs(x)) / direction[:, 2]
        entry = np.column_stack([77 - 79 * smaller, 137 - 79 * larger]) / self.cell_mm
        # Where the entry point lies before its grid, DDML takes it to be at the edge.
        return turn, np.maximum(entry, 0)


def write_library(
    path: str | os.PathLike[str],
    batches: Iterable[Showers],
    *,
    grid: Grid | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write showers as a library that DDML's LoadHdf5 reads.

    LoadHdf5 keeps the whole library in memory, unpacked, and takes a shower for each particle it
    meets, from the first one on, whatever the particle's energy. It does not begin again at the
    end: write at least as many showers as there will be particles.

    Arguments:
        path: The file.
        batches: Showers of one detector, in runs.
        grid: The cells; by default those of the decoder that DDML's reader comes with.
        overwrite: Replace a file that is already there.

    Returns:
        How much was written, and how much energy fell beside the grid.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        DetectorError: If the grid's cells are not the detector's, or parts of them that a
            representation has, or batches are of different detectors.
        ShowerFileError: If a value is no measurement, no shower came, or the file cannot be
            written.
    """
    path, grid = Path(path), grid or TwoAngleGrid()
    exported = Exported()
    detector = None
    with write_tables(path, overwrite=overwrite) as append:
        for batch in batches:
            check_values(batch, path)
            if detector is None:
                detector = batch.detector
                _representation(grid.cell_mm, detector)  # refuses what could not be read again
            if batch.detector != detector:
                msg = (
                    f"A library holds showers of one detector, not {detector} and {batch.detector}."
                )
                raise DetectorError(msg)
            step = max(1, BLOCK_CELLS // (load_detector(detector).n_layers * math.prod(grid.shape)))
            for start in range(0, len(batch), step):
                part = batch[start : start + step]
                layers, outside = grid.fill(part)
                append({"layers": layers})
                exported += Exported(
                    len(part), float(part.visible_energy.sum()), float(outside.sum())
                )
    return exported


def read_library(
    path: str | os.PathLike[str],
    incident: Incident,
    *,
    detector: str,
    grid: Grid | None = None,
) -> Showers:
    """Read a library; each cell with energy becomes a point in its middle.

    Arguments:
        path: The file.
        incident: The primaries, one a shower and in the file's order: the format has no place for
            their energies and directions, so they must be given.
        detector: Name of the detector, which is not in the file either.
        grid: The cells the library was written with.

    Raises:
        InputError: If there are not as many primaries as showers.
        DetectorError: If the file's layers or cells are not those of the detector and the grid.
        ShowerFileError: If the file is missing, damaged, or no library.
    """
    grid = grid or TwoAngleGrid()
    expected = (load_detector(detector).n_layers, *grid.shape)
    with open_tables(path, "a DDML library") as file:
        layers = table(file, "layers", NUMBERS, rank=4)
        if layers.shape[1:] != expected:
            have, want = (" x ".join(map(str, shape)) for shape in (layers.shape[1:], expected))
            msg = f"{path} has showers of {have} cells, where this grid in {detector} has {want}."
            raise DetectorError(msg)
        if len(layers) != len(incident) or len(layers) == 0:
            msg = (
                f"{path} holds {len(layers)} showers; give as many primaries, not {len(incident)}."
            )
            raise InputError(msg)
        parts = []
        step = max(1, BLOCK_CELLS // math.prod(expected))
        for start in range(0, len(layers), step):
            cells = layers[start : start + step].astype(np.float32)
            if not np.all(np.isfinite(cells)):
                msg = f"{path} is damaged (an energy is not a number of MeV); make it again."
                raise ShowerFileError(msg)
            parts.append(grid.points(cells, incident[start : start + step], detector))
    return Showers.concatenate(parts)


def count(path: str | os.PathLike[str]) -> int:
    """Number of showers in a library.

    Raises:
        ShowerFileError: If the file is missing, damaged, or no library.
    """
    with open_tables(path, "a DDML library") as file:
        return len(table(file, "layers", NUMBERS, rank=4))


def _representation(cell_mm: float, detector: str) -> str:
    pitch = load_detector(detector).cell_mm
    for name, split in REPRESENTATIONS.items():
        if split and math.isclose(cell_mm * split, pitch, rel_tol=_CELL_TOLERANCE):
            return name
    msg = (
        f"Cells of {cell_mm:g} mm are neither the {pitch:g} mm cells of {detector} nor a third, "
        "a fifth, a tenth or a fifteenth of them; take a grid of such cells."
    )
    raise DetectorError(msg)
