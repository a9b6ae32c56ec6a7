"""Checks of the contract suite, by subject: spec, showers, dependence, requests."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, NoReturn

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError
from calozoo_core.generator import PLUGIN_API, Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.testing._model_files import check_card, find_card
from calozoo_core.testing._requests import (
    SEED,
    axis_slope,
    check_equal,
    check_points,
    content,
    global_states,
    load_bundled,
    lowest_theta,
    mean_radius_mm,
    primaries_at,
    primaries_inside,
    resolve,
    sample,
    seed_global,
)

__all__ = [
    "DependenceChecks",
    "ModelChecks",
    "RequestChecks",
    "ShowerChecks",
    "SpecChecks",
]


class ModelChecks:
    """Checks of the model of one spec, loaded by the fixture `load`."""

    spec: ClassVar[ModelSpec]

    @pytest.fixture
    def load(self) -> Callable[[], Generator]:
        """A function that loads the model afresh."""
        return partial(load_bundled, self.spec)

    @pytest.fixture
    def generator(self, load: Callable[[], Generator]) -> Generator:
        """The model."""
        return load()


HEAVY = ("torch", "lightning", "h5py", "huggingface_hub", "matplotlib")


class SpecChecks(ModelChecks):
    """Versions, licence, papers, card, and code that can be found at no cost."""

    @pytest.fixture
    def card(self, generator: Generator) -> Path:
        """The model's card."""
        return find_card(generator.spec)

    def test_spec_is_written_for_this_contract(self, generator: Generator) -> None:
        found = generator.spec.plugin_api
        assert found == PLUGIN_API, f"The spec is for plugin_api {found}; this is {PLUGIN_API}."

    def test_spec_says_where_the_model_is_described(self, generator: Generator) -> None:
        papers = generator.spec.papers
        assert papers, "The spec names no papers; say where the model is described."
        for paper in papers:
            assert paper.startswith("https://"), f"The paper {paper!r} is not an https address."

    def test_licence_is_written_as_spdx_writes_it(self, generator: Generator) -> None:
        licenses = pytest.importorskip("packaging.licenses", reason="packaging is older than 24.2")
        given = generator.spec.license
        try:
            written = licenses.canonicalize_license_expression(given)
        except licenses.InvalidLicenseExpression:
            written = "such as Apache-2.0 or MIT"
        assert written == given, f"The licence {given!r} is none of SPDX's; write {written}."

    def test_card_names_the_model_its_licence_and_its_papers(
        self, generator: Generator, card: Path
    ) -> None:
        check_card(card, generator.spec)

    def test_spec_names_code_that_exists(self, generator: Generator) -> None:
        spec = generator.spec
        assert isinstance(generator, resolve(spec.factory)), f"{spec.factory} makes another class."
        for path in filter(None, (spec.trainer, spec.converter)):
            # Not imported: a trainer may need what only those who train have.
            module = path.partition(":")[0]
            assert importlib.util.find_spec(module), f"There is no module {module}."

    def test_entry_module_imports_nothing_heavy(self, generator: Generator) -> None:
        package = generator.spec.factory.partition(":")[0].partition(".")[0]
        code = f"import sys, {package}; print(*(m for m in {HEAVY} if m in sys.modules))"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"`import {package}` fails: {run.stderr}"
        assert not run.stdout.strip(), f"`import {package}` imports {run.stdout.strip()}."


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


class DependenceChecks(ModelChecks):
    """Determinism, and independence of batches."""

    def test_same_seed_gives_the_same_bytes(self, generator: Generator) -> None:
        assert content(sample(generator)) == content(sample(generator)), "They differ."

    def test_another_seed_gives_other_showers(self, generator: Generator) -> None:
        assert content(sample(generator)) != content(sample(generator, SEED + 1)), "They agree."

    def test_showers_differ_from_each_other(self, generator: Generator) -> None:
        low, _ = generator.spec.conditions.energy_gev
        showers = generator.generate(primaries_at(generator, [low, low], lowest_theta(generator)))
        assert content(showers[:1]) != content(showers[1:]), "Equal primaries give equal showers."

    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_batch_size_does_not_change_showers(
        self, generator: Generator, batch_size: int
    ) -> None:
        check_equal(sample(generator), sample(generator, batch_size=batch_size), generator)

    def test_shower_depends_on_its_number_and_not_on_how_many_are_asked_for(
        self, generator: Generator
    ) -> None:
        incident = primaries_inside(generator.spec, 5)
        many = generator.generate(incident, seed=SEED)
        (alone,) = generator.batches(incident[3:4], seed=SEED, first=3)
        check_equal(many[3:4], alone, generator)
        (another,) = generator.batches(incident[3:4], seed=SEED, first=4)
        assert content(alone) != content(another), "The number of a shower does not matter."

    def test_showers_of_any_numbers_are_those_of_the_sample(self, generator: Generator) -> None:
        incident, numbers = primaries_inside(generator.spec, 6), np.array([4, 0, 1, 5])
        made = generator.generate(incident, seed=SEED)[numbers]
        check_equal(made, generator.sample_numbers(incident[numbers], SEED, numbers), generator)

    def test_global_random_state_is_neither_used_nor_changed(self, generator: Generator) -> None:
        seed_global(1)
        first = content(sample(generator))
        seed_global(2)
        before = global_states()
        assert content(sample(generator)) == first, "It draws from global random numbers."
        assert global_states() == before, "It disturbs global random numbers."

    def test_loading_twice_gives_the_same_bytes(self, load: Callable[[], Generator]) -> None:
        assert content(sample(load())) == content(sample(load())), "They differ."


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
        for extrapolate in (False, True):
            with pytest.raises(ConditionsError, match="Higgs0"):
                generator.generate(stranger, extrapolate=extrapolate)

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
