"""`python -m calozoo_caloinn.cylinder.challenge GEN.h5 REF.h5`: two files of voxels.

For showers of the same primaries, prints how observables of the CaloChallenge compare: the ratio of
their means, and that of their spreads, in ranges of energy. The challenge's own programs want a
hundred thousand showers; this is for hundreds.

References:
    | CaloChallenge, section 4: https://arxiv.org/abs/2410.21611
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from calozoo_caloinn.cylinder.sectors import arms
from calozoo_core.errors import InputError
from calozoo_core.io import calochallenge
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS

__all__ = ["RANGES_GEV", "main", "observables", "ratios"]

RANGES_GEV = ((1.0, 3.0), (3.0, 15.0), (15.0, 1000.0))
"""Of the energies that the training has, each holds a part of about the same size."""

DRAWS = 400


def observables(energy_mev: FloatArray, voxels: FloatArray) -> dict[str, FloatArray]:
    """Numbers of each shower, shape (n,) each; lengths in mm.

    Those that the challenge looks at layer by layer are averaged over the layers by energy.

    Arguments:
        energy_mev: Incident energies, shape (n, 1).
        voxels: As they are in a file of data set 2 or 3, shape (n, voxels).

    Raises:
        InputError: If the voxels are of neither data set.
    """
    v, x, r = _shaped(voxels)
    layers = v.sum(axis=(2, 3))
    total = layers.sum(axis=1)
    some = np.maximum(layers, 1e-16)
    centre = (v * x).sum(axis=(2, 3)) / some
    centre_r = (v * r).sum(axis=(2, 3)) / some
    width = (v * x**2).sum(axis=(2, 3)) / some - centre**2
    width_r = (v * r**2).sum(axis=(2, 3)) / some - centre_r**2

    def mean(of_layers: FloatArray) -> FloatArray:
        averaged: FloatArray = (layers * of_layers).sum(axis=1) / np.maximum(total, 1e-16)
        return averaged

    number = np.arange(v.shape[1])
    depth = mean(np.broadcast_to(number, layers.shape))
    return {
        "energy / incident": total / energy_mev[:, 0],
        "filled voxels": (v > 0).mean(axis=(1, 2, 3)),
        "depth": depth,
        "length": np.sqrt(mean((number - depth[:, None]) ** 2)),
        "mean radius": mean(centre_r),
        "width of radius": mean(np.sqrt(np.maximum(width_r, 0))),
        "width": mean(np.sqrt(np.maximum(width, 0))),
        "centre of a layer": np.sqrt(mean(centre**2)),
        "centre of a shower": mean(centre),
    }


def ratios(
    generated: FloatArray, reference: FloatArray, random: np.random.Generator
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ratio of the means and of the spreads, each with its error from bootstrap samples.

    Arguments:
        generated: Of each shower, shape (n,).
        reference: Of Geant4's, shape (m,).
        random: Draws the samples.
    """

    def both(a: FloatArray, b: FloatArray) -> tuple[float, float]:
        return float(a.mean() / b.mean()), float(a.std() / b.std())

    drawn = [
        both(
            generated[random.integers(len(generated), size=len(generated))],
            reference[random.integers(len(reference), size=len(reference))],
        )
        for _ in range(DRAWS)
    ]
    errors = np.std(drawn, axis=0)
    found = both(generated, reference)
    return (found[0], float(errors[0])), (found[1], float(errors[1]))


def main(generated: Path, reference: Path) -> None:
    """Print the table."""
    samples = [calochallenge.read(path) for path in (generated, reference)]
    found = [observables(*sample) for sample in samples]
    gev = [sample[0][:, 0] / 1000 for sample in samples]
    random = np.random.default_rng(0)
    write = sys.stdout.write
    for low, high in RANGES_GEV:
        rows = [(energy >= low) & (energy < high) for energy in gev]
        if min(row.sum() for row in rows) < 2:
            continue
        counts = " and ".join(str(int(row.sum())) for row in rows)
        write(f"{low:g}-{high:g} GeV, {counts} showers\n")
        for name in found[0]:
            mean, spread = ratios(found[0][name][rows[0]], found[1][name][rows[1]], random)
            # The centre of a shower is at zero on average.
            shown = f"{mean[0]:.3f} +- {mean[1]:.3f}" if mean[1] < 1 else "-"
            write(f"  {name:20s} mean {shown:16s} spread {spread[0]:.2f} +- {spread[1]:.2f}\n")


def _shaped(voxels: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Voxels of shape (n, layers, sectors, rings), with their x and their radius in mm."""
    for cylinder in DATASETS.values():
        if cylinder.n_voxels == voxels.shape[1]:
            arm = arms(cylinder).astype(np.float64)
            shape = (-1, len(cylinder.layers), *arm.shape[:2])
            return voxels.reshape(shape), arm[..., 0], np.hypot(*arm[0].T)
    msg = f"Showers of {voxels.shape[1]} voxels are neither of data set 2 nor of data set 3."
    raise InputError(msg)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare two files of the challenge's layout.")
    parser.add_argument("generated", type=Path)
    parser.add_argument("reference", type=Path)
    asked = parser.parse_args()
    main(asked.generated, asked.reference)
