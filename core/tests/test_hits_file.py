"""Positions and hits in the native file, beside the points of the same showers."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import made_up
from shower_strategies import same_showers

from calozoo_core.errors import ShowerFileError
from calozoo_core.hits import Hits
from calozoo_core.io import ShowerFile, ShowerWriter, read_hits, read_showers, write_showers

COLUMNS = ("offsets", "cell", "layer", "x", "y", "z", "energy")


def hits(n=20, per_shower=30):
    rng = np.random.default_rng(n + 1)
    total = n * per_shower
    return Hits(
        offsets=np.arange(n + 1) * per_shower,
        cell=rng.integers(0, 2**62, total),
        layer=rng.integers(0, 30, total).astype(np.uint8),
        x=rng.normal(0, 1e3, total).astype(np.float32),
        y=rng.normal(0, 1e3, total).astype(np.float32),
        z=rng.normal(0, 1e3, total).astype(np.float32),
        energy=rng.exponential(0.3, total).astype(np.float32),
    )


def some(whole, start, stop):
    """The hits of a run of showers."""
    rows = slice(whole.offsets[start], whole.offsets[stop])
    columns = {name: getattr(whole, name)[rows] for name in COLUMNS[1:]}
    return Hits(offsets=whole.offsets[start : stop + 1] - whole.offsets[start], **columns)


def same_hits(one, other):
    pairs = [(getattr(one, name), getattr(other, name)) for name in COLUMNS]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def write(path, batch=None, found=None, size=1000, **options):
    batch, found = batch or made_up(positions=True), found or hits()
    options = {"hits_detector": "ild_siecal_regular", "hits_threshold_mev": 0.1} | options
    with ShowerWriter(path, generator="toy", seed=1, **options) as writer:
        for start in range(0, len(batch), size):
            stop = min(start + size, len(batch))
            writer.append(batch[start:stop], some(found, start, stop))
    return writer


@given(st.integers(1, 7), st.slices(20))
def test_hits_and_positions_are_read_back_to_the_last_bit(tmp_path_factory, size, rows):
    rows = slice(rows.start, rows.stop)
    path = tmp_path_factory.mktemp("files") / "s.h5"
    writer = write(path, size=size)
    assert (writer.n_showers, writer.n_points, writer.n_hits) == (20, 1000, 600)
    with ShowerFile(path) as file:
        assert (file.hits_detector, file.hits_threshold_mev) == ("ild_siecal_regular", 0.1)
        assert file.n_hits == 600
        assert same_showers(file[:], made_up(positions=True))
        assert np.array_equal(
            file[rows].incident.position, made_up(positions=True).incident.position[rows]
        )
        start, stop, _ = rows.indices(20)
        assert same_hits(file.hits(rows), some(hits(), start, max(start, stop)))
    assert same_hits(read_hits(path, rows), some(hits(), start, max(start, stop)))


def test_the_file_is_laid_out_as_documented(tmp_path):
    write(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert file.attrs["hits_detector"] == "ild_siecal_regular"
        assert file.attrs["hits_threshold_mev"] == 0.1
        assert {name: data.dtype for name, data in file["hits"].items()} == {
            "offsets": "i8",
            "layer": "u1",
            "x": "f4",
            "y": "f4",
            "z": "f4",
            "energy": "f4",
            "cell": "i8",
        }
        assert file["incident/position"].dtype == "f8"
        for data in (*file["hits"].values(), file["incident/position"]):
            assert (data.compression, data.compression_opts) == ("gzip", 1)
            assert data.shuffle
            assert data.fletcher32


def test_the_same_hits_give_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_without_hits_is_to_the_byte_what_it_was_before_there_were_hits(tmp_path):
    batch = replace(made_up(), time=np.zeros(1000))
    write_showers(tmp_path / "s.h5", batch, generator="toy", seed=1)
    assert (tmp_path / "s.h5").read_bytes() == as_before_hits(batch)


def as_before_hits(batch):
    """The bytes of version 1 of the format, from when it had only points."""
    rows = {
        "incident/energy": (batch.incident.energy, 65536),
        "incident/direction": (batch.incident.direction, 4096),
        "points/offsets": (batch.offsets[1:], 4096),
        **{f"points/{n}": (getattr(batch, n), 65536) for n in ("x", "y", "layer", "energy")},
        "points/time": (batch.time, 65536),
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="v110") as file:
        file.attrs.update(format="calozoo-showers", version=1, representation="x25")
        file.attrs.update(detector="ild_siecal_regular", particle="gamma", generator="toy", seed=1)
        columns = {
            name: file.create_dataset(
                name,
                shape=(0, *values.shape[1:]),
                maxshape=(None, *values.shape[1:]),
                chunks=(chunk, *values.shape[1:]),
                dtype=values.dtype,
                compression="gzip",
                compression_opts=1,
                shuffle=True,
                fletcher32=True,
            )
            for name, (values, chunk) in rows.items()
        }
        appended = [(name, values) for name, (values, _) in rows.items()]
        for name, values in [("points/offsets", np.zeros(1, np.int64)), *appended]:
            start = len(columns[name])
            columns[name].resize(start + len(values), axis=0)
            columns[name][start:] = values
    return buffer.getvalue()


def test_a_file_without_hits_has_none(tmp_path):
    write_showers(tmp_path / "s.h5", made_up(), generator="toy")
    with ShowerFile(tmp_path / "s.h5") as file:
        assert file.hits_detector is None
        assert file[:].incident.position is None
        with pytest.raises(ShowerFileError, match=r"holds no hits.*place=DETECTOR"):
            file.hits()


def test_showers_may_have_positions_and_no_hits(tmp_path):
    write_showers(tmp_path / "s.h5", made_up(positions=True), generator="toy")
    assert same_showers(read_showers(tmp_path / "s.h5"), made_up(positions=True))
    with pytest.raises(ShowerFileError, match="no hits"):
        read_hits(tmp_path / "s.h5")


def test_showers_with_and_without_positions_do_not_share_a_file(tmp_path):
    with ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1) as writer:
        writer.append(made_up(positions=True))
        with pytest.raises(ShowerFileError, match=r"gamma with positions; those of x25 .* need"):
            writer.append(made_up())


@pytest.mark.parametrize("detector", [None, "ild_siecal_regular"])
def test_hits_come_with_every_batch_or_with_none(tmp_path, detector):
    found = None if detector else hits()
    with (
        pytest.raises(ShowerFileError, match="every batch or with none"),
        ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1, hits_detector=detector) as writer,
    ):
        writer.append(made_up(positions=True), found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("energy", np.nan, "a hit of nan MeV"),
        ("energy", -0.5, "a hit of -0.5 MeV"),
        ("x", np.inf, "a hit whose position"),
        ("z", np.nan, "a hit whose position"),
        ("cell", -1, "a hit in cell -1"),
        ("layer", 30, "a hit in layer 30, where ild_siecal_regular ends at 29"),
    ],
)
def test_hits_that_are_no_measurement_are_neither_written_nor_read(tmp_path, column, value, words):
    values = getattr(hits(), column).copy()
    values[17] = value
    path = tmp_path / "s.h5"
    with pytest.raises(ShowerFileError, match=f"hold {words}.* was not written"):
        write(path, found=replace(hits(), **{column: values}))
    assert list(tmp_path.iterdir()) == []
    write(path)
    with h5py.File(path, "r+") as file:
        file["hits"][column][17] = value
    with pytest.raises(ShowerFileError, match=f"is damaged .it holds {words}"):
        read_hits(path)
    assert len(read_hits(path, slice(1, 20))) == 19
    assert same_showers(read_showers(path), made_up(positions=True))


@pytest.mark.parametrize(
    "found",
    [hits(19), replace(hits(), energy=hits().energy[1:]), replace(hits(), offsets=-hits().offsets)],
)
def test_hits_of_other_showers_are_not_written(tmp_path, found):
    options = {"generator": "toy", "seed": 1, "hits_detector": "mine"}
    with (
        pytest.raises(ShowerFileError, match="hold hits"),
        ShowerWriter(tmp_path / "s.h5", **options) as writer,
    ):
        writer.append(made_up(positions=True), found)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_file_is_refused(tmp_path):
    write(tmp_path / "s.h5")
    with ShowerFile(tmp_path / "s.h5") as file:
        file.hits(slice(None, None, 2))
    with pytest.raises(ShowerFileError, match="was closed"):
        file.hits()


def test_more_hits_than_a_chunk_holds_are_read_back(tmp_path):
    found = hits(20, per_shower=5000)
    write(tmp_path / "s.h5", found=found, size=3)
    digest = [hashlib.sha256(getattr(found, name).tobytes()).hexdigest() for name in COLUMNS]
    read = read_hits(tmp_path / "s.h5")
    assert digest == [hashlib.sha256(getattr(read, n).tobytes()).hexdigest() for n in COLUMNS]
