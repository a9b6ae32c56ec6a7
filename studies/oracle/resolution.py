"""What widens the energy of a photon: `python -m studies.oracle.resolution STEPS.h5`.

The weighted energy of Geant4's showers of one energy is divided into core and halo, and so is that
of their cores with halos of the library, and that of models. Widths of the parts, and what parts
and layers have to do with each other, say where a resolution that is too wide comes from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

import calozoo
from calozoo.reconstruction.parameters import finder_parameters
from calozoo_core.clumps import load_library
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.result import format_with_error
from calozoo_core.observables.response import central_90
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray
from studies.oracle.halos import WAYS, showers_from_core
from studies.oracle.placed import BATCH, SEED, true_cores

__all__ = ["Parts", "parts", "with_halos"]

SAMPLES: Final = 400
"""Samples of the bootstrap."""


class Parts(NamedTuple):
    """Weighted energies of showers, in MeV.

    Arguments:
        core: Within the rings that models draw, shape (n,).
        halo: Beyond, of each layer, shape (n, n_layers).
    """

    core: FloatArray
    halo: FloatArray

    def figures(self, rows: IntArray) -> FloatArray:
        """Figures of some of the showers, in the order of `COLUMNS`."""
        core, layers = self.core[rows], self.halo[rows]
        halo = layers.sum(axis=1)
        covariance = np.cov(layers.T) / halo.mean() ** 2
        alone = np.trace(covariance)
        return np.array(
            [
                *(100 * sigma / mu for mu, sigma in map(central_90, (core + halo, core, halo))),
                np.corrcoef(core, halo)[0, 1],
                100 * alone,
                100 * (covariance.sum() - alone),
            ]
        )


COLUMNS: Final = (
    "energy [%]",
    "core [%]",
    "halo [%]",
    "correlation of core and halo",
    "variances of the halo's layers [%]",
    "covariances [%]",
)


def parts(showers: Showers) -> Parts:
    """Core and halo of showers, with the weights of the photon finder."""
    finder, config = finder_parameters(), load_library(showers.detector).config
    n_layers = load_detector(showers.detector).n_layers
    weight = np.where(np.arange(n_layers) < finder.heavy_from_layer, 1.0, finder.heavy_weight)
    place = showers.shower_index * n_layers + showers.layer
    layers = np.bincount(place, showers.energy, len(showers) * n_layers).reshape(-1, n_layers)
    core = core_energies(showers, config.mesh, config.core_rings).sum(axis=2, dtype=np.float64)
    return Parts((core * weight).sum(axis=1), (layers - core) * weight)


def with_halos(showers: Showers, way: str) -> Showers:
    """True cores with halos of the library.

    Arguments:
        showers: Steps of Geant4.
        way: Way to take them, one of `WAYS`.
    """
    complete, made = showers_from_core(showers.detector, WAYS[way]), []
    for first in range(0, len(showers), BATCH):
        part = showers[first : first + BATCH]
        streams = [stream(SEED, first + i, "clumps") for i in range(len(part))]
        made.append(complete(true_cores(part, first), part.incident, streams))
    return Showers.concatenate(made)


def row(name: str, showers: Showers) -> tuple[str, ...]:
    """Row of the table, with errors by a bootstrap over showers."""
    found, rng = parts(showers), np.random.default_rng(SEED)
    n = len(found.core)
    samples = [found.figures(rng.integers(0, n, n)) for _ in range(SAMPLES)]
    values, errors = found.figures(np.arange(n)), np.std(samples, axis=0)
    return name, *(format_with_error(*pair) for pair in zip(values, errors, strict=True))


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.oracle.resolution", description=__doc__
    )
    parser.add_argument("steps", type=Path, nargs="+", help="steps of Geant4, of one energy a file")
    parser.add_argument("--model", action="append", default=[], help="a model; may be repeated")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    rows = []
    try:
        models = [calozoo.load(name) for name in options.model]
        for path in options.steps:
            showers = read_showers(path)
            gev = f"{showers.incident.energy.mean():g} GeV"
            rows.append(row(f"{gev}: Geant4", showers))
            rows += [row(f"true cores, {way}", with_halos(showers, way)) for way in WAYS]
            for model in models:
                made = model.generate(showers.incident, seed=SEED)
                rows.append(row(model.spec.name, made))
    except CalozooError as error:
        sys.exit(str(error))
    text = table(("showers", *COLUMNS), rows)
    sys.stdout.write(f"{text}\n")
    if options.write is not None:
        write_block(options.write, "resolution", text)


if __name__ == "__main__":
    main()
