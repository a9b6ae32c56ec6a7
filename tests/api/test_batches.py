"""Showers, Hits, Incident and shower files behave as sequences of showers."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_batches import batches_with_selections, make_hits, make_incident, make_showers

from calozoo_core.errors import InputError, RowIndexError, ShowerFileError
from calozoo_core.io import ShowerWriter, open_showers, read_showers, write_showers
from calozoo_core.showers import Shower, Showers

KINDS = {
    "showers": make_showers,
    "timed showers": lambda n, seed: make_showers(n, seed, time=True, position=True),
    "hits": make_hits,
    "incident": lambda n, seed: make_incident(n, np.random.default_rng(seed)),
}

OTHER_PRIMARIES = make_incident(4, np.random.default_rng(9))

BAD_SELECTIONS = {
    "a float": 1.5,
    "a text": "1",
    "nothing": None,
    "a truth value": True,
    "floats": [0.0, 1.0],
    "two dimensions": [[0, 1]],
    "a ragged list": [[0], [1, 2]],
    "a short mask": np.array([True, False]),
    "a slice of floats": slice(0.5, 2),
    "a step of zero": slice(None, None, 0),
    "a number too large": 5,
    "a number too small": -6,
    "a list with one too large": [0, 5],
}


def batch_of(part):
    return part.batch if isinstance(part, Shower) else part


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Shower files with 1 to 12 showers and hits, and what is in them."""
    folder, there = tmp_path_factory.mktemp("files"), {}
    for n in range(1, 13):
        showers, hits, path = make_showers(n, n, position=True), make_hits(n, n), folder / f"{n}.h5"
        with ShowerWriter(path, generator="made up", seed=0, hits_detector="ild_siecal") as writer:
            writer.append(showers, hits)
        there[n] = (path, read_showers(path))
    return there


@pytest.mark.parametrize("kind", KINDS)
@given(choice=batches_with_selections(), seed=st.integers(0, 5))
def test_a_selection_has_the_selected_rows_in_order(kind, choice, seed):
    n, selection, numbers = choice
    whole = KINDS[kind](n, seed)
    part = whole[selection]

    assert type(part) is type(whole)
    assert len(part) == len(numbers)
    assert [batch_of(one) for one in part] == [whole[i : i + 1] for i in numbers]
    if numbers:
        assert part == type(whole).concatenate(whole[i] for i in numbers)


@pytest.mark.parametrize("kind", KINDS)
@given(n=st.integers(1, 9), cuts=st.lists(st.integers(0, 9)), seed=st.integers(0, 5))
def test_parts_put_together_are_the_whole(kind, n, cuts, seed):
    whole = KINDS[kind](n, seed)
    bounds = [0, *sorted(min(cut, n) for cut in cuts), n]
    parts = [whole[a:b] for a, b in pairwise(bounds)]

    assert type(whole).concatenate(parts) == whole
    assert type(whole).concatenate(iter(whole)) == whole
    assert whole[::-1][::-1] == whole
    assert len(list(whole)) == n


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_equal_if_all_their_values_are(kind):
    one, same, other = KINDS[kind](5, 1), KINDS[kind](5, 1), KINDS[kind](5, 2)

    assert one == same
    assert one == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
    assert (one != other) is True
    assert one != "showers"
    assert one != one[:4]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_not_a_number_is_equal_to_itself():
    showers = make_showers(3)
    showers.energy[0] = np.nan

    assert showers == copy.deepcopy(showers)


@pytest.mark.parametrize(
    "change",
    [
        {"detector": "mine"},
        {"representation": "x1"},
        {"incident": make_incident(4, np.random.default_rng(9))},
    ],
)
def test_showers_of_another_kind_differ(change):
    showers = make_showers(4)
    fields = {name: getattr(showers, name) for name in showers.__dataclass_fields__}

    assert Showers(**fields) == showers
    assert Showers(**fields | change) != showers
    assert Showers(**fields | {"time": showers.x}) != showers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selection", BAD_SELECTIONS)
def test_a_selection_that_makes_no_sense_ends_in_one_sentence(kind, selection):
    with pytest.raises(InputError) as caught:
        KINDS[kind](5, 1)[BAD_SELECTIONS[selection]]
    assert str(caught.value).endswith(".")


def test_a_shower_that_is_not_there_is_an_index_error_too():
    with pytest.raises(IndexError, match="no shower number 7; there are 3, numbered 0 to 2"):
        make_showers(3)[7]
    with pytest.raises(RowIndexError, match="there is none"):
        make_showers(0)[0]


@pytest.mark.parametrize("number", [1, -2, np.int64(1), np.uint8(1), np.array(1)])
def test_one_shower_has_plain_numbers_and_views(number):
    showers = make_showers(3, 4, time=True, position=True)
    shower = showers[number]
    points = slice(*showers.offsets[1:3])

    assert isinstance(shower, Shower)
    for name in ("x", "y", "layer", "energy", "time"):
        assert np.shares_memory(getattr(shower, name), getattr(showers, name))
        assert np.array_equal(getattr(shower, name), getattr(showers, name)[points])
    assert shower.n_points == showers.n_points[1]
    assert isinstance(shower.visible_energy, float)
    assert shower.visible_energy == pytest.approx(showers.visible_energy[1])
    assert shower.incident_energy == showers.incident.energy[1]
    assert np.array_equal(shower.direction, showers.incident.direction[1])
    assert np.array_equal(shower.position, showers.incident.position[1])
    assert shower.theta == showers.incident.theta[1]
    assert (shower.particle, shower.representation) == ("gamma", "x25")
    assert shower == showers[1]
    assert shower != showers[0]


def test_a_mask_of_an_observable_selects_showers():
    showers = make_showers(9, 3)
    bright = showers[showers.visible_energy > 2]

    assert 0 < len(bright) < 9
    assert all(shower.visible_energy > 2 for shower in bright)


def test_awkward_arrays_have_the_same_contents():
    showers, hits = make_showers(6, 2, time=True, position=True), make_hits(6, 2)
    points, cells, primaries = (t.to_awkward() for t in (showers, hits, showers.incident))

    assert points.fields == ["x", "y", "layer", "energy", "time"]
    assert [len(one) for one in points] == showers.n_points.tolist()
    assert points.energy[3].tolist() == showers[3].energy.tolist()
    assert showers[3].to_awkward().tolist() == points[3].tolist()
    assert cells.cell[2].tolist() == hits[2].cell.tolist()
    assert primaries.energy.tolist() == showers.incident.energy.tolist()
    assert primaries.direction.y.tolist() == showers.incident.direction[:, 1].tolist()
    assert primaries.position.z.tolist() == showers.incident.position[:, 2].tolist()
    assert primaries[0].particle == "gamma"


@given(choice=batches_with_selections(smallest=1))
@settings(deadline=None, max_examples=40)
def test_a_file_gives_what_the_whole_batch_would(files, choice):
    n, selection, numbers = choice
    path, showers = files[n]
    with open_showers(path) as file:
        assert len(file) == n
        assert file[selection] == showers[selection] == read_showers(path, selection)
        assert file.incident(selection) == showers.incident[selection]
        assert file.hits(selection) == make_hits(n, n)[selection]
        for number in numbers:
            assert file[number] == showers[number]
            assert file.hits(number) == file.hits()[number]
            assert file.incident(-1) == showers.incident[-1]
        assert list(file) == list(showers)


def test_a_file_reads_only_the_showers_that_are_asked_for(tmp_path):
    import h5py

    write_showers(tmp_path / "s.h5", make_showers(8, 1), generator="made up")
    with h5py.File(tmp_path / "s.h5", "r+") as raw:
        first = int(raw["points/offsets"][4])
        raw["points/energy"][first:] = np.nan
    with open_showers(tmp_path / "s.h5") as file:
        assert file[[3, 0]] == file[:4][[3, 0]]
        with pytest.raises(ShowerFileError, match="damaged"):
            file[[3, 7]]


def test_files_are_equal_if_their_showers_and_hits_are(files, tmp_path):
    paths = [files[n][0] for n in (5, 6)]
    write_showers(tmp_path / "without.h5", files[5][1], generator="another")
    with open_showers(paths[0]) as one, open_showers(paths[0]) as same:
        assert one == same
        with open_showers(paths[1]) as other, open_showers(tmp_path / "without.h5") as without:
            assert one != other
            assert one != without


def test_a_closed_file_says_so(files):
    with open_showers(str(files[3][0])) as file:
        pass
    for read in (lambda: file[0], lambda: file[:], lambda: list(file), file.incident, file.hits):
        with pytest.raises(ShowerFileError, match="was closed; open it again"):
            read()
