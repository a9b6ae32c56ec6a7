"""A small model, showers it can learn from, and the files that live outside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import made_up_showers
from calozoo_gan3d import SPEC
from calozoo_gan3d.config import Gan3dConfig, preset
from calozoo_gan3d.layer_energies import LayerEnergies
from calozoo_gan3d.model import Gan3d
from calozoo_gan3d.networks import Generator
from calozoo_gan3d.points import fitted_tables
from calozoo_gan3d.trained import TrainedGan3d
from calozoo_gan3d.training_data import ImageSample, upright_points


@pytest.fixture(scope="session")
def tiny_config() -> Gan3dConfig:
    return preset("tiny")


@pytest.fixture(scope="session")
def showers() -> Showers:
    return made_up_showers()


@pytest.fixture(scope="session")
def sample(showers: Showers, tiny_config: Gan3dConfig) -> ImageSample:
    return ImageSample.from_showers(showers, tiny_config.grid, upright_points(showers, 1))


@pytest.fixture
def trained(tiny_config: Gan3dConfig, showers: Showers) -> TrainedGan3d:
    """Untrained, but of the right make: every layer has some energy, many voxels have some."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        energies = LayerEnergies(tiny_config.grid.layers, tiny_config.energies)
        generator = Generator(tiny_config.grid, tiny_config.generator)
    energies.shift.fill_(1.0)
    energies.scale.fill_(0.2)
    tables = fitted_tables(upright_points(showers, 1), len(showers), tiny_config.grid)
    return TrainedGan3d(tiny_config, energies, generator, tables)


@pytest.fixture
def tiny_folder(tmp_path: Path, trained: TrainedGan3d) -> Path:
    folder = tmp_path / "weights"
    trained.write(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> Gan3d:
    return Gan3d.load(SPEC, tiny_folder)
