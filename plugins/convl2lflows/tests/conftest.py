"""Small flows, and the files that live outside the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from calozoo_convl2lflows import SPEC
from calozoo_convl2lflows.config import ConvL2LConfig, preset
from calozoo_convl2lflows.model import ConvL2LFlows
from calozoo_convl2lflows.trained import TrainedConvL2LFlows
from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import made_up_showers


@pytest.fixture(autouse=True)
def _first_weights() -> None:
    """Layers draw their first weights from torch's global stream."""
    torch.manual_seed(12)


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(20)


Shake = Callable[[nn.Module], nn.Module]


@pytest.fixture
def shake(random: torch.Generator) -> Shake:
    """Gives a network random weights everywhere, so that no flow is the identity."""

    def shaken(network: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=random)
        return network.eval().requires_grad_(requires_grad=False)

    return shaken


@pytest.fixture
def make(shake: Shake) -> Callable[[ConvL2LConfig], TrainedConvL2LFlows]:
    """Makes the flows of a configuration, with random weights."""

    def made(config: ConvL2LConfig) -> TrainedConvL2LFlows:
        trained = TrainedConvL2LFlows.untrained(config)
        for network in trained.named_networks().values():
            shake(network)
        return trained

    return made


@pytest.fixture
def tiny_trained(make: Callable[[ConvL2LConfig], TrainedConvL2LFlows]) -> TrainedConvL2LFlows:
    return make(preset("tiny"))


@pytest.fixture
def tiny_folder(tmp_path: Path, tiny_trained: TrainedConvL2LFlows) -> Path:
    tiny_trained.write(tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def tiny(tiny_folder: Path) -> ConvL2LFlows:
    return ConvL2LFlows.load(SPEC, tiny_folder)


@pytest.fixture
def showers() -> Showers:
    return made_up_showers()
