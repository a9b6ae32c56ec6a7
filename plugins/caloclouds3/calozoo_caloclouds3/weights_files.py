"""A trained CaloClouds3 as files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from calozoo_caloclouds3.config import CaloCloudsConfig
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_core.weights import read_config, write_weights
from calozoo_core.weights.networks import named_tensors, read_networks

__all__ = ["Trained", "read", "write"]


class Trained(NamedTuple):
    """Both networks and what they were built from."""

    config: CaloCloudsConfig
    flow: ShowerFlow
    points: PointWiseNet


def read(folder: Path) -> Trained:
    """The networks of a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged or do not fit each other.
    """
    config = read_config(folder, CaloCloudsConfig)
    # On the meta device nothing is allocated before the file is known to fit.
    with torch.device("meta"):
        trained = Trained(config, ShowerFlow(config.flow), PointWiseNet(config.points))
    read_networks(folder, _networks(trained))
    return trained


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    write_weights(folder, trained.config, named_tensors(_networks(trained)))


def _networks(trained: Trained) -> dict[str, nn.Module]:
    return {"flow": trained.flow, "points": trained.points}
