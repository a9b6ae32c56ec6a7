"""The native file: what is written is read, in bounded memory."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import made_up, run, sha256
from shower_strategies import same_showers, showers

from calozoo_core.errors import InputError, OutputExistsError, ShowerFileError
from calozoo_core.io import ShowerFile, ShowerWriter, read_showers, write_showers
from calozoo_core.showers import Showers


@given(showers("x9"))
def test_what_is_written_is_read_to_the_last_bit(tmp_path_factory, batch):
    path = tmp_path_factory.mktemp("files") / "s.h5"
    write_showers(path, batch, generator="toy", seed=5)
    assert same_showers(read_showers(path), batch)


@given(showers("x1"), st.integers(1, 5), st.integers(1, 5))
def test_batches_of_any_size_make_up_the_whole(tmp_path_factory, batch, written, read):
    path = tmp_path_factory.mktemp("files") / "s.h5"
    with ShowerWriter(path, generator="toy", seed=5) as writer:
        for start in range(0, len(batch), written):
            writer.append(batch[start : start + written])
    assert (writer.n_showers, writer.n_points) == (len(batch), len(batch.x))
    with ShowerFile(path) as file:
        assert (len(file), file.n_points) == (len(batch), len(batch.x))
        assert same_showers(Showers.concatenate(list(file.batches(read))), batch)


@given(showers(), st.data())
def test_a_run_of_showers_is_read_as_a_slice_is_taken(tmp_path_factory, batch, data):
    path = tmp_path_factory.mktemp("files") / "s.h5"
    write_showers(path, batch, generator="toy")
    rows = slice(*(data.draw(st.none() | st.integers(-6, 6)) for _ in range(2)))
    assert same_showers(read_showers(path, rows), batch[rows])


def test_primaries_are_read_without_their_points(tmp_path):
    path, batch = tmp_path / "s.h5", made_up()
    write_showers(path, batch, generator="toy")
    with h5py.File(path, "r+") as raw:
        raw["points/energy"][:] = np.nan
    with ShowerFile(path) as file:
        part = file.incident(slice(3, 7))
        assert np.array_equal(part.energy, batch.incident.energy[3:7])
        assert np.array_equal(part.direction, batch.incident.direction[3:7])
        assert len(file.incident()) == len(batch)
        assert file.incident(slice(0, 9, 2)) == batch.incident[0:9:2]
        with pytest.raises(ShowerFileError, match="damaged"):
            file[3:7]


def test_a_primary_that_is_none_is_no_primary_of_a_file(tmp_path):
    path = tmp_path / "s.h5"
    write_showers(path, made_up(), generator="toy")
    with h5py.File(path, "r+") as raw:
        raw["incident/energy"][5] = -1
    with ShowerFile(path) as file, pytest.raises(ShowerFileError, match="damaged"):
        file.incident()


@pytest.mark.parametrize("size", [1, 7, 40])
def test_batches_smaller_and_larger_than_a_chunk_are_the_same(tmp_path, size):
    batch = made_up(40, per_shower=4000)  # 160,000 points, of which 65,536 make a chunk
    with ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1) as writer:
        for start in range(0, len(batch), size):
            writer.append(batch[start : start + size])
    assert same_showers(read_showers(tmp_path / "s.h5"), batch)


def test_more_showers_than_a_chunk_holds_are_read_back(tmp_path):
    batch = made_up(70_000, per_shower=1)
    write_showers(tmp_path / "s.h5", batch, generator="toy")
    assert same_showers(read_showers(tmp_path / "s.h5"), batch)


def test_the_same_showers_give_the_same_bytes_at_any_time(tmp_path):
    for name in "ab":
        write_showers(tmp_path / name, made_up(), generator="toy", seed=3)
        time.sleep(1.1)  # HDF5 keeps times in seconds
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_the_file_is_laid_out_as_documented(tmp_path):
    batch = made_up()
    write_showers(tmp_path / "s.h5", batch, generator="toy.ild-photon", seed=2**64 - 1)
    with h5py.File(tmp_path / "s.h5") as file:
        assert dict(file.attrs) == {
            "format": "calozoo-showers",
            "version": 1,
            "representation": "x25",
            "detector": "ild_siecal_regular",
            "particle": "gamma",
            "generator": "toy.ild-photon",
            "seed": 2**64 - 1,
        }
        types = {name: file["points"][name].dtype for name in file["points"]}
        assert types == {"offsets": "i8", "x": "f4", "y": "f4", "layer": "u1", "energy": "f4"}
        assert {name: file["incident"][name].dtype for name in file["incident"]} == {
            "energy": "f4",
            "direction": "f4",
        }
        assert {file["points"][name].compression for name in types} == {"gzip"}


def test_a_file_written_by_plain_h5py_is_read(tmp_path):
    batch = made_up()
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.attrs.update(format="calozoo-showers", version=np.int64(1), seed="011,012")
        file.attrs.update(representation="x25", detector="ild_siecal_regular", particle="gamma")
        file["incident/energy"] = batch.incident.energy
        file["incident/direction"] = batch.incident.direction
        file["incident/n_steps"] = np.zeros(len(batch), np.int32)
        for name in ("offsets", "x", "y", "layer", "energy"):
            file[f"points/{name}"] = getattr(batch, name)
    with ShowerFile(tmp_path / "s.h5") as file:
        assert (file.seed, file.generator) == ("011,012", "unknown")
        assert same_showers(file[:], batch)


def test_an_existing_file_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "s.h5"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="Add overwrite=True"):
        write_showers(path, made_up(), generator="toy")
    assert path.read_text() == "precious"
    write_showers(path, made_up(), generator="toy", overwrite=True)
    assert len(read_showers(path)) == 20


def test_no_showers_make_no_file(tmp_path):
    with (
        pytest.raises(ShowerFileError, match="No showers came"),
        ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_batch_among_others_adds_nothing(tmp_path):
    batch = made_up()
    with ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1) as writer:
        for part in (batch[:0], batch, batch[:0]):
            writer.append(part)
    assert same_showers(read_showers(tmp_path / "s.h5"), batch)


@pytest.mark.parametrize(
    "other", [{"representation": "x1"}, {"detector": "mine"}, {"time": np.zeros(1000)}]
)
def test_showers_of_another_kind_are_not_appended(tmp_path, other):
    with ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1) as writer:
        writer.append(made_up())
        with pytest.raises(ShowerFileError, match="need another file"):
            writer.append(replace(made_up(), **other))
    assert same_showers(read_showers(tmp_path / "s.h5"), made_up())


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("energy", np.nan, "a deposit of nan MeV"),
        ("energy", -0.5, "a deposit of -0.5 MeV"),
        ("energy", np.inf, "a deposit of inf MeV"),
        ("x", np.nan, "a position"),
        ("y", -np.inf, "a position"),
        ("time", np.nan, "a time"),
        ("layer", 30, "a deposit in layer 30, where ild_siecal_regular ends at 29"),
    ],
)
def test_values_that_are_no_measurement_are_neither_written_nor_read(
    tmp_path, column, value, words
):
    batch = replace(made_up(), time=np.zeros(1000))
    values = getattr(batch, column).copy()
    values[17] = value
    path = tmp_path / "s.h5"
    with pytest.raises(ShowerFileError, match=f"hold {words}.* was not written"):
        write_showers(path, replace(batch, **{column: values}), generator="toy")
    assert list(tmp_path.iterdir()) == []
    write_showers(path, batch, generator="toy")
    with h5py.File(path, "r+") as file:
        file["points"][column][17] = value
    with pytest.raises(ShowerFileError, match=f"is damaged .it holds {words}"):
        read_showers(path)
    assert len(read_showers(path, slice(1, 20))) == 19


def test_a_detector_that_calozoo_does_not_know_may_have_any_layers(tmp_path):
    batch = replace(made_up(), detector="mine", layer=np.full(1000, 255))
    write_showers(tmp_path / "s.h5", batch, generator="toy")
    assert same_showers(read_showers(tmp_path / "s.h5"), batch)


def test_an_empty_batch_size_is_refused(tmp_path):
    write_showers(tmp_path / "s.h5", made_up(), generator="toy")
    with (
        ShowerFile(tmp_path / "s.h5") as file,
        pytest.raises(InputError, match="at least one shower"),
    ):
        file.batches(0)


@pytest.mark.parametrize("wrong", [{"generator": "a\0b"}, {"generator": "toy", "seed": 2**64}])
def test_attributes_that_hdf5_cannot_hold_are_one_error(tmp_path, wrong):
    with pytest.raises(ShowerFileError, match="cannot be written"):
        write_showers(tmp_path / "s.h5", made_up(), **wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory otherwise")
def test_a_sample_far_larger_than_a_batch_streams_in_bounded_memory(tmp_path):
    result = run(
        """
        import resource, sys
        import numpy as np
        from calozoo_core.incident import Incident
        from calozoo_core.io import ShowerFile, ShowerWriter
        from calozoo_core.showers import Showers

        n, unit = 100_000, 1 if sys.platform == "darwin" else 1024
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        noise = np.random.default_rng(1).integers(0, 99, n) / 8
        batch = Showers(np.arange(101) * 1000, noise, noise, np.zeros(n, np.uint8), noise,
                        Incident(np.ones(100), (0, 0, 1)), "x25", "ild_siecal_regular")
        path, peaks = sys.argv[1], []
        with ShowerWriter(path, generator="toy", seed=1) as writer:
            for i in range(120):
                writer.append(batch)
                peaks.append(peak())
        with ShowerFile(path) as file:
            n_points = sum(len(part.x) for part in file.batches(100))
        print(n_points, peak() - peaks[5])
        """,
        tmp_path / "s.h5",
    )
    assert (result.returncode, result.stderr) == (0, "")
    n_points, growth = map(int, result.stdout.split())
    assert n_points == 12_000_000  # 156 MB
    assert growth < 40e6
