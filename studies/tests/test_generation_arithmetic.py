"""Arithmetic of networks over the peak of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from calozoo import api
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.numpy_inn import inn_layout
from calozoo_core.errors import InputError
from calozoo_core.kernels import compiled_lanes, numpy_only
from calozoo_core.nn.mlp import Mlp
from studies.generation import arithmetic
from studies.generation.networks import NETWORKS, dense, traced

compiled = pytest.mark.skipif(not compiled_lanes(), reason="networks are not compiled here")


def _operations(name: str) -> dict[str, float]:
    """Operations of a shower by network, of one batch of two."""
    generator = api.load(f"{name}.ild-photon-clumps", offline=True)
    calls = NETWORKS[name](generator)
    with arithmetic.metered(calls) as meters:
        generator.generate(energy=50, n=2, seed=1)
    assert all(meter.seconds > 0 for own in meters.values() for meter in own)
    return {name: sum(meter.operations for meter in own) / 2 for name, own in meters.items()}


@compiled
def test_operations_of_points_are_those_of_their_number() -> None:
    whole = cast("Any", api.load("caloclouds3.ild-photon-clumps", offline=True))
    counts = whole._source.generate(energy=50, n=2, seed=1).n_points
    a_point = 2 * (4 * 64 + 2 * 64 * 64 + 64 * 4)
    found = _operations("caloclouds3")["points"]
    assert 0 < found - a_point * counts.mean() < 2e5  # gates and biases of a shower


@compiled
def test_operations_of_convolutions_are_those_of_their_sizes() -> None:
    convolutions = 2 * 9 * (144 * (64 * 64 + 64 * 96) + 576 * 24 * 60)
    assert 1 < _operations("3dgan")["images"] / convolutions < 1.1


@compiled
@pytest.mark.parametrize("name", NETWORKS)
def test_showers_are_the_same_when_their_networks_are_counted(name: str) -> None:
    generator = api.load(f"{name}.ild-photon-clumps", offline=True)
    calls = NETWORKS[name](generator)
    wanted = generator.generate(energy=50, n=1, seed=2)
    with arithmetic.metered(calls) as meters:
        found = generator.generate(energy=50, n=1, seed=2)
    assert (found.x == wanted.x).all()
    assert (found.energy == wanted.energy).all()
    assert all(1e4 < sum(m.operations for m in own) < 1e9 for own in meters.values())
    assert not any(isinstance(getattr(c.owner, c.attribute), arithmetic.Meter) for c in calls)


def test_linear_layers_are_counted_as_torch_counts_them() -> None:
    flow = cast("Any", api.load("caloinn.ild-photon-clumps", offline=True)).trained.config.flows.inn
    weights = dense({k: v for k, v in inn_layout(flow).items() if k.startswith("transforms.")})
    assert traced(Inn(flow), (1, flow.dim), (1, flow.conditions)) == weights
    assert dense(Mlp(4, (8,), 2).layout(), lambda name: 3 if name == "0.weight" else 1) == 224


def test_the_table_has_a_row_for_each_network_and_goes_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled_lanes():
        pytest.skip("networks are not compiled here")
    monkeypatch.setattr(arithmetic, "ALONE", 1)
    monkeypatch.setattr(arithmetic, "BATCH", 2)
    page = tmp_path / "speed.md"
    page.write_text("<!-- begin arithmetic -->\n<!-- end arithmetic -->\n")
    arithmetic.main(["caloinn", "--repeats", "1", "--write", str(page)])
    rows = [line.split("|")[2:-1] for line in page.read_text().splitlines() if "`" in line]
    assert [row[0].strip() for row in rows] == ["layer energies", "rings"]
    for row in rows:
        assert 0.01 < float(row[2]) < 10_000
        assert 0 < sum(float(cell.strip().rstrip("%")) for cell in (row[3], row[6])) < 200


def test_what_cannot_be_measured_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="no networks of 'toy' here; there are caloinn"):
        arithmetic.measure("toy")
    with numpy_only(), pytest.raises(SystemExit, match="calozoo doctor"):
        arithmetic.main([])
