"""Training of a model on clumps: the calibration of another model's cores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.clumps.generator import ClumpsConfig, write_clumps
from calozoo_core.clumps.library import load_library
from calozoo_core.clumps.mesh import voxel_energies
from calozoo_core.clumps.ring_calibration import RingCalibration, fit_ring_calibration
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator
from calozoo_core.io import ShowerFile
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.weights import sha256

__all__ = ["drawn_showers", "train_clumps"]

NOISE_MEV: Final = 0.01
"""Energy up to which a ring of the core counts as empty."""

BAND_EDGES_GEV: Final = (8.0, 30.0, 70.0)
"""Incident energies between the bands that are calibrated one by one."""


def train_clumps(
    data: Path, out: Path, *, source: Generator, showers: int = 10_000, seed: int = 1
) -> Path:
    """Fit the calibration of a model's cores to Geant4 showers, and write it.

    Arguments:
        data: Folder with `train/*.h5`, native shower files.
        out: Folder for `config.json` and `model.safetensors`.
        source: Generator of the model.
        showers: Number of Geant4 showers, drawn at random, and of the model's for their primaries.
        seed: Seed of both.

    Returns:
        The folder with the weights.

    Raises:
        InputError: If there are too few showers, or calozoo has no library for the detector.
        ShowerFileError: If a file is damaged.
    """
    library = load_library(source.spec.detector).config
    mesh, rings = library.mesh, library.core_rings
    truth, sources = drawn_showers(sorted((data / "train").glob("*.h5")), showers, seed)
    cores = [
        core_energies(source.sample(part, seed, first), mesh, rings)
        for first, part in truth.incident.batches(source.default_batch_size)
    ]
    # In training, clumps go as a whole to the ring of their centre.
    voxels = mesh.ring_energies(voxel_energies(truth, mesh, library.linking))
    sampled = np.concatenate(cores).reshape(len(truth), -1)
    wanted = voxels[:, :, :rings].reshape(len(truth), -1)
    band = np.searchsorted(BAND_EDGES_GEV, truth.incident.energy)
    members = [np.flatnonzero(band == b) for b in range(len(BAND_EDGES_GEV) + 1)]
    bands = [
        fit_ring_calibration(sampled[rows], wanted[rows], NOISE_MEV)
        for rows in members
        if len(rows)
    ]
    log_energy = np.log(truth.incident.energy.astype(np.float64))
    calibration = RingCalibration(*(np.stack(tables) for tables in zip(*bands, strict=True)))
    config = ClumpsConfig(
        source=source.spec.name,
        core_edges_mm=library.core_edges_mm,
        n_layers=voxels.shape[1],
        bands_gev=tuple(float(np.exp(log_energy[rows].mean())) for rows in members if len(rows)),
        n_showers=len(truth),
        seed=seed,
        sources=sources,
    )
    write_clumps(out, config, calibration)
    return out


def drawn_showers(
    paths: list[Path], number: int, seed: int
) -> tuple[Showers, tuple[ShowerSource, ...]]:
    """Showers drawn at random from files, and where they come from.

    Arguments:
        paths: Native shower files.
        number: How many showers.
        seed: Chooses them.

    Raises:
        InputError: If the files hold fewer.
        ShowerFileError: If a file is damaged.
    """
    counts = []
    for path in paths:
        with ShowerFile(path) as file:
            counts.append(len(file))
    total = sum(counts)
    if total < number:
        msg = f"{number} showers are needed, and the files hold {total}; give more of them."
        raise InputError(msg, argument="showers")
    chosen = np.sort(stream(seed, 0, "library").choice(total, number, replace=False))
    parts, sources, start = [], [], 0
    for path, count in zip(paths, counts, strict=True):
        rows = chosen[(chosen >= start) & (chosen < start + count)] - start
        start += count
        if len(rows) == 0:
            continue
        with ShowerFile(path) as file:
            parts.append(file[rows])
            seed_of_file = file.seed
        digest, listed = sha256(path), tuple(rows.tolist())
        sources.append(ShowerSource(file=path.name, sha256=digest, seed=seed_of_file, rows=listed))
    return Showers.concatenate(parts), tuple(sources)
