"""Stick breaking: shares there and back, and none of them zero."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calozoo_core.nn.stick_breaking import break_stick, stick_logits
from calozoo_core.typing import Float32Array

ENERGIES = st.floats(0.03125, 1000, width=32)


@given(arrays.arrays(np.float32, (3, 6), elements=ENERGIES))
def test_shares_are_the_same_there_and_back(values: Float32Array) -> None:
    expected = values / values.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(break_stick(stick_logits(values)), expected, rtol=2e-2, atol=1e-5)


@given(arrays.arrays(np.float32, (2, 5), elements=st.floats(-1000, 1000, width=32)))
def test_shares_add_up_to_one_and_are_positive_whatever_a_network_says(
    logits: Float32Array,
) -> None:
    shares = break_stick(logits)
    assert (shares > 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
