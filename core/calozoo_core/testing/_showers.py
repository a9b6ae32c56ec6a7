"""What the showers of a model are: their kind, their units, their energy and their direction."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.generator import Generator
from calozoo_core.showers import Showers
from calozoo_core.testing._base import ModelChecks
from calozoo_core.testing._requests import (
    axis_slope,
    check_points,
    lowest_theta,
    mean_radius_mm,
    primaries_at,
    primaries_inside,
    sample,
)

__all__ = ["ShowerChecks"]

TILTED_DEG = 5
"""From here on the direction of a shower shows whether its positions are in mm, as depths are."""


class ShowerChecks(ModelChecks):
    """Wide bands, which catch a wrong unit or a lost sign."""

    #: Visible over incident energy, lowest and highest.
    visible_fraction: ClassVar[tuple[float, float]] = (1e-3, 1.0)
    #: By how much that fraction may change over a factor of ten in energy.
    nonlinearity: ClassVar[float] = 0.2
    #: Mean distance of the energy to the axis; asked only of models of normal incidence.
    radius_mm: ClassVar[tuple[float, float]] = (2.0, 200.0)

    def test_showers_are_of_the_kind_the_spec_says(self, generator: Generator) -> None:
        showers = sample(generator)
        spec, n_layers = generator.spec, load_detector(generator.spec.detector).n_layers
        assert isinstance(showers, Showers), f"sample returns {type(showers).__name__}."
        assert showers.representation == spec.representation, showers.representation
        assert showers.detector == spec.detector, showers.detector
        assert showers.layer.max() < n_layers, f"A point is in layer {showers.layer.max()}."

    def test_showers_keep_the_primaries_they_were_made_for(self, generator: Generator) -> None:
        asked = primaries_inside(generator.spec, 12)
        given = sample(generator).incident
        assert np.array_equal(given.energy, asked.energy), "The incident energies changed."
        assert np.array_equal(given.direction, asked.direction), "The directions changed."
        assert given.particle == asked.particle, "The particle changed."

    def test_points_are_finite_and_deposits_positive(self, generator: Generator) -> None:
        check_points(sample(generator))

    def test_visible_energy_is_a_sensible_part_of_the_incident(self, generator: Generator) -> None:
        showers = sample(generator)
        fraction = float(showers.visible_energy.sum() / showers.incident.energy.sum()) / 1000
        low, high = self.visible_fraction
        assert low < fraction < high, f"{fraction:.2g} is visible; are deposits in MeV?"

    def test_response_is_nearly_linear(self, generator: Generator) -> None:
        low, high = generator.spec.conditions.energy_gev
        low = max(low, high / 10)
        if high < 2 * low:
            pytest.skip("it was trained on too narrow a range of energies")
        energy = np.repeat([low, high], 25)
        showers = generator.generate(primaries_at(generator, energy, lowest_theta(generator)))
        response = showers.visible_energy / showers.incident.energy
        ratio = float(response[25:].mean() / response[:25].mean())
        assert abs(ratio - 1) < self.nonlinearity, (
            f"The visible part changes by {ratio:.2f} from {low:g} to {high:g} GeV."
        )

    @pytest.mark.parametrize("phi", [20, 140, 260])
    def test_shower_follows_its_direction(self, generator: Generator, phi: float) -> None:
        theta = min(generator.spec.conditions.theta_deg[1], 40.0)
        if theta < TILTED_DEG:
            pytest.skip("it was trained on normal incidence")
        high = generator.spec.conditions.energy_gev[1]
        incident = primaries_at(generator, np.full(25, high), theta, phi)
        slope = axis_slope(generator.generate(incident))
        p = incident.direction[0]
        expected = p[:2] / p[2]
        assert np.allclose(slope, expected, atol=0.1), (
            f"The axis has slope {slope.round(2)}, and p_x/p_z, p_y/p_z are {expected.round(2)}."
        )

    def test_width_is_that_of_a_shower(self, generator: Generator) -> None:
        if generator.spec.conditions.theta_deg[1] >= TILTED_DEG:
            pytest.skip("its direction shows that it is in mm")
        radius = mean_radius_mm(sample(generator))
        low, high = self.radius_mm
        assert low < radius < high, f"Its radius is {radius:.2g}; are positions in mm?"
