"""Compiled kernel of spline couplings: what numpy computes, to rounding, within its arrays."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.kernels import compiled_lanes, numpy_only
from calozoo_core.nn import numpy_flow
from calozoo_core.nn.numpy_flow import SplineCouplingSizes
from calozoo_core.nn.numpy_spline import n_parameters

LANES = [lanes for lanes in (8, 16) if lanes <= compiled_lanes()]

pytestmark = pytest.mark.skipif(
    not LANES, reason="the compiled kernels are not built here, or the processor lacks AVX2"
)


def coupling(dim, conditions, hidden, bins, **options):
    return SplineCouplingSizes(dim, conditions, hidden, 8.0, n_parameters(bins), **options)


def random_arrays(sizes):
    rng = np.random.default_rng(sizes.dim)
    arrays = {}
    for name, entry in sizes.layout().items():
        values = rng.normal(0, 0.3, entry.shape)
        arrays[name] = (np.abs(values) if "var" in name else values).astype(np.float32)
    return arrays


SIZES = [
    coupling(30, 4, (48, 48), 8),
    coupling(120, 34, (64,), 8, dropout=True),
    coupling(5, 0, (33, 7, 20), 2, batch_norm=True),
    coupling(1, 3, (), 40),
]


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{sizes.dim} elements")
@pytest.mark.parametrize("n", [1, 13])
def test_couplings_are_inverted_as_numpy_inverts_them(sizes, n, lanes, monkeypatch):
    monkeypatch.setattr(numpy_flow, "compiled_lanes", lambda: lanes)
    inverse = sizes.inverse(random_arrays(sizes))
    rng = np.random.default_rng(n)
    y = rng.normal(0, 4, (n, sizes.dim)).astype(np.float32)
    condition = rng.normal(0, 1, (n, sizes.conditions)).astype(np.float32)
    x = inverse(y, condition)
    monkeypatch.undo()
    with numpy_only():
        wanted = inverse(y, condition)
    # Where a spline is steep, rounding of its value is a step of its inverse.
    apart = np.abs(x - wanted)
    assert np.median(apart) < 2e-6
    assert apart.max() < 5e-3
    outside = np.abs(y) >= 8
    np.testing.assert_array_equal(x[outside], y[outside])
    assert np.abs(x - y).max() > 0.1


def test_many_hidden_layers_are_numpys():
    sizes = coupling(4, 2, (8,) * 9, 4)
    x = sizes.inverse(random_arrays(sizes))(
        np.ones((2, 4), np.float32), np.ones((2, 2), np.float32)
    )
    assert np.isfinite(x).all()


def test_arrays_of_other_lengths_are_refused_and_never_read_beyond():
    sizes = SIZES[0]
    inverse = numpy_flow._CompiledInverse(sizes, random_arrays(sizes))
    y, condition = np.zeros((3, 30), np.float32), np.zeros((3, 4), np.float32)
    assert inverse(y, condition, LANES[0]).shape == (3, 30)
    with pytest.raises(ValueError, match="condition must have 12 numbers, not 8"):
        inverse(y, condition[:2], LANES[0])
    with pytest.raises(ValueError, match="lanes must be 8 or 16"):
        inverse(y, condition, 32)
    whole = inverse._weights
    for wrong in (whole[:-1], np.append(whole, whole[:1])):
        inverse._weights = wrong
        with pytest.raises(ValueError, match="weights contradicts"):
            inverse(y, condition, LANES[0])
    inverse._weights = whole
    for wrong in ([63, 64], [-32, 64], [1 << 30, 64], [64] * 9):
        inverse._widths = np.array(wrong, np.int32)
        with pytest.raises(ValueError, match="widths contradicts"):
            inverse(y, condition, LANES[0])
