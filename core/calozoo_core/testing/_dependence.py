"""What the showers of a model depend on: primary, seed and number, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calozoo_core.generator import Generator
from calozoo_core.testing._base import ModelChecks
from calozoo_core.testing._requests import (
    SEED,
    check_equal,
    content,
    global_states,
    lowest_theta,
    primaries_at,
    primaries_inside,
    sample,
    seed_global,
)

__all__ = ["DependenceChecks"]


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

    def test_global_random_state_is_neither_used_nor_changed(self, generator: Generator) -> None:
        seed_global(1)
        first = content(sample(generator))
        seed_global(2)
        before = global_states()
        assert content(sample(generator)) == first, "It draws from global random numbers."
        assert global_states() == before, "It disturbs global random numbers."

    def test_loading_twice_gives_the_same_bytes(self, load: Callable[[], Generator]) -> None:
        assert content(sample(load())) == content(sample(load())), "They differ."
