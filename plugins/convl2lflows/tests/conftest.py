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
from calozoo_convl2lflows.weights_files import Trained, networks, write
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
def untrained(shake: Shake) -> Callable[[ConvL2LConfig], Trained]:
    """Makes the flows of a configuration, with random weights."""
    return lambda config: Trained(config, {k: shake(v) for k, v in networks(config).items()})


@pytest.fixture(params=["tiny", "tiny-voxels"])
def tiny_trained(
    request: pytest.FixtureRequest, untrained: Callable[[ConvL2LConfig], Trained]
) -> Trained:
    return untrained(preset(request.param))


@pytest.fixture
def tiny_folder(tmp_path: Path, tiny_trained: Trained) -> Path:
    write(tmp_path / "weights", tiny_trained)
    return tmp_path / "weights"


@pytest.fixture
def tiny(tiny_folder: Path) -> ConvL2LFlows:
    return ConvL2LFlows.load(SPEC, tiny_folder)


@pytest.fixture
def showers() -> Showers:
    return made_up_showers()
