"""Gan3d on clumps: the contract of the zoo, and points that have neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calozoo_core.clumps import ClumpsGenerator, VoxelMesh
from calozoo_core.clumps.core_source import CoreSource
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.kernels import numpy_only
from calozoo_core.testing import ModelContract, load_bundled
from calozoo_core.testing._requests import bundled_folder
from calozoo_gan3d import CLUMPS, SPEC


class TestGan3dClumps(ModelContract):
    spec = CLUMPS
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.12  # of Geant4 itself it is 0.08, straight in

    @pytest.fixture
    def load(self) -> Callable[[], Generator]:
        return lambda: ClumpsGenerator.load(
            CLUMPS, bundled_folder(CLUMPS), source=load_bundled(SPEC)
        )


@pytest.mark.parametrize("n", [1, 20])
def test_rings_handed_over_are_those_of_the_showers(n: int) -> None:
    source = load_bundled(SPEC)
    assert isinstance(source, CoreSource)
    slant = np.linspace(-0.6, 0.6, n)
    direction = np.column_stack([slant, slant / 3, np.sqrt(1 - slant**2 * 10 / 9)])
    incident = Incident(np.linspace(10, 60, n), direction)
    numbers = np.concatenate([np.arange(5, 5 + n // 2), np.arange(90, 90 + n - n // 2)])
    mesh = VoxelMesh()

    rings = source.core_numbers(incident, 3, numbers, mesh.edges_mm[:5])

    whole = core_energies(source.sample_numbers(incident, 3, numbers), mesh, 5)
    np.testing.assert_allclose(rings, whole, rtol=1e-4, atol=0.05)
    assert np.mean(rings != whole) < 0.01
    assert np.all(rings.sum(axis=(1, 2)) > 50)
    with numpy_only():
        plain = source.core_numbers(incident, 3, numbers, mesh.edges_mm[:5])
    np.testing.assert_allclose(rings.sum(axis=(1, 2)), plain.sum(axis=(1, 2)), rtol=1e-3)
