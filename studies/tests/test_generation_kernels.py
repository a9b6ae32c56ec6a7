"""Times of generation with compiled kernels and without."""

from __future__ import annotations

import pytest

import calozoo
from calozoo_core.kernels import numpy_only, use_compiled
from studies.generation import kernels


@pytest.mark.skipif(not use_compiled(), reason="the compiled kernels are not built here")
def test_each_model_is_timed_alone_and_in_batches_by_both(capsys):
    kernels.main(["toy.ild-photon"])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "toy" in line]
    assert all(0 < float(cell) < 10_000 for cell in row.split("|")[2:6])
    assert row.split("|")[6].strip() == "64 of 64"


@pytest.mark.skipif(not use_compiled(), reason="the compiled kernels are not built here")
def test_kernels_of_networks_change_few_showers():
    generator = calozoo.load("convl2lflows.ild-photon-clumps")
    assert 48 < kernels.same_showers(generator) <= 64


def test_without_kernels_there_is_nothing_to_compare():
    with numpy_only(), pytest.raises(SystemExit, match="no compiled kernels"):
        kernels.main([])
