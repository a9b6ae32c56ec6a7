"""Comparison of two files of voxels of the CaloChallenge by observables.

    python -m studies.caloinn.voxel_comparison GENERATED.h5 REFERENCE.h5

Prints, for showers of the same primaries and in ranges of energy, the ratios of means and of
spreads of the observables of the CaloChallenge. The challenge's own programs need a hundred
thousand showers; this one works with hundreds.

References:
    | CaloChallenge, section 4: https://arxiv.org/abs/2410.21611
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from calozoo_caloinn.cylinder.sectors import voxel_centres
from calozoo_core.errors import InputError
from calozoo_core.io import calochallenge
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS

__all__ = ["RANGES_GEV", "main", "observables", "ratios"]

RANGES_GEV = ((1.0, 3.0), (3.0, 15.0), (15.0, 1000.0))
"""Ranges of incident energy, each with about as many training showers."""

BOOTSTRAP_SAMPLES = 400


def observables(energy_mev: FloatArray, voxels: FloatArray) -> dict[str, FloatArray]:
    """Observables of each shower, shape (n,) each; lengths in mm.

    Those that the challenge has for each layer are averaged over the layers by energy.

    Arguments:
        energy_mev: Incident energies, shape (n, 1).
        voxels: Energies in the order of a file of data set 2 or 3, shape (n, voxels).

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
    """Ratios of the means and of the spreads, each with its error from bootstrap samples.

    Arguments:
        generated: Observable of each generated shower, shape (n,).
        reference: Observable of each reference shower, shape (m,).
        random: Random stream of the bootstrap.
    """

    def both(a: FloatArray, b: FloatArray) -> tuple[float, float]:
        return float(a.mean() / b.mean()), float(a.std() / b.std())

    drawn = [
        both(
            generated[random.integers(len(generated), size=len(generated))],
            reference[random.integers(len(reference), size=len(reference))],
        )
        for _ in range(BOOTSTRAP_SAMPLES)
    ]
    errors = np.std(drawn, axis=0)
    found = both(generated, reference)
    return (found[0], float(errors[0])), (found[1], float(errors[1]))


def main(generated: Path, reference: Path) -> None:
    """Print the table.

    Arguments:
        generated: File of generated showers.
        reference: File of reference showers.
    """
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
            centres = voxel_centres(cylinder).astype(np.float64)
            shape = (-1, len(cylinder.layers), *centres.shape[:2])
            return voxels.reshape(shape), centres[..., 0], np.hypot(*centres[0].T)
    msg = f"Showers of {voxels.shape[1]} voxels are neither of data set 2 nor of data set 3."
    raise InputError(msg)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare two files of the challenge's layout.")
    parser.add_argument("generated", type=Path)
    parser.add_argument("reference", type=Path)
    asked = parser.parse_args()
    main(asked.generated, asked.reference)
