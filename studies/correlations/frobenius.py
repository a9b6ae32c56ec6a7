"""Correlation Frobenius Distance of models: `python -m studies.correlations.frobenius TRUTH.h5`.

Each model generates showers for the primaries of Geant4's, and its correlations over showers are
compared with Geant4's in three modes: of a voxel and the one behind it, of any two layers, and of
a ring in five layers and in the five behind them.

References:
    | Ahmad, Venkataswamy, Fox, Correlation Frobenius Distance: a metric for evaluating generative
      models in calorimeter shower simulation: https://arxiv.org/abs/2406.12898
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

import calozoo
from calozoo_core.clumps import VoxelMesh
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.frames import perpendicular_positions
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.correlation import frobenius_distance, voxel_correlations
from calozoo_core.metrics.resampling import halves, jackknife_error, scaled_floor
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["MODES", "Distance", "correlation_distances", "distances", "floors", "voxels"]

RING_EDGES_MM: Final = (1.0, 2.5, 4.5, 7.5, 12.0, 18.0, 28.0, 45.0)
"""Radii between the rings, of which there are nine as in data set 2 of the CaloChallenge."""

SECTORS: Final = 16

MESH: Final = VoxelMesh(edges_mm=RING_EDGES_MM, sectors=(SECTORS,) * (1 + len(RING_EDGES_MM)))

GROUP: Final = 5
"""Layers of a group."""

BLOCKS: Final = 20
"""Blocks of showers, one of which at a time is left out for the error."""

SEED: Final = 1

ONE_ROW_IN: Final = 0.35
"""Height of a model in the picture, in inches."""


class Distance(NamedTuple):
    """Distance of correlations, and its standard error.

    Arguments:
        value: The distance.
        error: From leaving out blocks of showers of either side.
    """

    value: float
    error: float


def voxels(showers: Showers) -> FloatArray:
    """Energies of layers, sectors and rings about the axis, in MeV, shape (n, layers, 16, 9)."""
    detector = load_detector(showers.detector)
    cell = MESH.cell(*perpendicular_positions(showers, detector))
    shape = (len(showers), detector.n_layers, len(MESH.sectors), SECTORS)
    place = (showers.shower_index * shape[1] + showers.layer) * MESH.n_cells + cell
    sums = np.bincount(place, showers.energy, minlength=int(np.prod(shape)))
    # The mesh counts a ring's sectors before the next ring.
    return np.asarray(sums.reshape(shape).swapaxes(2, 3), np.float64)


def voxel_mode(energies: FloatArray) -> FloatArray:
    """Correlations of each voxel with the one at its place a layer deeper."""
    return _with_next(energies.reshape(*energies.shape[:2], -1))


def layer_mode(energies: FloatArray) -> FloatArray:
    """Correlations of any two layers, shape (layers, layers)."""
    layers = energies.sum(axis=(2, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = np.corrcoef(layers.T)
    return found


def group_mode(energies: FloatArray) -> FloatArray:
    """Correlations of each ring's mean in five layers with that in the five behind them."""
    rings = energies.sum(axis=2)
    n, layers, count = rings.shape
    whole = layers // GROUP
    groups = rings[:, : whole * GROUP].reshape(n, whole, GROUP, count).mean(axis=2)
    return _with_next(groups)


MODES: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "voxel": voxel_mode,
    "layer": layer_mode,
    "group": group_mode,
}


def distances(generated: FloatArray, truth: FloatArray) -> dict[str, Distance]:
    """Distance of each mode between two samples of `voxels`."""
    found = {}
    for name, mode in MODES.items():
        mine, theirs = mode(generated), mode(truth)
        errors = (_error(mode, generated, theirs), _error(mode, truth, mine))
        found[name] = Distance(_apart(mine, theirs), float(np.hypot(*errors)))
    return found


def correlation_distances(generated: FloatArray, truth: FloatArray) -> dict[str, float]:
    """Distance of each mode between two samples of `voxels`, without errors."""
    return {name: _apart(mode(generated), mode(truth)) for name, mode in MODES.items()}


def floors(truth: FloatArray, generated: int) -> dict[str, float]:
    """Distance of each mode between two samples of one law, from halves of the true one.

    Arguments:
        truth: `voxels` of Geant4's showers.
        generated: Number of showers of the other sample.
    """
    block, found = _block(truth), {}
    for name, mode in MODES.items():
        both = [_apart(mode(truth[a[block]]), mode(truth[b[block]])) for a, b in halves(BLOCKS)]
        found[name] = scaled_floor(float(np.mean(both)), len(truth), generated, power=0.5)
    return found


def _with_next(energies: FloatArray) -> FloatArray:
    """Correlations of each place with the one a layer deeper, of energies (n, layers, places)."""
    products = np.einsum("nlp,nlp->lp", energies[:, :-1], energies[:, 1:])
    squares = np.einsum("nlp,nlp->lp", energies, energies)
    return voxel_correlations(len(energies), energies.sum(axis=0), squares, products)


def _apart(one: FloatArray, other: FloatArray) -> float:
    return frobenius_distance(one, other)[0]


def _block(energies: FloatArray) -> IntArray:
    return np.arange(len(energies)) % BLOCKS


def _error(
    mode: Callable[[FloatArray], FloatArray], energies: FloatArray, other: FloatArray
) -> float:
    """Standard error of a distance that is due to one of the samples."""
    block = _block(energies)
    return jackknife_error(lambda rows: _apart(mode(energies[rows[block]]), other), BLOCKS)


def _models(detector: str) -> list[str]:
    """Models of photons in this detector that are neither Geant4 nor fed with showers of it."""
    return [
        spec.name
        for spec in calozoo.list_models()
        if spec.detector == detector
        and spec.weights is not None
        and "gamma" in spec.conditions.particles
    ]


def _table(found: Mapping[str, Mapping[str, Distance]], floor: Mapping[str, float]) -> str:
    best = {mode: min(own[mode].value for own in found.values()) for mode in MODES}
    rows = []
    for name, own in found.items():
        cells = (f"{own[mode].value:.2f} ± {own[mode].error:.2f}" for mode in MODES)
        marked = (
            f"**{cell}**" if own[mode].value == best[mode] else cell
            for mode, cell in zip(MODES, cells, strict=True)
        )
        rows.append((f"`{name}`", *marked))
    rows.append(("noise floor", *(f"{floor[mode]:.2f}" for mode in MODES)))
    return table(("model", *MODES), rows)


def _draw(
    found: Mapping[str, Mapping[str, Distance]], floor: Mapping[str, float], path: Path
) -> None:
    """Draw a bar for each model and mode, and the noise floor as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1 + ONE_ROW_IN * len(found)), layout="constrained")
    names = list(found)[::-1]
    for axes, mode in zip(figure.subplots(1, len(MODES), sharey=True), MODES, strict=True):
        values = [found[name][mode] for name in names]
        axes.barh(
            names,
            [one.value for one in values],
            xerr=[one.error for one in values],
            color="#1f6fb4",
        )
        axes.axvline(floor[mode], color="#c8442b", linestyle="--", label="noise floor")
        axes.set_title(f"{mode} mode")
        axes.set_xlabel("Correlation Frobenius Distance")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right")
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> None:
    """Print the distances of all models."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.correlations.frobenius",
        description="Correlation Frobenius Distance of models from Geant4's showers.",
    )
    parser.add_argument("truth", type=Path, help="showers of Geant4, whose primaries models get")
    parser.add_argument("--showers", type=int, default=800, help="of the file")
    parser.add_argument("--model", action="append", help="only these models")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    parser.add_argument("--picture", type=Path, help="draw the distances to this file, too")
    options = parser.parse_args(arguments)
    try:
        truth = read_showers(options.truth, slice(0, options.showers))
        if len(truth) < 2 * BLOCKS:
            msg = f"{options.truth} holds {len(truth)} showers; {2 * BLOCKS} are needed."
            raise InputError(msg)
        theirs = voxels(truth)
        floor = floors(theirs, len(truth))
        found = {}
        for name in options.model or _models(truth.detector):
            generated = calozoo.load(name).generate(truth.incident, seed=SEED)
            found[name] = distances(voxels(generated), theirs)
        text = _table(found, floor)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "frobenius", text)
        if options.picture is not None:
            _draw(found, floor, options.picture)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
