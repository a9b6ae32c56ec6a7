"""Fidelity of full and mixed precision: networks in torch, the figures, and the tables."""

from __future__ import annotations

import numpy as np
import pytest

import calozoo
from calozoo_core.io import write_showers
from calozoo_core.runtime import has_bfloat16
from studies.precision import fidelity
from studies.precision.in_torch import MODELS, in_torch

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")


@pytest.mark.parametrize("name", MODELS)
def test_networks_in_torch_make_the_models_showers(name):
    request = {"energy": 20, "n": 4, "seed": 3}
    own = calozoo.load(name).generate(**request)
    full = in_torch(name, is_mixed=False).generate(**request)
    np.testing.assert_allclose(full.visible_energy, own.visible_energy, rtol=1e-5)
    if has_bfloat16():
        mixed = in_torch(name, is_mixed=True).generate(**request)
        assert not np.array_equal(mixed.x, full.x)
        np.testing.assert_allclose(mixed.visible_energy, full.visible_energy, rtol=0.2)


def test_a_model_and_itself_cannot_be_told_apart_and_do_not_differ():
    model = calozoo.load("toy")
    truth = model.generate(energy=20, n=200, seed=99)
    arms = fidelity.compare_arms(model, model, truth, seeds=2)
    assert arms.between == pytest.approx([0.5, 0.5])
    assert np.array_equal(arms.full, arms.mixed)
    for full, mixed in arms.distances.values():
        assert np.array_equal(full, mixed)
        assert (full > 0).all()
    text = fidelity.report({"toy": arms}, dict.fromkeys(fidelity.MODES, 1.0))
    assert "| `toy` | 0.500 ± 0.000 |" in text
    assert text.count("0.00 ± 0.00") >= 3


@needs_bfloat16
def test_too_few_showers_are_refused(tmp_path):
    showers = calozoo.load("toy").generate(energy=20, n=10)
    write_showers(tmp_path / "few.h5", showers, generator="toy.ild-photon")
    with pytest.raises(SystemExit, match="200 showers and 2 seeds are needed, not 10 and 4"):
        fidelity.main([str(tmp_path / "few.h5")])


def test_a_processor_without_bfloat16_is_told_why(monkeypatch):
    monkeypatch.setattr(fidelity, "has_bfloat16", lambda: False)
    with pytest.raises(SystemExit, match="no bfloat16 in hardware"):
        fidelity.main(["truth.h5"])
