"""Full against mixed precision: what is compared, and the tables."""

from __future__ import annotations

import pytest
import torch

from calozoo_core.runtime import has_bfloat16
from studies.precision import mixed


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_networks_and_showers_differ_by_no_more_than_bfloat16_does(capsys):
    mixed.main(["--only", "trained", "--batches", "2", "--repeats", "1"])
    networks, showers = capsys.readouterr().out.split("\n\n")
    rows = [line.split("|") for line in networks.splitlines()[2:]]
    assert [row[2].strip() for row in rows] == ["2", "2", "2"]
    assert all(0 < float(row[6]) < 0.05 for row in rows)
    cells = showers.splitlines()[2].split("|")
    assert float(cells[4]) < 1e-3  # layer energies are computed in float32
    assert 0 < float(cells[6]) < 0.05


def test_a_processor_without_bfloat16_is_told_why(monkeypatch):
    monkeypatch.setattr(mixed, "has_bfloat16", lambda: False)
    with pytest.raises(SystemExit, match="no bfloat16 in hardware"):
        mixed.main([])


def test_larger_batches_are_left_out_where_they_take_too_long(monkeypatch):
    timed = mixed.Comparison(20.0, 20.0, 1.0, 0.0, 0.0)  # ms a shower
    monkeypatch.setattr(mixed, "compare", lambda *_: timed)
    found = mixed._compared("CaloDiffusion, data set 1", (1000, 100, 8, 1), 1)
    assert [n for _, n in found] == [1, 8, 100]


@pytest.mark.parametrize("name", [name for name in mixed.NETWORKS if "data set 1" in name])
def test_networks_of_published_sizes_take_their_inputs(name):
    network, inputs = mixed.NETWORKS[name]()
    with torch.inference_mode():
        output = network(*inputs(2))
    assert len(output) == 2
    assert output.abs().max() > 0
