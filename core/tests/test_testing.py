"""The contract suite lets a sound model pass, and each check catches what it is there for."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import socket
import time

import numpy as np
import pytest
from sound_models import ENTRY, SPEC, Sound

from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.testing import ModelContract, load_bundled
from calozoo_core.testing._requests import without_partner

pytestmark = pytest.mark.usefixtures("sound_package")


class TestSoundModel(ModelContract):
    spec = SPEC


def altered(**fields):
    """A model whose showers come out with some fields replaced by functions of the showers."""

    class Altered(Sound):
        def sample(self, incident, seed, first):
            showers = super().sample(incident, seed, first)
            return dataclasses.replace(
                showers, **{name: change(showers) for name, change in fields.items()}
            )

    return Altered(SPEC)


class CountsItsCalls(Sound):
    """Draws from one stream after another, whatever the seed and the numbers of the showers."""

    calls = itertools.count()

    def sample(self, incident, seed, first):
        return super().sample(incident, seed, next(self.calls) * 1000)


class IgnoresTheSeed(Sound):
    def sample(self, incident, seed, first):
        return super().sample(incident, 0, first)


class IgnoresTheNumber(Sound):
    def sample(self, incident, seed, first):
        return super().sample(incident, seed, 0)


class CountsOnFromTheFirst(Sound):
    def sample_numbers(self, incident, seed, numbers):
        return self.sample(incident, seed, int(numbers[0]))


class MakesEqualShowers(Sound):
    def sample(self, incident, seed, first):
        return Showers.concatenate(
            [super(MakesEqualShowers, self).sample(i, seed, 0) for _, i in incident.batches(1)]
        )


class UsesTheGlobalState(Sound):
    def sample(self, incident, seed, first):
        return super().sample(incident, int(np.random.randint(1000)), first)


class NeverRefuses(Sound):
    def batches(self, incident, **options):
        return super().batches(incident, **{**options, "extrapolate": True})


class IgnoresTheParticle(Sound):
    checks_particle = True


class ShowsEverything(Sound):
    def __repr__(self):
        return f"{self.spec.model_dump_json(indent=2)}"


class ForgetsItsState(Sound):
    def __init__(self, spec, moved_by=0):
        super().__init__(spec)
        self.moved_by = moved_by

    def sample(self, incident, seed, first):
        return super().sample(incident, seed + self.moved_by, first)


class KeepsTheSeed(Sound):
    """State of a call in the model, where another thread finds it."""

    def sample(self, incident, seed, first):
        self.seed = seed
        time.sleep(1e-3)
        return super().sample(incident, self.seed, first)


class NeedsItsProcess(Sound):
    def __init__(self, spec):
        super().__init__(spec)
        self.process = os.getpid()

    def sample(self, incident, seed, first):
        if os.getpid() != self.process:
            raise BrokenPipeError
        return super().sample(incident, seed, first)


class WritesNumbersAsTheCallerDoes(Sound):
    def sample(self, incident, seed, first):
        return super().sample(incident, len(str(np.array([1 / 3]))), first)


class ChangesThePrintOptions(Sound):
    def sample(self, incident, seed, first):
        np.set_printoptions(precision=3)
        return super().sample(incident, seed, first)


class HasNoOtherDevice(Sound):
    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        return cls(spec)


class Downloads(Sound):
    def sample(self, incident, seed, first):
        with socket.create_connection(("127.0.0.1", 9)):
            return super().sample(incident, seed, first)


def scaled(factor):
    return lambda showers: showers.energy * factor


def nonlinear(showers):
    return showers.energy * (showers.incident.energy[showers.shower_index] / 100) ** 0.2


def mirrored(showers):
    return -showers.x


def with_twice_the_energy(showers):
    return Incident(2.0 * showers.incident.energy, showers.incident.direction)


def told(**words):
    """The sound model, with another spec."""
    return Sound(SPEC.model_copy(update=words))


BROKEN = {
    "spec_is_written_for_this_contract": [told(plugin_api=99)],
    "spec_says_where_the_model_is_described": [told(papers=()), told(papers=("a book",))],
    "licence_is_written_as_spdx_writes_it": [told(license="Apache 2"), told(license="mit")],
    "spec_names_code_that_exists": [told(factory=f"{ENTRY}:No"), told(trainer="no_package:train")],
    "showers_are_of_the_kind_the_spec_says": [
        altered(representation=lambda _: "x1"),
        altered(layer=lambda showers: showers.layer + 1),
    ],
    "showers_keep_the_primaries_they_were_made_for": [altered(incident=with_twice_the_energy)],
    "points_are_finite_and_deposits_positive": [
        altered(energy=scaled(0)),
        altered(x=lambda showers: showers.x * np.nan),
        altered(time=lambda showers: showers.x * np.inf),
    ],
    "visible_energy_is_a_sensible_part_of_the_incident": [
        altered(energy=scaled(1e-3)),
        altered(energy=scaled(1e3)),
    ],
    "response_is_nearly_linear": [altered(energy=nonlinear)],
    "same_seed_gives_the_same_bytes": [CountsItsCalls(SPEC)],
    "another_seed_gives_other_showers": [IgnoresTheSeed(SPEC)],
    "showers_differ_from_each_other": [MakesEqualShowers(SPEC)],
    "shower_depends_on_its_number_and_not_on_how_many_are_asked_for": [IgnoresTheNumber(SPEC)],
    "showers_of_any_numbers_are_those_of_the_sample": [CountsOnFromTheFirst(SPEC)],
    "global_random_state_is_neither_used_nor_changed": [UsesTheGlobalState(SPEC)],
    "energies_outside_are_refused_and_extrapolated": [NeverRefuses(SPEC)],
    "angles_outside_are_refused_and_extrapolated": [NeverRefuses(SPEC)],
    "other_particles_are_refused": [IgnoresTheParticle(SPEC)],
    "its_repr_is_one_short_line": [ShowsEverything(SPEC)],
    "copies_make_the_same_showers": [ForgetsItsState(SPEC, moved_by=1)],
    "threads_that_share_it_make_the_showers_of_one": [KeepsTheSeed(SPEC)],
    "it_stays_itself_on_the_device_it_is_on": [HasNoOtherDevice(SPEC)],
}
CASES = [(check, model) for check, models in BROKEN.items() for model in models]


@pytest.mark.parametrize(("check", "model"), CASES, ids=[check for check, _ in CASES])
def test_check_catches_what_it_is_there_for(check, model):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(ModelContract(), f"test_{check}")(model)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_dependence_on_the_batch_size_is_caught(batch_size):
    with pytest.raises(AssertionError, match="Centres of gravity"):
        ModelContract().test_batch_size_does_not_change_showers(IgnoresTheNumber(SPEC), batch_size)


@pytest.mark.parametrize("phi", [20, 140, 260])
def test_shower_that_leans_the_wrong_way_is_caught(phi):
    with pytest.raises(AssertionError, match="slope"):
        ModelContract().test_shower_follows_its_direction(altered(x=mirrored), phi)


def test_heavy_import_in_the_entry_module_is_caught(tmp_path):
    (tmp_path / ENTRY / "__init__.py").write_text("import h5py\n")
    with pytest.raises(AssertionError, match="imports h5py"):
        ModelContract().test_entry_module_imports_nothing_heavy(Sound(SPEC))


def test_entry_module_that_fails_to_import_is_caught(tmp_path):
    (tmp_path / ENTRY / "__init__.py").write_text("import no_such_module\n")
    with pytest.raises(AssertionError, match="no_such_module"):
        ModelContract().test_entry_module_imports_nothing_heavy(Sound(SPEC))


def test_model_that_wants_the_network_is_caught(monkeypatch):
    with pytest.raises(AssertionError, match="wants the network"):
        ModelContract().test_it_generates_without_a_network(
            functools.partial(Downloads, SPEC), monkeypatch
        )


def test_model_that_loads_otherwise_each_time_is_caught():
    with pytest.raises(AssertionError, match="differ"):
        ModelContract().test_loading_twice_gives_the_same_bytes(
            functools.partial(CountsItsCalls, SPEC)
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_model_that_does_not_survive_a_fork_is_caught():
    with pytest.raises(AssertionError, match="The child answers 'BrokenPipeError"):
        ModelContract().test_a_forked_child_makes_the_same_showers_or_refuses(NeedsItsProcess(SPEC))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (WritesNumbersAsTheCallerDoes, "other showers under numpy's print options"),
        (ChangesThePrintOptions, "print options it does not put everything back"),
    ],
)
def test_model_that_depends_on_the_callers_state_or_changes_it_is_caught(model, words):
    with np.printoptions(), pytest.raises(pytest.fail.Exception, match=words):
        ModelContract().test_what_the_caller_set_changes_no_shower_and_stays_set(
            functools.partial(model, SPEC), model(SPEC)
        )


def test_edge_of_the_conditions_that_fails_is_caught():
    def nan_at_100_gev(showers):
        return np.where(showers.incident.energy[showers.shower_index] == 100, np.nan, showers.x)

    with pytest.raises(AssertionError, match="not finite"):
        ModelContract().test_it_works_at_the_edges_of_its_conditions(altered(x=nan_at_100_gev))


def test_missing_weights_folder_is_named():
    spec = SPEC.model_copy(update={"weights": "calozoo_core:no/such/folder"})
    with pytest.raises(AssertionError, match=r"no/such/folder/config\.json"):
        load_bundled(spec)


def cloud(x, y, layer, energy):
    n = len(x)
    return Showers([0, n], x, y, layer, energy, Incident(10, (0, 0, 1)), "x25", SPEC.detector)


def test_points_are_compared_as_sets():
    rng = np.random.default_rng(1)
    x, y, layer, energy = (
        rng.normal(0, 20, 500),
        rng.normal(0, 20, 500),
        rng.integers(0, 30, 500),
        rng.gamma(2, 0.1, 500),
    )
    shower, order = cloud(x, y, layer, energy), rng.permutation(500)
    shuffled = cloud(x[order], y[order], layer[order], energy[order])
    rounded = cloud(x + 1e-5, y - 1e-5, layer, energy * (1 + 1e-5))
    assert without_partner(shower, shuffled, 1e-3) == 0
    assert without_partner(shower, rounded, 1e-3) == 0
    for other in (
        cloud(x, y, layer, rng.permutation(energy)),
        cloud(x, rng.permutation(y), layer, energy),
        cloud(x, y, rng.permutation(layer), energy),
        cloud(x + 1, y, layer, energy),
    ):
        assert without_partner(shower, other, 1e-3) > 0.5
    one_moved = cloud(np.where(np.arange(500) == 7, x + 1, x), y, layer, energy)
    assert without_partner(shower, one_moved, 1e-3) == pytest.approx(1 / 500)
