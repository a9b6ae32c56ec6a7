"""Every registered generative model keeps the contract."""

from __future__ import annotations

from functools import partial

import pytest

from calozoo import api
from calozoo.models.discovery import failures, registered
from calozoo_core.testing import ModelContract

# A full simulation takes minutes at these energies, and so does what it feeds; their own tests hold
# them to this at others.
MODELS = sorted(
    name
    for name, r in registered().items()
    if r.spec.source is None and (r.spec.trainer is not None or r.spec.representation != "steps")
)


def test_the_models_of_this_repository_are_registered():
    assert not failures()
    assert {"caloclouds3.ild-photon", "toy.ild-photon"} <= set(registered())


class TestEveryModel(ModelContract):
    @pytest.fixture(params=MODELS)
    def load(self, request):
        return partial(api.load, request.param, offline=True)
