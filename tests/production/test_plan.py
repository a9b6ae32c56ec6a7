"""Plans: the same for everybody who writes them, and refused where they would mix two samples."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from production.conftest import words

from calozoo.cli.production import parse_shard
from calozoo.production.errors import ProductionError
from calozoo.production.plan import _bounds, default_plan_path, make_plan, read_plan, write_plan
from calozoo.production.shards import check_plan
from calozoo_core.errors import InputError, OutputExistsError


@given(n=st.integers(1, 10**10), size=st.integers(1, 4096), share=st.floats(0, 1))
def test_shards_are_whole_batches_that_follow_one_another(n, size, share):
    n_batches = -(-n // size)
    n_shards = max(1, round(min(n_batches, 500) * share))
    bounds = list(_bounds(n, size, n_shards))
    assert len(bounds) == n_shards
    assert bounds[0][0] == 0
    assert bounds[-1][1] == n
    assert all(before[1] == after[0] for before, after in pairwise(bounds))
    assert all(first % size == 0 and first < stop for first, stop in bounds)
    sizes = [stop - first for first, stop in bounds[:-1]]
    assert not sizes or max(sizes) - min(sizes) <= size


def test_more_shards_than_batches_are_refused(tmp_path, request_):
    with pytest.raises(InputError, match="make at most 19 shards, not 20; give fewer"):
        make_plan(request_, tmp_path / "s.h5", tmp_path / "p.plan.json", n_shards=20)


def test_a_plan_is_read_as_it_was_written(small):
    assert read_plan(small.path) == small.plan
    assert read_plan(small.path).identity == small.plan.identity


def test_many_processes_write_one_plan_at_the_same_time(tmp_path):
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5", shards="3", plan="s.plan.json")]
    processes = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert said == ["s.plan.json\n"] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["s.plan.json"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("seed", 8, "seed was 7 and is 8 now"),
        ("energy", "1:6", "energy was 1:5 and is 1:6 now"),
        ("n", 301, "n was 300 and is 301 now"),
        ("place", "ild_siecal", "place was not given and is ild_siecal now"),
        ("threshold_mev", 0.2, "threshold_mev was not given and is 0.2 now"),
    ],
)
def test_another_request_is_refused_and_the_difference_is_named(small, field, value, said):
    other = small.plan.model_copy(
        update={"request": small.plan.request.model_copy(update={field: value})}
    )
    assert small.plan.difference(other) == said
    with pytest.raises(OutputExistsError, match="plan of other showers"):
        write_plan(other, small.path)


def test_a_plan_of_another_version_is_refused(small):
    content = json.loads(small.path.read_text())
    content["versions"]["calozoo-toy"] = "0.0.9"
    small.path.write_text(json.dumps(content))
    with pytest.raises(ProductionError, match=r"versions\.calozoo-toy was 0\.0\.9 and is"):
        check_plan(read_plan(small.path), small.path)


def test_a_plan_for_a_file_that_has_changed_is_refused(tmp_path, request_):
    energies = tmp_path / "energies.txt"
    energies.write_text("1\n2\n3\n4\n")
    path = tmp_path / "s.plan.json"
    asked = request_.model_copy(update={"energy": f"@{energies}", "n": None, "batch_size": 2})
    plan = write_plan(make_plan(asked, tmp_path / "s.h5", path), path)
    assert plan.n_showers == 4
    assert plan.shards == ((0, 2), (2, 4))
    check_plan(plan, path)
    energies.write_text("1\n2\n3\n5\n")
    with pytest.raises(ProductionError, match=r"energies\.txt was [0-9a-f]{12}\.\.\. and is"):
        check_plan(plan, path)


def test_a_plan_for_other_weights_is_refused(tmp_path):
    from calozoo.production.request import GenerationRequest

    path = tmp_path / "s.plan.json"
    plan = make_plan(
        GenerationRequest(model="caloclouds3.ild-photon", energy="50"), tmp_path / "s.h5", path
    )
    assert set(plan.weights) == {
        "caloclouds3.ild-photon/config.json",
        "caloclouds3.ild-photon/model.safetensors",
    }
    other = plan.model_copy(update={"weights": dict.fromkeys(plan.weights, "0" * 64)})
    write_plan(other, path)
    with pytest.raises(ProductionError, match=r"weights\.caloclouds3\.ild-photon/config\.json was"):
        check_plan(other, path)


@pytest.mark.parametrize("out", [".", "/"])
def test_a_folder_has_no_plan(out):
    with pytest.raises(ProductionError, match=f"^{re.escape(out)} is a folder; give the name of a"):
        default_plan_path(Path(out))


def test_standard_input_has_no_plan(tmp_path, request_):
    asked = request_.model_copy(update={"energy": "@-"})
    with pytest.raises(InputError, match="cannot share standard input"):
        asked.with_absolute_paths()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a plan that this calozoo reads"),
        ("[1]", "not a plan that this calozoo reads"),
        ('{"format": "calozoo-plan", "version": 2}', "version: "),
        ("{" * 100_000, "not a plan that this calozoo reads"),
    ],
)
def test_a_damaged_plan_is_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "x.plan.json"
    path.write_text(content)
    with pytest.raises(ProductionError, match=said) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "shards", [[], [[0, 300], [300, 300]], [[0, 10], [10, 300]], [[16, 300]], [[0, 16], [32, 300]]]
)
def test_a_plan_with_shards_that_do_not_follow_is_refused(small, shards):
    content = json.loads(small.path.read_text())
    content["shards"] = shards
    small.path.write_text(json.dumps(content))
    with pytest.raises(ProductionError, match="shards"):
        read_plan(small.path)


@pytest.mark.parametrize("text", ["5/4", "0/4", "4", "a/b", "1/0", "-1/4", "1/4/2", "", "²/4"])
def test_a_shard_that_cannot_be_is_refused(text):
    with pytest.raises(InputError, match="write K/N"):
        parse_shard(text)
