"""Showers as a ROOT tree."""

from __future__ import annotations

import sys
from dataclasses import replace

import awkward
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import run
from shower_strategies import same_showers, showers

from calozoo_core.errors import InputError, OutputExistsError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io import root
from calozoo_core.showers import Showers


def sample(n=3, **changes):
    batch = Showers(
        offsets=np.arange(n + 1) * 2,
        x=np.arange(2 * n),
        y=np.arange(2 * n) / 2,
        layer=np.arange(2 * n) % 30,
        energy=np.ones(2 * n),
        incident=Incident(np.full(n, 10.0), (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    return replace(batch, **changes)


@settings(max_examples=30)
@given(showers("x9"), st.integers(1, 5))
def test_what_is_written_is_read_to_the_last_bit(tmp_path_factory, batch, size):
    path = tmp_path_factory.mktemp("files") / "s.root"
    parts = [batch[i : i + size] for i in range(0, len(batch), size)]
    exported = root.write(path, parts)
    assert (exported.n_showers, exported.outside_mev) == (len(batch), 0)
    assert exported.visible_mev == batch.energy.sum()
    assert same_showers(root.read(path), batch)
    assert same_showers(root.read(path, slice(1, -1)), batch[1:-1])


def test_positions_are_kept(tmp_path):
    place = np.array([[1.0, 1804.7, 3.0], [1 / 3, 1804.7, -2.0]])
    batch = sample(2, incident=Incident([1, 2], (0, 0, 1), "e-", place))
    root.write(tmp_path / "s.root", [batch])
    found = root.read(tmp_path / "s.root")
    assert np.array_equal(found.incident.position, place)
    assert found.incident.particle == "e-"


def test_the_tree_is_one_that_any_root_reads(tmp_path):
    root.write(tmp_path / "s.root", [sample(2), sample(1)], generator="toy")
    with uproot.open(tmp_path / "s.root") as file:
        assert file.classname_of("showers") == "TTree"
        tree = file["showers"]
        assert {name: branch.typename for name, branch in tree.items()} == {
            "incident_energy": "float",
            "direction_x": "float",
            "direction_y": "float",
            "direction_z": "float",
            "npoint": "int32_t",
            "point_x": "float[]",
            "point_y": "float[]",
            "point_layer": "int32_t[]",
            "point_energy": "float[]",
        }
        assert tree["npoint"].array().tolist() == [2, 2, 2]
        assert tree["point_x"].array().tolist() == [[0, 1], [2, 3], [0, 1]]
        assert {n: str(file[n]) for n in ("representation", "detector", "particle", "generator")}
        assert str(file["generator"]) == "toy"


def test_nothing_half_written_stays_and_nothing_is_replaced_unasked(tmp_path):
    path = tmp_path / "s.root"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="Add overwrite=True"):
        root.write(path, [sample()])

    def interrupted():
        yield sample()
        raise KeyboardInterrupt

    bad = sample(energy=np.full(6, -1.0))
    mixed = [sample(), sample(representation="x9")]
    for batches, error in [
        (interrupted(), KeyboardInterrupt),
        ([], ShowerFileError),
        ([bad], ShowerFileError),
        (mixed, ShowerFileError),
    ]:
        with pytest.raises(error):
            root.write(path, batches, overwrite=True)
        assert [entry.name for entry in tmp_path.iterdir()] == ["s.root"]
        assert path.read_text() == "precious"


def test_an_older_file_is_replaced_if_asked(tmp_path):
    root.write(tmp_path / "s.root", [sample()])
    root.write(tmp_path / "s.root", [sample(1)], overwrite=True)
    assert len(root.read(tmp_path / "s.root")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_one_error_wherever_it_strikes(tmp_path):
    result = run(
        """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from calozoo_core.errors import ShowerFileError
        from calozoo_core.incident import Incident
        from calozoo_core.io import calochallenge, ddml, root
        from calozoo_core.showers import Showers
        from calozoo_core.voxels import CylinderVoxels

        n = 20_000
        noise = np.random.default_rng(1).normal(size=n)
        batch = Showers([0, n], noise, noise, np.zeros(n, np.uint8), noise**2,
                        Incident(1, (0, 0, 1)), "x25", "ild_siecal_regular")
        voxels = CylinderVoxels.regular(30, 500, 100, 0.02)
        path, failures = Path(sys.argv[1]) / "s.out", 0
        writers = [lambda: root.write(path, [batch] * 3),
                   lambda: ddml.write_library(path, [batch] * 3),
                   lambda: calochallenge.write(path, [batch] * 3, voxels)]
        for limit in [*range(0, 4000, 700), *range(5000, 300_000, 70_021)]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            for write in writers:
                try:
                    write()
                except ShowerFileError as error:
                    assert "s.out cannot be written (file too large)" in str(error), error
                    failures += 1
                else:
                    path.unlink()
                assert not list(path.parent.iterdir()), limit
        print(failures)
        """,
        tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert int(result.stdout) > 20


def test_without_uproot_one_sentence_says_what_to_type(tmp_path):
    result = run(
        """
        import sys
        sys.modules["uproot"] = None
        from calozoo_core.errors import InputError
        from calozoo_core.io import root
        try:
            root.read("s.root")
        except InputError as error:
            print(error)
        """
    )
    assert result.stdout == (
        "ROOT files need uproot and awkward; type pip install 'calozoo-core[root]'.\n"
    )


def other_tree(path, **changes):
    texts = {"representation": "x25", "detector": "d", "particle": "gamma", "generator": "me"}
    branches = {
        "incident_energy": np.ones(2, np.float32),
        "direction_x": np.zeros(2, np.float32),
        "direction_y": np.zeros(2, np.float32),
        "direction_z": np.ones(2, np.float32),
    }
    point = {name: np.zeros(4, np.float32) for name in ("x", "y", "energy")}
    point["layer"] = np.zeros(4, np.int32)
    for name, value in changes.items():
        place = texts if name in texts else point if name in point else branches
        if value is None:
            del place[name]
        else:
            place[name] = value
    with uproot.recreate(path) as file:
        for name, text in texts.items():
            file[name] = text
        points = awkward.unflatten(awkward.zip(point), [1, 3])
        types = {name: values.dtype for name, values in branches.items()}
        tree = file.mktree("showers", {**types, "point": points.type.content})
        tree.extend({**branches, "point": points})


def test_a_tree_that_somebody_else_made_is_read(tmp_path):
    other_tree(tmp_path / "s.root")
    assert root.read(tmp_path / "s.root").n_points.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"representation": None}, "does not say its representation"),
        ({"representation": "x7"}, "x7 is no representation"),
        ({"particle": "two\nlines"}, "no text"),
        ({"direction_x": None}, "no branch direction_x"),
        ({"direction_x": np.zeros(2, np.int64)}, "direction_x does not hold"),
        ({"layer": np.zeros(4, np.float64)}, "point_layer does not hold"),
        ({"layer": np.full(4, 300, np.int32)}, "whole numbers that fit"),
        ({"energy": np.full(4, -1, np.float32)}, "a deposit of -1 MeV"),
        ({"incident_energy": np.zeros(2, np.float32)}, "incident energy must be positive"),
    ],
)
def test_another_kind_of_tree_is_refused_in_one_sentence(tmp_path, changes, words):
    other_tree(tmp_path / "s.root", **changes)
    with pytest.raises(ShowerFileError, match=words) as error:
        root.read(tmp_path / "s.root")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [None, b"", b"root", b"something else\n" * 100])
def test_a_file_that_is_missing_or_no_root_file_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "s.root").write_bytes(text)
    with pytest.raises(ShowerFileError, match=r"no shower file|not a whole ROOT file"):
        root.read(tmp_path / "s.root")


def test_a_file_cut_short_is_refused_unless_all_showers_are_there(tmp_path):
    root.write(tmp_path / "s.root", [sample(2), sample(1)])
    showers, refused = root.read(tmp_path / "s.root"), 0
    whole = (tmp_path / "s.root").read_bytes()
    for end in range(0, len(whole), 311):
        (tmp_path / "cut.root").write_bytes(whole[:end])
        try:
            assert same_showers(root.read(tmp_path / "cut.root"), showers)
        except ShowerFileError:
            refused += 1
    assert refused > 10


def test_showers_are_read_in_runs_of_neighbours(tmp_path):
    root.write(tmp_path / "s.root", [sample()])
    with pytest.raises(InputError, match="without a step"):
        root.read(tmp_path / "s.root", slice(None, None, 2))


def test_a_name_is_a_file_and_never_an_address(tmp_path):
    for name in ("http://127.0.0.1:9/s.root", f"{tmp_path}/s.root:showers"):
        with pytest.raises(ShowerFileError, match="There is no shower file"):
            root.read(name)
