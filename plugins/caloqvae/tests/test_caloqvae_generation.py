"""Generation by a small model with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calozoo_caloqvae import SPEC
from calozoo_caloqvae.config import preset
from calozoo_caloqvae.trained import TrainedCaloQvae
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.errors import InputError
from calozoo_core.testing.cores import CoreGeneration


class TestCaloQvaeGeneration(CoreGeneration):
    spec = SPEC
    trained_class = TrainedCaloQvae
    tiny = preset("tiny")
    needed = ("energies", "prior", "decoder")

    def test_the_sampler_is_written_down_and_reproducible(
        self, load: Callable[..., CoreGenerator[Any]]
    ) -> None:
        pytest.importorskip("dwave.samplers")
        annealing, gibbs = load(sampler="annealing"), load()
        assert annealing.provenance["sampler"] == annealing.load_options["sampler"] == "annealing"
        assert gibbs.provenance["sampler"] == "gibbs"
        one, two = (annealing.generate(energy=30, n=3, seed=1) for _ in range(2))
        np.testing.assert_array_equal(one.energy, two.energy)
        alone = annealing.generate(energy=[30, 30, 30], seed=1, batch_size=1)
        np.testing.assert_allclose(alone.visible_energy, one.visible_energy, rtol=1e-4)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"sampler": "dwave"}, "has the samplers gibbs, annealing, qpu, and not 'dwave'"),
            ({"sampler": "qpu", "beta": 0}, r"from 0\.01 to 1000, not 0\."),
            ({"sampler": "qpu", "beta": True}, "not True"),
            ({"beta": 2.0}, "Only a quantum annealer has a beta of its own"),
        ],
    )
    def test_options_that_make_no_sense_are_refused(
        self, load: Callable[..., CoreGenerator[Any]], options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            load(**options)
