"""Checks of trained photon showers in the ILD ECAL against Geant4 showers held out.

Derive one class from `PhotonPhysics` beside the one from `ModelContract`. The showers are in the
folder that the variable CALOZOO_SHOWERS names; without it these tests are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io.hdf5 import read_showers
from calozoo_core.observables import Profiles, divergences, profiles
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.testing._requests import load_bundled

__all__ = ["PhotonPhysics", "held_out_showers"]

VARIABLE = "CALOZOO_SHOWERS"
BATCH = 100


def held_out_showers() -> Showers:
    """The validation showers; skips the test if it is not said where they are."""
    if VARIABLE not in os.environ:
        pytest.skip(f"set {VARIABLE} to a folder with train/*.h5 and val/*.h5 of Geant4 showers")
    paths = sorted((Path(os.environ[VARIABLE]) / "val").glob("*.h5"))
    return Showers.concatenate([read_showers(path) for path in paths])


class PhotonPhysics:
    """Profiles, means, the field's pull and the zig-zag of the layers.

    Example:
        >>> class TestMyPhotons(PhotonPhysics):
        ...     spec: ModelSpec  # = the spec your plugin registers
        ...     divergence = {"layer_energy": 2e-4}
    """

    spec: ClassVar[ModelSpec]
    #: Upper bounds of Jensen-Shannon divergences of the profiles, in nats, by their names.
    divergence: ClassVar[dict[str, float]]
    #: By which part of the truth means at an energy may be off, beyond three times their error.
    means: ClassVar[dict[str, float]] = {"visible_energy": 0.02, "n_points": 0.03}
    #: The model's points are of another fineness than Geant4's, so that cells are compared.
    as_cells: ClassVar[bool] = False
    #: Points farther than this from the axis do not count for the field's pull, in mm.
    inside_mm: ClassVar[float] = 100.0

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Generator:
        """The model with the weights that its package ships."""
        return load_bundled(cls.spec)

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls) -> Showers:
        """Geant4's."""
        return held_out_showers()

    @pytest.fixture(scope="class")
    @classmethod
    def generated(cls, model: Generator, reference: Showers) -> Showers:
        """The model's, of the same primaries."""
        return model.generate(reference.incident, seed=11)

    @pytest.fixture(scope="class")
    @classmethod
    def alike(cls, generated: Showers, reference: Showers) -> tuple[Showers, Showers]:
        """The model's and Geant4's, as points or as cells."""
        return cls._alike(generated), cls._alike(reference)

    def test_the_profiles_are_those_of_geant4(self, alike: tuple[Showers, Showers]) -> None:
        mine, truth = (self._summed(showers) for showers in alike)
        found = divergences(mine, truth)
        for name, bound in self.divergence.items():
            assert found[name] < bound, f"{name}: {found[name]:.2g}"

    @pytest.mark.parametrize("energy", [10, 50, 100])
    def test_means_are_those_of_geant4(self, alike: tuple[Showers, Showers], energy: float) -> None:
        generated, reference = alike
        incident = reference.incident.energy
        near = np.abs(incident - energy) < 0.25 * energy
        for name, bound in self.means.items():
            truth = (getattr(reference, name) / incident)[near]
            mine = (getattr(generated, name) / incident)[near]
            error = np.hypot(truth.std(), mine.std()) / near.sum() ** 0.5
            off = abs(mine.mean() - truth.mean())
            assert off < bound * truth.mean() + 3 * error, f"{name}: {mine.mean() / truth.mean()}"

    def test_the_field_bends_electrons_one_way(
        self, generated: Showers, reference: Showers
    ) -> None:
        """More electrons than positrons: the centre of gravity lies at -0.2 mm in y', 0 in x'."""
        mine, truth = self._centre(generated), self._centre(reference)
        assert abs(mine[0]) < 0.15
        assert abs(mine[1] - truth[1]) < 0.15
        assert mine[1] < -0.05

    def test_layers_zig_zag_between_even_and_odd(self, model: Generator) -> None:
        """Back to back silicon sees the same shower behind different absorbers."""
        showers = self._alike(model.generate(energy=50, n=200, seed=1))
        energy = self._summed(showers).layer_energy
        zigzag = energy[10:20:2] - (energy[9:19:2] + energy[11:21:2]) / 2
        assert (zigzag < 0).all()

    def test_any_shower_can_be_had_without_the_ones_before_it(self, model: Generator) -> None:
        one = Incident(20, (0.1, 0, 1))
        far, again = (model.sample(one, 1, 100_000) for _ in range(2))
        np.testing.assert_array_equal(far.x, again.x)
        assert len(far.x) != len(model.sample(one, 1, 0).x)

    def _summed(self, showers: Showers) -> Profiles:
        parts = (showers[i : i + BATCH] for i in range(0, len(showers), BATCH))
        return profiles(parts, load_detector(self.spec.detector))

    @classmethod
    def _alike(cls, showers: Showers) -> Showers:
        """Showers as they are, or the cells of them if points cannot be compared."""
        if not cls.as_cells:
            return showers
        # In the middle of its cell, a deposit knows nothing of how fine the points were.
        pitch = load_detector(cls.spec.detector).cell_mm
        return Representation.named("x1", pitch, at="centre")(showers, seed=1)

    def _centre(self, showers: Showers) -> tuple[float, float]:
        """Of gravity, about the axis, in mm."""
        dx, dy = axis_offsets(showers, load_detector(self.spec.detector))
        x, y = showers.x - dx, showers.y - dy
        weight = showers.energy.astype(np.float64) * (np.hypot(x, y) < self.inside_mm)
        return float(np.average(x, weights=weight)), float(np.average(y, weights=weight))
