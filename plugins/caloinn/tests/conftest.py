"""Small networks, showers with about the right points, and a model made of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from calozoo_caloinn import SPEC
from calozoo_caloinn.config import CaloInnConfig, preset
from calozoo_caloinn.model import CaloInn
from calozoo_caloinn.networks import build_networks
from calozoo_caloinn.template_fit import fit_template
from calozoo_caloinn.trained import TrainedCaloInn
from calozoo_caloinn.training_data import TrainingRings
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers


@pytest.fixture(scope="session")
def showers_folder() -> Path:
    if "CALOZOO_SHOWERS" not in os.environ:
        pytest.skip("set CALOZOO_SHOWERS to a folder with train/*.h5 and val/*.h5")
    return Path(os.environ["CALOZOO_SHOWERS"])


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(20)


def cloud(n: int, points: int, seed: int, slant: float = 0.3) -> Showers:
    """Points about slanted axes, more energetic in the middle, some layers empty."""
    random = np.random.default_rng(seed)
    direction = np.column_stack([random.uniform(-slant, slant, (n, 2)), np.ones(n)])
    incident = Incident(random.uniform(5, 100, n), direction)
    layer = np.sort(random.integers(0, 28, (n, points)), axis=1).ravel()
    radius = random.exponential(12, n * points)
    angle = random.uniform(0, 2 * np.pi, n * points)
    depth = load_detector("ild_siecal_regular").layer_depth_mm[layer]
    slope = np.repeat(incident.direction[:, :2] / incident.direction[:, 2:], points, axis=0)
    return Showers(
        offsets=np.arange(n + 1) * points,
        x=radius * np.cos(angle) + depth * slope[:, 0],
        y=radius * np.sin(angle) + depth * slope[:, 1],
        layer=layer,
        energy=random.lognormal(-1.5, 0.8, n * points) * (1 + 20 * np.exp(-radius)),
        incident=incident,
        representation="x25",
        detector="ild_siecal_regular",
    )


@pytest.fixture(scope="session")
def showers() -> Showers:
    return cloud(40, 500, seed=8)


@pytest.fixture(scope="session")
def sample(showers: Showers) -> TrainingRings:
    return TrainingRings.from_showers(showers, preset("tiny"))


def made(name: str, sample: TrainingRings) -> TrainedCaloInn:
    """An untrained model of the right make, its template fitted."""
    config: CaloInnConfig = preset(name)
    random = torch.Generator().manual_seed(3)
    networks = build_networks(config, random)
    for parameter in networks.parameters():
        nn.init.normal_(parameter, 0.0, 0.05, generator=random)
    template = fit_template(sample.rings, sample.energy_gev, config.codec, config.rings, seed=1)
    return TrainedCaloInn(config, networks.eval().requires_grad_(False), template)


@pytest.fixture(scope="session")
def tiny_folder(sample: TrainingRings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    made("tiny", sample).write(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> CaloInn:
    return CaloInn.load(SPEC, tiny_folder)


@pytest.fixture(name="made")
def _made(sample: TrainingRings) -> Callable[[str], TrainedCaloInn]:
    return lambda name: made(name, sample)


@pytest.fixture
def made_tiny(sample: TrainingRings) -> TrainedCaloInn:
    return made("tiny", sample)
