"""Arithmetic of networks over the peak of the machine."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.kernels import numpy_only
from studies.generation import arithmetic


@pytest.mark.parametrize("name", arithmetic.NETWORKS)
def test_operations_are_those_of_the_network_s_sizes_and_the_time_is_its_own(name):
    network = arithmetic.NETWORKS[name]()
    wanted = {
        "CaloClouds3, points": 2 * 3090 * (4 * 64 + 2 * 64 * 64 + 64 * 4),
        "3DGAN, convolutions": 2 * 9 * (144 * (64 * 64 + 64 * 96) + 576 * 24 * 60),
    }
    assert network.operations == wanted.get(name, network.operations)
    assert 1e7 < network.operations < 1e9
    outputs = network.prepare(2)()
    with numpy_only():
        plain = network.prepare(2)()
    assert plain is not None
    if outputs is not None:
        for own, other in zip(outputs, plain, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-3)


def test_the_table_has_a_row_for_each_network_and_fractions_of_the_peak(monkeypatch):
    monkeypatch.setattr(arithmetic, "BATCHES", (1,))
    text = arithmetic.report(["3DGAN, convolutions"], repeats=2)
    (row,) = [line for line in text.splitlines() if line.startswith("| 3DGAN")]
    milliseconds, share = (cell.strip() for cell in row.split("|")[3:5])
    assert 0.01 < float(milliseconds) < 10_000
    assert float(share.rstrip("%")) > 0
