"""A trained CaloINN on cylinders as files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.cylinder.networks import Networks, built
from calozoo_caloinn.cylinder.sectors import SectorTables, table_shapes
from calozoo_core.weights import read_config, write_weights
from calozoo_core.weights.networks import named_tensors, read_networks

__all__ = ["Trained", "read", "write"]

TABLES = "tables."


class Trained(NamedTuple):
    """The networks, the tables, and what they were built from."""

    config: CylinderConfig
    networks: Networks
    tables: SectorTables


def read(folder: Path) -> Trained:
    """The model of a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged or do not fit each other.
    """
    config = read_config(folder, CylinderConfig)
    # On the meta device nothing is allocated before the file is known to fit.
    with torch.device("meta"):
        networks = built(config)
        claims = {TABLES + name: torch.empty(s) for name, s in table_shapes(config).items()}
    tables = read_networks(folder, networks._asdict(), claims)
    own = {name.removeprefix(TABLES): table for name, table in tables.items()}
    return Trained(config, networks, SectorTables(**own))


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    tensors = named_tensors(trained.networks._asdict())
    tensors |= {TABLES + name: table for name, table in trained.tables.tensors().items()}
    write_weights(folder, trained.config, tensors)
