"""Parsing of energies and directions, and the sources of incident particles made of them."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calozoo.generation.incident_sources import IncidentSource
from calozoo.generation.parsing import make_source, parse_direction, parse_energy
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident

ENERGIES = ["50", "10:100", "log:1:1000", "10,20,50"]
DIRECTIONS = ["30,45", "1,2,3", "cone:60"]


def whole(source: IncidentSource) -> Incident:
    ((_, incident),) = source.batches(len(source))
    return incident


def test_one_energy_serves_all_showers():
    assert whole(make_source("50", "0,0", 3)).energy.tolist() == [50, 50, 50]


def test_shower_i_takes_entry_i_modulo_the_length_of_a_list():
    assert whole(make_source("10,20,50", "0,0", 7)).energy.tolist() == [10, 20, 50, 10, 20, 50, 10]


def test_a_range_is_uniform():
    energy = whole(make_source("10:100", "0,0", 4000)).energy
    assert energy.min() >= 10
    assert energy.max() <= 100
    counts = np.histogram(energy, bins=9, range=(10, 100))[0]
    # Nine bins of a uniform sample: chi2 has 8 degrees of freedom, 26.1 is its 0.1 % quantile.
    assert ((counts - 4000 / 9) ** 2 / (4000 / 9)).sum() < 26.1


def test_a_logarithmic_range_is_uniform_in_the_logarithm():
    energy = whole(make_source("log:1:1000", "0,0", 4000)).energy
    counts = np.histogram(np.log10(energy), bins=9, range=(0, 3))[0]
    assert counts.sum() == 4000
    assert ((counts - 4000 / 9) ** 2 / (4000 / 9)).sum() < 26.1


def test_a_cone_is_uniform_in_both_angles():
    incident = whole(make_source("50", "cone:60", 4000))
    phi = np.degrees(np.arctan2(incident.direction[:, 1], incident.direction[:, 0]))
    for angle, edges in ((incident.theta, (0, 60)), (phi, (-180, 180))):
        counts = np.histogram(angle, bins=9, range=edges)[0]
        assert counts.sum() == 4000
        assert ((counts - 4000 / 9) ** 2 / (4000 / 9)).sum() < 26.1


def test_theta_is_measured_from_the_normal_and_phi_from_the_field():
    incident = whole(make_source("50", "30,90"))
    assert incident.direction[0] == pytest.approx([0, 0.5, math.sqrt(0.75)], abs=1e-7)


def test_a_direction_may_have_any_length():
    assert np.array_equal(
        whole(make_source("50", "0.1,0,1")).direction, whole(make_source("50", "1,0,10")).direction
    )


def test_rows_of_files_are_taken_in_order_and_say_how_many_showers(tmp_path):
    (tmp_path / "e.txt").write_text("10\n20.5\n\n3e1\n")
    (tmp_path / "d.csv").write_text("0,0,1\r\n0,3,4\r\n1,0,1\r\n")
    source = make_source(f"@{tmp_path}/e.txt", f"@{tmp_path}/d.csv")
    assert whole(source).energy.tolist() == [10, 20.5, 30]
    assert whole(source).direction[1] == pytest.approx([0, 0.6, 0.8])


def test_fewer_showers_than_rows_take_the_first_rows(tmp_path):
    (tmp_path / "e.txt").write_text("10\n20\n30\n")
    assert whole(make_source(f"@{tmp_path}/e.txt", "0,0", 2)).energy.tolist() == [10, 20]


def test_without_a_number_a_list_is_gone_through_once_and_a_range_drawn_once():
    assert len(make_source("10,20,50", "0,0")) == 3
    assert len(make_source("10:100", "cone:60")) == 1


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@given(size=st.integers(1, 20), n=st.integers(1, 20), seed=st.integers(0, 2**64 - 1))
def test_primary_i_depends_on_the_seed_and_on_i_alone(energy, direction, size, n, seed):
    everything = whole(make_source(energy, direction, 20, seed=seed))
    for first, part in make_source(energy, direction, n, seed=seed).batches(size):
        rows = slice(first, first + len(part))
        assert part.energy.tobytes() == everything.energy[rows].tobytes()
        assert part.direction.tobytes() == everything.direction[rows].tobytes()


def test_another_seed_draws_other_primaries():
    one, two = (whole(make_source("1:9", "cone:60", 5, seed=seed)) for seed in (1, 2))
    assert not np.any(one.energy == two.energy)
    assert not np.any(one.direction[:, 0] == two.direction[:, 0])


def test_energies_do_not_change_when_directions_are_drawn_too():
    fixed, drawn = (whole(make_source("1:9", direction, 5)) for direction in ("0,0", "cone:60"))
    assert np.array_equal(fixed.energy, drawn.energy)


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@given(seed=st.integers(0, 2**64 - 1))
def test_no_primary_lies_beyond_the_bounds(energy, direction, seed):
    source = make_source(energy, direction, 20, seed=seed)
    outermost, incident = source.bounds(), whole(source)
    assert outermost.energy.min() <= incident.energy.min()
    assert outermost.energy.max() >= incident.energy.max()
    assert outermost.theta.max() >= incident.theta.max() - 1e-4


def test_a_hundred_thousand_primaries_are_never_in_memory_at_once():
    source = make_source("50", "30,0", 100_000)
    tracemalloc.start()
    try:
        assert sum(len(incident) for _, incident in source.batches(100)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "nan", "inf", "0", "-1", "1e300", "1e-300", "10,,20", "10,", "10,nan", "1;2"),
        *("10:", ":", "1:2:3", "100:10", "0:10", "1:nan", "1:inf"),
        *("log:", "log:5", "log:0:10", "log:10:1", "log:1:2:3", "@", "@/nowhere/e.txt"),
    ],
)
def test_what_is_no_energy_is_refused_in_one_sentence(text):
    with pytest.raises(InputError) as refusal:
        parse_energy(text)
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "0", "0,0,0", "0,0,-1", "1,0,0", "1,0,1e-30", "nan,0,1", "0,0,inf", "1,2,3,4"),
        *("90,0", "100,0", "-1,0", "0,nan", "x,0", "cone:", "cone:90", "cone:-1", "cone:x"),
        *("@", "@/nowhere/d.csv"),
    ],
)
def test_what_is_no_direction_is_refused_in_one_sentence(text):
    with pytest.raises(InputError) as refusal:
        parse_direction(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("row", ["abc", "nan", "-5", "0", "1,2", "1e99"])
def test_a_bad_row_is_named(tmp_path, row):
    (tmp_path / "e.txt").write_text(f"10\n\n{row}\n")
    with pytest.raises(InputError, match=r"in row 3 of .*e\.txt"):
        parse_energy(f"@{tmp_path}/e.txt")


@pytest.mark.parametrize("row", ["x,y,z", "0,0", "0,0,0", "0,0,-1", "0,nan,1", "0;0,1"])
def test_a_bad_row_of_directions_is_named(tmp_path, row):
    (tmp_path / "d.csv").write_text(f"0,0,1\n{row}\n")
    with pytest.raises(InputError, match=r"in row 2 of .*d\.csv"):
        parse_direction(f"@{tmp_path}/d.csv")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00\x01"])
def test_a_file_without_rows_is_refused(tmp_path, content):
    (tmp_path / "e.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"e\.txt"):
        parse_energy(f"@{tmp_path}/e.txt")


def test_fewer_rows_than_showers_are_refused(tmp_path):
    (tmp_path / "e.txt").write_text("10\n20\n")
    with pytest.raises(InputError, match="too few rows, 2, for 3 showers"):
        make_source(f"@{tmp_path}/e.txt", "0,0", 3)


def test_files_of_different_lengths_need_a_number(tmp_path):
    (tmp_path / "e.txt").write_text("10\n20\n")
    (tmp_path / "d.csv").write_text("0,0,1\n")
    words = f"@{tmp_path}/e.txt", f"@{tmp_path}/d.csv"
    with pytest.raises(InputError, match="different numbers of rows"):
        make_source(*words)
    assert len(make_source(*words, 1)) == 1


@pytest.mark.parametrize("n", [0, -3])
def test_no_showers_are_refused(n):
    with pytest.raises(InputError, match="at least 1"):
        make_source("50", "0,0", n)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        make_source("50", "0,0", 1, seed=seed)
