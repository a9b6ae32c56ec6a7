"""Training showers as voxels of the CaloChallenge, and as their rings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.io import ShowerFile, calochallenge
from calozoo_core.training.model_training import sample_files
from calozoo_core.typing import Float32Array
from calozoo_core.voxels import CylinderVoxels

__all__ = ["TrainingVoxels", "read_training_voxels"]

CHUNK: Final = 20
"""Showers voxelised together: one of 1 TeV has hundreds of thousands of steps."""

HELD_OUT: Final = 0.1
"""Part of a single file that is held out."""

MOST_HELD_OUT: Final = 1000
"""Held-out showers of a single file, at most: each look at the physics samples eight times as many.
"""

Block = tuple[Float32Array, Float32Array]
"""Incident energies in GeV, shape (n,), and deposits in MeV, shape (n, layers, sectors, rings)."""


@dataclass(frozen=True, eq=False)
class TrainingVoxels:
    """Geant4 showers of normal incidence, as rings; the first of them as voxels too.

    Arguments:
        voxels: Deposits of the first m showers, in MeV, shape (m, layers, sectors, rings).
        rings: Deposits of all showers in rings, in MeV, shape (n, layers, rings).
        energy_gev: Incident energies, shape (n,).
    """

    voxels: Float32Array
    rings: Float32Array
    energy_gev: Float32Array

    @classmethod
    def of(
        cls, blocks: Iterator[Block], most_voxels: int, most_showers: int | None = None
    ) -> TrainingVoxels:
        """Showers that come in blocks, of which only the rings are kept beyond the first ones.

        Arguments:
            blocks: Blocks in order.
            most_voxels: Showers whose voxels are kept, at most.
            most_showers: Number of showers that are read, at most; None for all.

        Raises:
            InputError: If no block came.
        """
        voxels, rings, energies, kept = [], [], [], 0
        read = 0
        for block in blocks:
            left = None if most_showers is None else most_showers - read
            energy_gev, deposits = (column[:left] for column in block)
            energies.append(energy_gev)
            rings.append(deposits.sum(axis=2))
            voxels.append(deposits[: max(0, most_voxels - kept)].copy())
            kept += len(voxels[-1])
            read += len(energy_gev)
            if read == most_showers:
                break
        if not energies:
            msg = "The files to train on hold no showers; give others."
            raise InputError(msg)
        return cls(*(np.concatenate(parts) for parts in (voxels, rings, energies)))

    def __len__(self) -> int:
        return len(self.energy_gev)

    def split(self, n: int) -> tuple[TrainingVoxels, TrainingVoxels]:
        """All showers but the last n, and the last n."""
        first = len(self) - n
        return (
            TrainingVoxels(self.voxels[:first], self.rings[:first], self.energy_gev[:first]),
            TrainingVoxels(self.voxels[first:], self.rings[first:], self.energy_gev[first:]),
        )


def read_training_voxels(
    data: Path,
    voxels: CylinderVoxels,
    most_voxels: int,
    *,
    most_held_out: int = 0,
    most_showers: int | None = None,
) -> tuple[TrainingVoxels, TrainingVoxels]:
    """Training and held-out showers.

    Arguments:
        data: Folder with files in `train/` and `val/`, native ones or of the CaloChallenge, or one
            file of the CaloChallenge.
        voxels: Their voxels, the same in all layers.
        most_voxels: Training showers whose voxels are kept, at most.
        most_held_out: Held-out showers of a folder whose voxels are kept, at most.
        most_showers: Showers after which no more are read of either part; None for all.

    Raises:
        InputError: If there are no files, or a single file has fewer than two showers.
        DetectorError: If the layers of a detector do not fit the voxels.
        ShowerFileError: If a file is damaged, or has other voxels.
    """
    if data.is_file():
        if not calochallenge.is_challenge_file(data):
            msg = (
                f"{data} is not in the CaloChallenge's layout; give native files as a folder with "
                "train/ and val/."
            )
            raise InputError(msg)
        sample = TrainingVoxels.of(_blocks([data], voxels), most_voxels, most_showers)
        if len(sample) < 2:
            msg = f"{data} holds a single shower; give one of more, some of which are held out."
            raise InputError(msg)
        return sample.split(max(1, min(MOST_HELD_OUT, round(HELD_OUT * len(sample)))))
    parts = [sample_files(data, part) for part in ("train", "val")]
    train, held_out = (
        TrainingVoxels.of(_blocks(paths, voxels), most, most_showers)
        for paths, most in zip(parts, (most_voxels, most_held_out), strict=True)
    )
    return train, held_out


def _blocks(paths: Sequence[Path], voxels: CylinderVoxels) -> Iterator[Block]:
    """Showers of some files in order, a block at a time."""
    bins = voxels.layers[0]
    shape = (-1, len(voxels.layers), bins.n_alpha, bins.n_r)
    for path in paths:
        if calochallenge.is_challenge_file(path):
            blocks = calochallenge.read_blocks(
                path, voxels, sampling_fraction=calochallenge.SAMPLING_FRACTION
            )
            for energy_mev, deposits in blocks:
                filled = np.maximum(deposits, 0).astype(np.float32)
                yield (energy_mev / 1000).astype(np.float32), filled.reshape(shape)
            continue
        with ShowerFile(path) as file:
            for showers in file.batches(CHUNK):
                filled = voxels.fill(showers)[0].astype(np.float32)
                yield showers.incident.energy, filled.reshape(shape)
