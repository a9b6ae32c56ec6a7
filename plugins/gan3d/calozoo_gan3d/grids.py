"""What a grid alone costs: `python -m calozoo_gan3d.grids SHOWERS` for a few of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from calozoo_core.metrics import js_divergence
from calozoo_core.observables import RADIUS_EDGES_MM
from calozoo_core.training import read_sample
from calozoo_gan3d.config import GridConfig, preset
from calozoo_gan3d.grid import fill
from calozoo_gan3d.point_tables import fitted_tables
from calozoo_gan3d.points import QUANTILES, SPLIT, scatter
from calozoo_gan3d.training_data import Upright, upright

__all__ = ["GRIDS", "Cost", "cost"]

#: With a core far larger than the box, voxels are all of one size.
REGULAR = 1e5
GRIDS = {
    "ours": preset("ild-photon").grid,
    "regular, 24 x 24 in 150 mm": GridConfig(cells=24, core_mm=REGULAR, half_mm=75),
    "regular, 32 x 32 in 150 mm": GridConfig(cells=32, core_mm=REGULAR, half_mm=75),
    "regular, 24 x 24 in 300 mm": GridConfig(cells=24, core_mm=REGULAR, half_mm=150),
}


class Cost(NamedTuple):
    """What becomes of Geant4 showers that are put into voxels and made points of again.

    Arguments:
        voxels: With energy, a shower.
        lost: Part of the energy outside of the box.
        even: Jensen-Shannon divergence, in nats, of the radial energy profile within 100 mm, if
            points lie anywhere in their voxel with the same likelihood.
        measured: The same if they lie where such voxels have their energy.
    """

    voxels: float
    lost: float
    even: float
    measured: float


def cost(points: Upright, n: int, grid: GridConfig) -> Cost:
    """The cost of a grid; the tables are made from the first half, and used on the other.

    Arguments:
        points: Of Geant4 showers.
        n: Number of showers.
        grid: The voxels.
    """
    tables = fitted_tables(_rows(points, 0, n // 2), n // 2, grid)
    parts = np.repeat(np.arange(SPLIT**2), QUANTILES // SPLIT**2).astype(np.uint8)
    even = tables._replace(inside=np.broadcast_to(parts, tables.inside.shape))
    seen, number = _rows(points, n // 2, n), n - n // 2
    voxels = fill(seen.x, seen.y, seen.layer, seen.energy, seen.shower, number, grid)
    truth = _profile(seen.x, seen.y, seen.energy)
    distances = []
    for one in (even, tables):
        cloud = scatter(voxels, one, grid, seed=1, first=0)
        distances.append(js_divergence(_profile(cloud.x, cloud.y, cloud.energy), truth))
    total = seen.energy.sum(dtype=np.float64)
    lost = 1 - float(voxels.energy.sum(dtype=np.float64) / total)
    return Cost(len(voxels.index) / number, lost, *distances)


def _rows(points: Upright, first: int, end: int) -> Upright:
    mine = (points.shower >= first) & (points.shower < end)
    columns = (points.x, points.y, points.layer, points.energy)
    return Upright(*(column[mine] for column in columns), points.shower[mine] - first)


def _profile(x: np.ndarray, y: np.ndarray, energy: np.ndarray) -> np.ndarray:
    return np.histogram(np.hypot(x, y), RADIUS_EDGES_MM, weights=energy)[0]


def _main(folder: Path) -> None:
    showers = read_sample(folder, "val")
    points = upright(showers, 1)
    lines = ["| voxels of a layer | filled a shower | energy lost | even | as measured |"]
    lines.append("|---|---|---|---|---|")
    for name, grid in GRIDS.items():
        found = cost(points, len(showers), grid)
        radial = " | ".join(f"{1e4 * js:.1f}" for js in (found.even, found.measured))
        lines.append(f"| {name} | {found.voxels:.0f} | {found.lost:.2%} | {radial} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m calozoo_gan3d.grids FOLDER, which has val/*.h5")
    _main(Path(sys.argv[1]))
