"""What a model may be asked for, and what it may ask for itself."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NoReturn

import pytest

from calozoo_core.errors import ConditionsError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.testing._base import ModelChecks
from calozoo_core.testing._requests import (
    check_points,
    lowest_theta,
    primaries_at,
    primaries_inside,
    sample,
)

__all__ = ["RequestChecks"]


class RequestChecks(ModelChecks):
    """Its conditions are kept, and it needs no network."""

    def test_it_works_at_the_edges_of_its_conditions(self, generator: Generator) -> None:
        conditions = generator.spec.conditions
        for particle in conditions.particles:
            for energy in conditions.energy_gev:
                for theta in conditions.theta_deg:
                    incident = primaries_at(generator, [energy], theta, particle=particle)
                    check_points(generator.generate(incident))

    def test_energies_outside_are_refused_and_extrapolated(self, generator: Generator) -> None:
        low, high = generator.spec.conditions.energy_gev
        for energy in (low / 1.1, high * 1.1):
            self._check_refused(
                generator, primaries_at(generator, [energy], lowest_theta(generator))
            )

    def test_angles_outside_are_refused_and_extrapolated(self, generator: Generator) -> None:
        low, high = generator.spec.conditions.theta_deg
        for theta in {max(low - 1, 0), min(high + 1, 89)} - {low, high}:
            energy = generator.spec.conditions.energy_gev[1]
            self._check_refused(generator, primaries_at(generator, [energy], theta))

    def test_other_particles_are_refused(self, generator: Generator) -> None:
        incident = primaries_inside(generator.spec, 1)
        stranger = Incident(incident.energy, incident.direction, "Higgs0")
        with pytest.raises(ConditionsError, match="Higgs0"):
            generator.generate(stranger)

    def test_it_generates_without_a_network(
        self, load: Callable[[], Generator], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> NoReturn:
            msg = "The model wants the network."
            raise AssertionError(msg)

        for name in ("connect", "connect_ex", "sendto"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        check_points(sample(load()))

    @staticmethod
    def _check_refused(generator: Generator, incident: Incident) -> None:
        with pytest.raises(ConditionsError, match="extrapolate=True"):
            generator.generate(incident)
        check_points(generator.generate(incident, extrapolate=True))
