"""Small networks and the files that live outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from calozoo_caloclouds3 import SPEC
from calozoo_caloclouds3.config import CaloCloudsConfig, preset
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.trained import TrainedCaloClouds3


def _folder(variable: str, what: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"set {variable} to {what}")
    return Path(os.environ[variable])


@pytest.fixture(scope="session")
def published_weights() -> Path:
    folder = _folder(
        "CALOZOO_UPSTREAM", "a folder with the authors' caloclouds3_points.safetensors"
    )
    return folder / "caloclouds3_points.safetensors"


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(20)


@pytest.fixture
def tiny_config() -> CaloCloudsConfig:
    return preset("tiny")


@pytest.fixture
def tiny_networks(
    tiny_config: CaloCloudsConfig, random: torch.Generator
) -> tuple[ShowerFlow, PointWiseNet]:
    """Untrained, but of the right make: every layer gets some points and some energy."""
    flow = ShowerFlow(tiny_config.flow, random)
    net = PointWiseNet(tiny_config.points, random)
    for parameter in [*flow.parameters(), *net.parameters()]:
        torch.nn.init.normal_(parameter, 0.0, 0.2, generator=random)
    flow.shift.fill_(4.0)
    flow.scale.fill_(1.0)
    return flow, net


@pytest.fixture
def tiny_folder(
    tmp_path: Path, tiny_config: CaloCloudsConfig, tiny_networks: tuple[ShowerFlow, PointWiseNet]
) -> Path:
    folder = tmp_path / "weights"
    TrainedCaloClouds3(tiny_config, *tiny_networks).write(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> CaloClouds3:
    return CaloClouds3.load(SPEC, tiny_folder)
