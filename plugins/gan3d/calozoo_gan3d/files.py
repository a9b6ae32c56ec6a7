"""A trained 3DGAN as files, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calozoo_core.weights import read_config, read_tensors, write_weights
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.energies import LayerEnergies
from calozoo_gan3d.networks import Generator
from calozoo_gan3d.points import PointTables, shapes

__all__ = ["Trained", "read", "write"]


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
    networks: dict[str, nn.Module] = {"energies": energies, "generator": generator}
    expected: dict[str, Sequence[int]] = {
        f"{part}.{name}": tensor.shape
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    tables_expected = {f"points.{name}": shape for name, shape in shapes(config.grid).items()}
    tensors = read_tensors(
        folder,
        shapes=expected | tables_expected,
        dtypes=dict.fromkeys(tables_expected, "uint8"),
    )
    for part, network in networks.items():
        network.load_state_dict(_own(tensors, part), assign=True)
    tables = {name: tensor.numpy() for name, tensor in _own(tensors, "points").items()}
    return Trained(config, energies, generator, PointTables(**tables))


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    parts = {
        "energies": trained.energies.state_dict(),
        "generator": trained.generator.state_dict(),
        "points": {n: torch.from_numpy(t) for n, t in trained.tables._asdict().items()},
    }
    tensors = {f"{part}.{name}": t for part, own in parts.items() for name, t in own.items()}
    write_weights(folder, trained.config, tensors)


def _own(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    start = f"{part}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
