"""CaloClouds3 on clumps: fit of the calibration of its cores."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from calozoo_caloclouds3 import SPEC
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_core.clumps.training import train_clumps

__all__ = ["train"]


def train(data: Path, out: Path, *, showers: int = 10_000, seed: int = 1) -> Path:
    """Calibrate the cores of `caloclouds3.ild-photon` on Geant4 showers.

    Arguments:
        data: Folder with `train/*.h5`, native shower files.
        out: Folder for `config.json` and `model.safetensors`.
        showers: Number of showers.
        seed: Chooses them, and is that of the generated ones.

    Returns:
        The folder with the weights.

    Raises:
        InputError: If there are too few showers.
    """
    with as_file(files("calozoo_caloclouds3") / "weights" / SPEC.tag) as folder:
        source = CaloClouds3.load(SPEC, folder)
    return train_clumps(source, data, out, showers=showers, seed=seed)
