"""Fidelity lost by voxel grids of 3DGAN: `python -m studies.gan3d.voxel_grids SHOWERS`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table
from calozoo_core.metrics import js_divergence
from calozoo_core.observables import RADIUS_EDGES_MM
from calozoo_core.training import read_sample
from calozoo_gan3d.config import GridConfig, preset
from calozoo_gan3d.grid import fill
from calozoo_gan3d.points import QUANTILES, SPLIT, fitted_tables, scatter
from calozoo_gan3d.training_data import UprightPoints, upright_points

__all__ = ["GRIDS", "GridLoss", "grid_loss"]

REGULAR = 1e5
"""Core size in mm far beyond the box, which makes all voxels equally large."""
GRIDS = {
    "ours": preset("ild-photon").grid,
    "regular, 24 x 24 in 150 mm": GridConfig(cells=24, core_mm=REGULAR, half_mm=75),
    "regular, 32 x 32 in 150 mm": GridConfig(cells=32, core_mm=REGULAR, half_mm=75),
    "regular, 24 x 24 in 300 mm": GridConfig(cells=24, core_mm=REGULAR, half_mm=150),
}


class GridLoss(NamedTuple):
    """Losses of Geant4 showers that are binned into voxels and turned into points again.

    Arguments:
        n_voxels: Mean number of voxels with energy per shower.
        lost_fraction: Share of the energy outside the box.
        uniform: Jensen-Shannon divergence, in nats, of the radial energy profile within 100 mm,
            with points uniform in their voxels.
        measured: The same with points where such voxels have their energy.
    """

    n_voxels: float
    lost_fraction: float
    uniform: float
    measured: float


def grid_loss(points: UprightPoints, n: int, grid: GridConfig) -> GridLoss:
    """The losses of a grid; point tables come from the first half of the showers.

    Arguments:
        points: Points of Geant4 showers.
        n: Number of showers.
        grid: The voxels.
    """
    tables = fitted_tables(_rows(points, 0, n // 2), n // 2, grid)
    parts = np.repeat(np.arange(SPLIT**2, dtype=np.uint8), QUANTILES // SPLIT**2)
    uniform = tables._replace(inside=np.broadcast_to(parts, tables.inside.shape))
    tested, number = _rows(points, n // 2, n), n - n // 2
    voxels = fill(tested.x, tested.y, tested.layer, tested.energy, tested.shower, number, grid)
    truth = _radial_profile(tested.x, tested.y, tested.energy)
    distances = []
    for one in (uniform, tables):
        drawn = scatter(voxels, one, grid, seed=1, first=0)
        distances.append(js_divergence(_radial_profile(drawn.x, drawn.y, drawn.energy), truth))
    total = tested.energy.sum(dtype=np.float64)
    lost = 1 - float(voxels.energy.sum(dtype=np.float64) / total)
    return GridLoss(len(voxels.voxel) / number, lost, *distances)


def _rows(points: UprightPoints, first: int, end: int) -> UprightPoints:
    selected = (points.shower >= first) & (points.shower < end)
    return UprightPoints(
        points.x[selected],
        points.y[selected],
        points.layer[selected],
        points.energy[selected],
        points.shower[selected] - first,
    )


def _radial_profile(
    x: NDArray[np.float32], y: NDArray[np.float32], energy: NDArray[np.float32]
) -> NDArray[np.float64]:
    return np.histogram(np.hypot(x, y), RADIUS_EDGES_MM, weights=energy)[0]


def main(arguments: list[str] | None = None) -> None:
    """Print the losses of all grids."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.gan3d.voxel_grids", description=__doc__
    )
    parser.add_argument("data", type=Path, help="folder with val/*.h5, showers of x25 points")
    options = parser.parse_args(arguments)
    try:
        showers = read_sample(options.data, "val")
    except CalozooError as error:
        sys.exit(str(error))
    points = upright_points(showers, 1)
    rows = []
    for name, grid in GRIDS.items():
        loss = grid_loss(points, len(showers), grid)
        radial = [f"{1e4 * divergence:.1f}" for divergence in (loss.uniform, loss.measured)]
        rows.append((name, f"{loss.n_voxels:.0f}", f"{loss.lost_fraction:.2%}", *radial))
    header = ("voxels of a layer", "filled per shower", "energy lost", "uniform", "as measured")
    sys.stdout.write(table(header, rows) + "\n")


if __name__ == "__main__":
    main()
