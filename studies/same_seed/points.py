"""Showers of one seed, by threads and batch size: `python -m studies.same_seed.points [MODEL...]`.

Each model generates showers for the same primaries on one thread and on two, 64 at a time and one
at a time, as a user does with `calozoo generate`. On two threads the file must be the same, byte
for byte. One at a time the linear algebra rounds in another way; the showers are compared as sets
of points, since one point more shifts those behind it. Geant4 simulates each shower from random
numbers of its own and is not tried.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import calozoo
from calozoo_core.generator import ModelSpec
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.showers import Showers
from calozoo_core.testing import primaries_inside
from calozoo_core.typing import FloatArray

__all__ = ["NEAR_ENERGY", "NEAR_MM", "Difference", "compared", "difference", "n_common"]

BATCH: Final = 64

NEAR_MM: Final = 0.1
"""Points of the same layer are the same if they lie within this of each other along x and y."""

NEAR_ENERGY: Final = 0.01
"""And if their energies agree up to this part."""

HEADER: Final = (
    "model",
    "two threads",
    "showers with the same points",
    "points that differ, %",
    "most in one shower, %",
    "largest change of a shower's energy",
)


@dataclass(frozen=True)
class Difference:
    """Difference of two samples of the same showers as sets of points.

    Arguments:
        n_same: Showers of which every point is in the other sample, and the other way round.
        percent: Points of both samples that are not in the other, in percent of all.
        worst_percent: The same of the shower of which it is most.
        energy: Largest relative change of the visible energy of a shower.
    """

    n_same: int
    percent: float
    worst_percent: float
    energy: float


def difference(showers: Showers, others: Showers) -> Difference:
    """Difference of two samples of the same showers."""
    pairs = _pairs(showers, others)
    lost = np.array([len(one) - n_common(one, two) for one, two in pairs])
    new = np.array([len(two) - n_common(two, one) for one, two in pairs])
    n_points = np.maximum(showers.n_points + others.n_points, 1)
    parts = 100 * (lost + new) / n_points
    change = np.abs(showers.visible_energy / others.visible_energy - 1)
    return Difference(
        n_same=int(np.sum(lost + new == 0)),
        percent=float(100 * (lost + new).sum() / n_points.sum()),
        worst_percent=float(parts.max()),
        energy=float(change.max()),
    )


def n_common(points: FloatArray, others: FloatArray) -> int:
    """Points of one shower that are in another, whatever their order.

    Arguments:
        points: Layer, x, y in mm and energy in MeV, shape (n, 4).
        others: The same of the other shower, shape (m, 4).
    """
    found = np.zeros(len(points), bool)
    others = others[np.argsort(others[:, 1], kind="stable")]
    for layer in np.intersect1d(points[:, 0], others[:, 0]):
        own = np.flatnonzero(points[:, 0] == layer)
        _, x, y, energy = points[own].T
        _, their_x, their_y, their_energy = others[others[:, 0] == layer].T
        start = np.searchsorted(their_x, x - NEAR_MM)
        stop = np.searchsorted(their_x, x + NEAR_MM, "right")
        for step in range(int((stop - start).max())):
            partner = np.minimum(start + step, len(their_x) - 1)
            near = np.abs(y - their_y[partner]) <= NEAR_MM
            alike = np.abs(energy - their_energy[partner]) <= NEAR_ENERGY * energy
            found[own] |= (start + step < stop) & near & alike
    return int(found.sum())


def compared(model: ModelSpec, n: int, folder: Path) -> tuple[str, ...]:
    """Row of the table of one model.

    Arguments:
        model: Its spec.
        n: Number of showers.
        folder: Where the files are written.
    """
    incident = primaries_inside(model, n)
    rows = np.column_stack([incident.energy, incident.direction])
    primaries = folder / "primaries.csv"
    header = "energy,x,y,z"
    np.savetxt(primaries, rows, "%.9g", delimiter=",", header=header, comments="")
    one, two, single = (
        generated(model.name, primaries, threads, batch, folder / f"{threads}_{batch}.h5")
        for threads, batch in ((1, BATCH), (2, BATCH), (1, 1))
    )
    found = difference(read_showers(one), read_showers(single))
    return (
        f"`{model.name}`",
        "the same bytes" if one.read_bytes() == two.read_bytes() else "other bytes",
        f"{found.n_same} of {n}",
        f"{found.percent:.2g}",
        f"{found.worst_percent:.2g}",
        f"{found.energy:.1g}",
    )


def generated(model: str, primaries: Path, threads: int, batch_size: int, out: Path) -> Path:
    """A file of showers, made by a process of its own."""
    words = ["--model", model, "--energy", f"@{primaries}", "--seed", "1", "--out", str(out)]
    numbers = ["--threads", str(threads), "--batch-size", str(batch_size)]
    command = [sys.executable, "-m", "calozoo", "generate", *words, *numbers, "--quiet"]
    subprocess.run([*command, "--overwrite"], check=True)
    return out


def _pairs(showers: Showers, others: Showers) -> list[tuple[FloatArray, FloatArray]]:
    """The points of each shower in both samples."""
    parts = []
    for sample in (showers, others):
        points = np.column_stack([sample.layer, sample.x, sample.y, sample.energy])
        parts.append(
            np.split(points.astype(np.float64), np.asarray(sample.offsets[1:-1], np.int64))
        )
    return list(zip(*parts, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="by default all with weights")
    parser.add_argument("-n", type=int, default=128, help="showers of each model")
    parser.add_argument("--write", type=Path, help="page with the block of the table")
    options = parser.parse_args(arguments)
    specs = [calozoo.find_model(name) for name in options.models]
    specs = specs or [one for one in calozoo.list_models() if one.weights or one.name[:3] == "toy"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [compared(spec, options.n, Path(folder)) for spec in specs]
    text = table(HEADER, rows)
    if options.write is None:
        print(text)  # noqa: T201
    else:
        write_block(options.write, "same-seed", text)


if __name__ == "__main__":
    main()
