"""A source of steps that costs nothing, and the library it fills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.generator import Conditions, Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.random import stream
from calozoo_core.showers import Showers

SPRINKLER = ModelSpec(
    name="sprinkler.test",
    summary="Steps sprinkled about the shower axis, a few of them far away.",
    factory="conftest:Sprinkler",
    representation="steps",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 20), theta_deg=(0, 60)),
    license="Apache-2.0",
)


class Sprinkler(Generator):
    """Thirty steps a GeV, and every twentieth of them a metre and more from the axis."""

    default_batch_size = 5

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> Sprinkler:
        return cls(spec)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        depth = load_detector(self.spec.detector).layer_depth_mm
        columns, counts = [], []
        for i, (energy, direction) in enumerate(
            zip(incident.energy, incident.direction.astype(float), strict=True)
        ):
            rng, n = stream(seed, first + i, "sprinkler"), int(30 * energy)
            layer = rng.integers(0, len(depth), n)
            radius = np.where(np.arange(n) % 20 == 0, 1000.0, 0.0) + rng.exponential(8, n)
            angle = rng.uniform(0, 2 * np.pi, n)
            axis = depth[layer, None] * direction[:2] / direction[2]
            x, y = axis.T + radius * np.stack([np.cos(angle), np.sin(angle)])
            columns.append((x, y, layer, rng.gamma(2, 0.4, n), rng.uniform(0, 9, n)))
            counts.append(n)
        x, y, layer, energy, time = map(np.concatenate, zip(*columns, strict=True))
        return Showers(
            offsets=np.cumsum([0, *counts]),
            x=x,
            y=y,
            layer=layer,
            energy=energy,
            time=time,
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )


@pytest.fixture
def sprinkler() -> Sprinkler:
    """Steps about the axis, a few of them far away."""
    return Sprinkler(SPRINKLER)


@pytest.fixture
def steps(sprinkler: Sprinkler) -> Showers:
    """Eight slanted showers of steps, made with seed 6."""
    phi = np.linspace(0, 6, 8)
    direction = np.stack([np.cos(phi), np.sin(phi), np.full(8, 0.7)], axis=1)
    return sprinkler.generate(energy=np.linspace(2, 16, 8), direction=direction, seed=6)


@pytest.fixture
def library(steps: Showers, tmp_path: Path) -> Path:
    """A file of these showers."""
    path = tmp_path / "lib.h5"
    write_showers(path, steps, generator="sprinkler.test", seed=6)
    return path
