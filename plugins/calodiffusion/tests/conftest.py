"""A small model with random weights, and showers it can learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from calozoo_calodiffusion import SPEC
from calozoo_calodiffusion.config import CaloDiffusionConfig, preset
from calozoo_calodiffusion.model import CaloDiffusion
from calozoo_calodiffusion.trained import TrainedCaloDiffusion


@pytest.fixture(scope="session")
def tiny_config() -> CaloDiffusionConfig:
    return preset("tiny")


@pytest.fixture
def trained(tiny_config: CaloDiffusionConfig) -> TrainedCaloDiffusion:
    """Untrained, but of the right make: a typical profile, and something in every ring."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        model = TrainedCaloDiffusion.untrained(tiny_config)
        for network in model.named_networks().values():
            for parameter in network.parameters():
                torch.nn.init.normal_(parameter, std=0.1)
    # The logarithm of the visible energy, then logits of what a layer keeps of what is left.
    depth = np.arange(29)
    model.energy_scale.mean[1:, 0] = -2.0 + 0.05 * depth
    model.energy_scale.log_spread[:, 0] = -1.5
    model.shape_scale.mean[:, 0] = np.tile(np.log([0.4, 0.25, 0.15, 0.1, 0.1]), 30)
    model.shape_scale.log_spread[:, 0] = -0.5
    model.calibration.factor.fill(1.0)
    return model


@pytest.fixture
def tiny_folder(tmp_path: Path, trained: TrainedCaloDiffusion) -> Path:
    folder = tmp_path / "weights"
    trained.write(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> CaloDiffusion:
    return CaloDiffusion.load(SPEC, tiny_folder)
