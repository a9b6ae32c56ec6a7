"""A trained 3DGAN as files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from calozoo_core.weights import read_config, write_weights
from calozoo_core.weights.networks import named_tensors, read_networks
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.layer_energies import LayerEnergies
from calozoo_gan3d.networks import Generator
from calozoo_gan3d.points import PointTables, shapes

__all__ = ["Trained", "read", "write"]

TABLES = "points"


class Trained(NamedTuple):
    """What generation needs, and what it was built from."""

    config: Gan3dConfig
    energies: LayerEnergies
    generator: Generator
    tables: PointTables


def read(folder: Path) -> Trained:
    """The model in a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged or do not fit each other.
    """
    config = read_config(folder, Gan3dConfig)
    # On the meta device nothing is allocated before the file is known to fit.
    with torch.device("meta"):
        energies = LayerEnergies(config.grid.layers, config.energies)
        generator = Generator(config.grid, config.generator)
        claims = {
            f"{TABLES}.{name}": torch.empty(shape, dtype=torch.uint8)
            for name, shape in shapes(config.grid).items()
        }
    tables = read_networks(folder, {"energies": energies, "generator": generator}, claims)
    own = {name.removeprefix(f"{TABLES}."): tensor.numpy() for name, tensor in tables.items()}
    return Trained(config, energies, generator, PointTables(**own))


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    tensors = named_tensors({"energies": trained.energies, "generator": trained.generator})
    tables = {f"{TABLES}.{n}": torch.from_numpy(t) for n, t in trained.tables._asdict().items()}
    write_weights(folder, trained.config, tensors | tables)
