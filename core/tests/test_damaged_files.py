"""Damaged and hostile shower files: one sentence each, and no other file is ever opened."""

from __future__ import annotations

import struct
import zlib

import h5py
import numpy as np
import pytest
from damaged import read, refusal, same

from calozoo_core.errors import ShowerFileError
from calozoo_core.io import ShowerFile
from calozoo_core.io._hdf5_guards import has_endless_text

resource = pytest.importorskip("resource", reason="memory is measured as Unix does")

TYPES = {
    "points": {"x": "f4", "y": "f4", "layer": "u1", "energy": "f4"},
    "hits": {"layer": "u1", "x": "f4", "y": "f4", "z": "f4", "energy": "f4", "cell": "i8"},
}


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in [*range(0, 3000, 13), *range(3000, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(path)


def test_a_flipped_byte_is_noticed_or_harmless(path, sound, sound_hits):
    whole = path.read_bytes()
    texts = range(whole.index(b"GCOL"), whole.index(b"GCOL") + 4096)  # which have no checksum
    for place in range(0, len(whole), 131):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        try:
            found = read(path)
        except ShowerFileError:
            refusal(path)
        else:
            assert same(found, sound, sound_hits) or place in texts


def test_random_damage_of_every_kind_ends_in_one_sentence(path):
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    patterns = [b"\xff" * 8, b"\0" * 8, b"\0" * 7 + b"\x10", b"\xff\xff\xff\x7f" + b"\0" * 4]
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole) - 8, rng.integers(1, 5)):
            damaged[place : place + 8] = patterns[rng.integers(len(patterns))]
        path.write_bytes(damaged)
        try:
            read(path)
        except ShowerFileError:
            refused += 1
    assert refused > 200


def test_texts_without_an_end_do_not_stop_the_reader(path):
    # Under such a heap, the HDF5 library loops for ever.
    whole = bytearray(path.read_bytes())
    first_size = whole.index(b"GCOL") + 16 + 8
    for size in (190, 2**64 - 16):
        whole[first_size : first_size + 8] = size.to_bytes(8, "little")
        path.write_bytes(whole)
        assert "its texts have no end" in refusal(path)


def in_the_oldest_format(path, tmp_path):
    """The same showers in a file whose parts have no checksums."""
    old = tmp_path / "old.h5"
    with h5py.File(path) as file, h5py.File(old, "w", libver="earliest") as copy:
        copy.attrs.update(file.attrs)
        for group in ("incident", *TYPES):
            for name, data in file[group].items():
                copy[f"{group}/{name}"] = data[()]
    read(old)
    return old


def test_a_text_that_claims_gigabytes_takes_none(path, tmp_path):
    # Where the length has no checksum; the library allocates it first.
    old = in_the_oldest_format(path, tmp_path)
    whole = bytearray(old.read_bytes())
    heap = whole.index(b"GCOL").to_bytes(8, "little")
    for length in (1 << 28, 2**32 - 1):
        length_at = whole.index(heap) - 4
        whole[length_at : length_at + 4] = length.to_bytes(4, "little")
        old.write_bytes(whole)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert "its texts have no end" in refusal(old)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_free_space_that_comes_back_to_itself_takes_no_memory(path, tmp_path):
    old = in_the_oldest_format(path, tmp_path)
    whole = bytearray(old.read_bytes())
    heap = whole.index(b"HEAP")
    free, address = struct.unpack_from("<QQ", whole, heap + 16)
    whole[address + free : address + free + 8] = free.to_bytes(8, "little")
    old.write_bytes(whole)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "its names have no end" in refusal(old)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_an_address_that_looks_like_a_long_text_is_none(tmp_path):
    """Beside the heap at 0xb3, an object at 0xb3d8: its address ends in that of the heap."""
    path = tmp_path / "sound.h5"
    with path.open("w+b") as out, h5py.File(out, "w", libver="v110") as file:
        file.attrs.update(format="a text", version=1)
    whole = path.read_bytes()
    heap = whole.index(b"GCOL")
    address = (heap << 8) + 0xD8
    behind = bytes(address - len(whole)) + b"OHDR"
    found = address.to_bytes(8, "little") + b"\x00\x93" + bytes(6)  # an empty message behind it
    for before, is_refused in (
        (b"\x04\x20\x04\x04\x10\x0a", False),  # how the chunks of a data set are found
        (b"\x04cell", False),  # a link
        (b"\x05cell", True),
        (b"\x04\x20\x04\x04\x10\x0b", True),
    ):
        path.write_bytes(whole + behind + bytes(300) + before + found)
        assert has_endless_text(path) == is_refused, before


def test_a_thousand_heaps_one_inside_the_other_do_not_keep_the_reader_busy(path):
    empty = b"\1" + bytes(15)  # an object of no length
    header = b"GCOL\1\0\0\0" + (1 << 40).to_bytes(8, "little")
    path.write_bytes(path.read_bytes() + (header + empty) * 200_000)
    assert "its texts have no end" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"PK\3\4" * 100, b"\x89HDF\r\n\x1a\n", b"\0" * 9999]
)
def test_what_is_no_hdf5_file_is_refused(tmp_path, content):
    (tmp_path / "s.h5").write_bytes(content)
    assert "not a whole HDF5 file" in refusal(tmp_path / "s.h5")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    assert "There is no shower file" in refusal(tmp_path / "s.h5")
    assert "is a folder" in refusal(tmp_path)


def test_a_file_behind_something_else_is_refused(path):
    with h5py.File(path.with_name("behind.h5"), "w", userblock_size=512) as file:
        file.attrs["format"] = "calozoo-showers"
    assert "something else precedes it" in refusal(path.with_name("behind.h5"))


def test_an_hdf5_file_of_another_kind_is_refused(tmp_path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["events"] = np.zeros(3)
    assert "not a calozoo shower file" in refusal(tmp_path / "s.h5")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("version", 2, "is of version 2; this calozoo reads 1"),
        ("version", "1.0", "is of version 1.0"),
        ("format", "calozoo-cells", "not a calozoo shower file"),
        ("format", np.arange(5), "attribute format is neither a text nor a whole number"),
        ("version", np.zeros(3), "attribute version is neither"),
        ("version", 1.5, "attribute version is neither"),
        ("representation", "x36", "x36 is no representation"),
        ("particle", "gam\nma", "attribute particle is no text"),
        ("generator", h5py.Empty("f4"), "attribute generator is neither"),
        ("detector", "/etc/mine.toml", "its detector is the path of a file"),
        ("hits_detector", "../mine.toml", "its hits_detector is the path of a file"),
        ("hits_detector", np.zeros(3), "attribute hits_detector is neither"),
        ("hits_threshold_mev", np.nan, "its hits begin at nan MeV"),
        ("hits_threshold_mev", -1.0, "its hits begin at -1 MeV"),
        ("hits_threshold_mev", "0.1", "attribute hits_threshold_mev is not a number"),
        ("hits_threshold_mev", np.zeros(2), "attribute hits_threshold_mev is not a number"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(path, name, value, words):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    assert words in refusal(path)


@pytest.mark.parametrize("name", ["detector", "hits_detector"])
def test_a_missing_attribute_is_named(path, name):
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
    assert f"does not say its {name}" in refusal(path)


@pytest.mark.parametrize(
    "name",
    [
        "points",
        "incident",
        "points/x",
        "points/offsets",
        "incident/direction",
        "hits",
        "hits/cell",
        "hits/offsets",
    ],
)
def test_a_missing_or_misplaced_data_set_is_named(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]
    assert name.rpartition("/")[2] in refusal(path)
    with h5py.File(path, "r+") as file:
        file.create_group(f"{name}/inner") if "/" in name else file.create_dataset(name, data=3.0)
    refusal(path)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("points/offsets", [0, 200, 100, 300]),
        ("points/offsets", [0, 100, 100, 299]),
        ("points/offsets", [0, 100, 100, 2**62]),
        ("points/offsets", [-5, 100, 100, 300]),
        ("points/offsets", [1, 100, 100, 300]),
        ("points/offsets", [0, 300]),
        ("points/offsets", [[0, 100, 100, 300]]),
        ("points/offsets", []),
        ("points/offsets", [0.0, 100.0, 100.0, 300.0]),
        ("points/layer", np.zeros(300, np.int64)),
        ("points/energy", np.zeros(300, np.float64)),
        ("points/x", np.zeros(299, np.float32)),
        ("points/x", np.float32(1)),
        ("points/y", np.array([b"text"] * 300)),
        ("points/y", np.zeros(300, [("a", "f4")])),
        ("points/time", np.zeros(3, np.float32)),
        ("incident/energy", np.zeros(3, np.float32)),
        ("incident/energy", np.float32([1, np.nan, 3])),
        ("incident/energy", np.float32([1, 2])),
        ("incident/direction", np.float32([(0, 0, 1), (0, 0, -1), (0, 0, 1)])),
        ("incident/direction", np.zeros((3, 2), np.float32)),
        ("incident/direction", np.zeros(9, np.float32)),
        ("incident/position", np.zeros((3, 3), np.float32)),
        ("incident/position", np.zeros((2, 3))),
        ("incident/position", np.zeros((3, 2))),
        ("incident/position", np.full((3, 3), np.nan)),
        ("incident/position", 3.0),
        ("hits/offsets", [0, 100, 80, 200]),
        ("hits/offsets", [0, 80, 80, 201]),
        ("hits/offsets", [-1, 80, 80, 200]),
        ("hits/offsets", [0, 200]),
        ("hits/offsets", []),
        ("hits/cell", np.zeros(200, np.int32)),
        ("hits/cell", np.zeros(199, np.int64)),
        ("hits/layer", np.zeros(200, np.int64)),
        ("hits/z", np.zeros(200)),
        ("hits/x", np.float32(1)),
    ],
)
def test_data_sets_that_do_not_fit_each_other_are_refused(path, name, values):
    with h5py.File(path, "r+") as file:
        file.pop(name, None)
        file[name] = values
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize(
    "name", ["points/x", "points", "incident/position", "hits/cell", "hits/offsets", "hits"]
)
@pytest.mark.parametrize("link", [h5py.SoftLink, h5py.ExternalLink])
def test_links_are_not_followed(path, tmp_path, name, link):
    other = tmp_path / "other.h5"
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        file.move(name, "aside")
        file[name] = link("/aside") if link is h5py.SoftLink else link(str(other), f"/{name}")
    assert "is a link to elsewhere" in refusal(path)


@pytest.mark.parametrize(("name", "n"), [("points/x", 300), ("hits/energy", 200)])
def test_a_virtual_data_set_is_refused(path, tmp_path, name, n):
    other = tmp_path / "other.h5"
    other.write_bytes(path.read_bytes())
    layout = h5py.VirtualLayout(shape=(n,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), name, shape=(n,))
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_virtual_dataset(name, layout)
    assert f"{name} is kept in another file" in refusal(path)


@pytest.mark.parametrize(("name", "n"), [("points/x", 300), ("hits/energy", 200)])
def test_external_storage_is_refused(path, tmp_path, name, n):
    (tmp_path / "secret").write_bytes(bytes(4 * n))
    with h5py.File(path, "r+") as file:
        del file[name]
        external = [(str(tmp_path / "secret"), 0, 4 * n)]
        file.create_dataset(name, shape=(n,), dtype="f4", external=external)
    assert f"{name} is kept in another file" in refusal(path)


@pytest.mark.parametrize(("name", "n"), [("points/x", 300), ("hits/energy", 200)])
def test_a_filter_that_calozoo_does_not_use_is_refused(path, name, n):
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, shape=(n,), dtype="f4", scaleoffset=2)
    assert "packed in a way" in refusal(path)


@pytest.mark.parametrize("group", TYPES)
@pytest.mark.parametrize("packing", [{}, {"compression": "gzip"}])
@pytest.mark.parametrize("n", [10**9, 10**15])
def test_a_claim_that_the_file_cannot_fill_takes_no_memory(path, n, packing, group):
    with h5py.File(path, "r+") as file:
        del file[group]
        for name, dtype in TYPES[group].items():
            file.create_dataset(f"{group}/{name}", (n,), dtype, chunks=(1 << 16,), **packing)
        file[f"{group}/offsets"] = np.array([0, 0, 0, n])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "too short for the" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_as_many_showers_as_the_file_cannot_fill_take_no_memory(path):
    n = 10**12
    with h5py.File(path, "r+") as file:
        del file["incident"], file["points/offsets"]
        kind = {"compression": "gzip"}
        file.create_dataset("incident/energy", (n,), "f4", chunks=(4096,), **kind)
        file.create_dataset("incident/direction", (n, 3), "f4", chunks=(4096, 3), **kind)
        file.create_dataset("points/offsets", (n + 1,), "i8", chunks=(4096,), **kind)
    assert "too short for the" in refusal(path)


def test_a_chunk_as_large_as_the_memory_is_refused(path):
    with h5py.File(path, "r+") as file:
        del file["points/x"]
        data = file.create_dataset("points/x", (300,), "f4", chunks=(300,), maxshape=(None,))
        data[:] = 0
        del file["points/x"]
        kind = {"chunks": (1 << 29,), "maxshape": (None,), "compression": "gzip"}
        data = file.create_dataset("points/x", (300,), "f4", **kind)
        packed = zlib.compress(bytes(1200))
        data.id.write_direct_chunk((0,), packed)
    assert "is cut in pieces of 2147483648 bytes" in refusal(path)


def test_a_closed_file_is_read_no_more(path):
    with ShowerFile(path) as file:
        pass
    with pytest.raises(ShowerFileError, match="was closed"):
        file[:]
    with pytest.raises(ShowerFileError, match="was closed"):
        file.hits()
