"""Good shower files for hypothesis, and what to do to the bytes and the contents of any file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from hypothesis import strategies as st

from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerWriter
from calozoo_core.showers import Showers

__all__ = ["STRUCTURES", "damaged", "damages", "edit_json", "edits", "marks_in", "shower_file"]

# Where the structures of HDF5 begin: most of a file is data, which is packed and has checksums.
STRUCTURES = (b"\x89HDF", b"OHDR", b"OCHK", b"GCOL", b"TREE", b"SNOD", b"HEAP", b"FRHP", b"FADB")
NUMBERS = [
    struct.pack(kind, value)
    for kind, values in {
        "<Q": (0, 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**64 - 1, 2**64 - 16),
        "<I": (0, 1, 2**16, 2**31 - 1, 2**32 - 1),
        "B": (0, 1, 127, 128, 255),
    }.items()
    for value in values
]


def shower_file(path: Path, libver: str, **packing: object) -> bytes:
    """A good file with everything that a file can have, in a format with or without checksums."""
    rng = np.random.default_rng(3)
    showers = Showers(
        offsets=[0, 10, 10, 30],
        x=rng.normal(0, 20, 30),
        y=rng.normal(0, 20, 30),
        layer=rng.integers(0, 30, 30),
        energy=rng.exponential(1, 30),
        time=rng.exponential(1, 30),
        incident=Incident(
            [10, 20, 30],
            [(0, 0, 1), (0.5, 0, 1), (0, 0.3, 1)],
            position=[(0, 1804.7, 0), (1, 1804.7, 2), (3, 1804.7, 4)],
        ),
        representation="x25",
        detector="ild_siecal_regular",
    )
    numbers = {name: rng.uniform(0, 900, 20).astype(np.float32) for name in ("x", "y", "z")}
    hits = Hits(
        offsets=np.array([0, 8, 8, 20]),
        cell=rng.integers(0, 10**6, 20),
        layer=rng.integers(0, 30, 20).astype(np.uint8),
        energy=rng.exponential(1, 20).astype(np.float32),
        **numbers,
    )
    options = {"hits_detector": "ild_siecal_regular", "hits_threshold_mev": 0.1}
    with ShowerWriter(path, generator="toy", seed=1, overwrite=True, **options) as writer:
        writer.append(showers, hits)
    copy = path.with_suffix(".copy.h5")
    with h5py.File(path) as file, h5py.File(copy, "w", libver=libver) as other:
        other.attrs.update(file.attrs)
        for group in file.values():
            for data in group.values():
                other.create_dataset(data.name, data=data[()], **packing)
    return copy.read_bytes()


# Bytes of any file.


@cache
def damages(size: int, marks: tuple[int, ...]) -> st.SearchStrategy[list[tuple]]:
    """What to do to a file of this size, mostly behind a mark; few things at a time.

    Kept for each file: hypothesis looks through every new strategy before it draws from it.
    """
    near = st.tuples(st.sampled_from(marks or (0,)), st.integers(0, 79)).map(sum)
    places = st.one_of(near, st.integers(0, size - 1)).map(lambda at: min(at, size - 1))
    kinds = st.one_of(
        st.tuples(st.just("flip"), places, st.integers(0, 7)),
        st.tuples(st.just("set"), places, st.sampled_from(NUMBERS)),
        st.tuples(
            st.just("set"),
            places,
            st.sampled_from(marks or (0,)).map(lambda m: struct.pack("<Q", m)),
        ),
        st.tuples(st.just("put"), places, st.binary(min_size=1, max_size=16)),
        st.tuples(st.just("copy"), places, st.tuples(places, st.integers(1, 64))),
        st.tuples(st.just("drop"), places, st.integers(1, 32)),
        st.tuples(st.just("cut"), places, st.none()),
    )
    return st.lists(kinds, min_size=1, max_size=4)


def damaged(content: bytes, damage: list[tuple]) -> bytes:
    whole = bytearray(content)
    for kind, place, how in damage:
        at = min(place, len(whole))
        if kind == "flip" and at < len(whole):
            whole[at] ^= 1 << how
        elif kind == "set":
            whole[at : at + len(how)] = how
        elif kind == "put":
            whole[at:at] = how
        elif kind == "copy":
            source, length = how
            whole[at : at + length] = content[source : source + length]
        elif kind == "drop":
            del whole[at : at + how]
        elif kind == "cut":
            del whole[at:]
    return bytes(whole)


@cache
def marks_in(content: bytes, signatures: tuple[bytes, ...]) -> tuple[int, ...]:
    """Where these begin."""
    found = []
    for signature in signatures:
        at = content.find(signature)
        while at >= 0:
            found.append(at)
            at = content.find(signature, at + 1)
    return tuple(sorted(found))


# What a shower file says: every part is whole, and they do not fit.

ATTRIBUTES = ["format", "version", "representation", "detector", "particle", "generator", "seed"]
COLUMNS = [
    *(f"points/{name}" for name in ("offsets", "x", "y", "layer", "energy", "time")),
    *(f"incident/{name}" for name in ("energy", "direction", "position")),
    *(f"hits/{name}" for name in ("offsets", "cell", "layer", "x", "energy")),
]
VALUES = st.one_of(
    st.text(max_size=20).filter(lambda text: "\0" not in text),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(min_size=1, max_size=20).map(np.void),
    st.sampled_from([np.arange(3), np.zeros((0, 2)), h5py.Empty("f4"), np.bytes_(b"x25")]),
)


KINDS = st.sampled_from(["attribute", "less", "other", "value", "link", "claim"])
NAMES, BOOLEANS = st.sampled_from(COLUMNS), st.booleans()
ATTRIBUTE_NAMES = st.sampled_from([*ATTRIBUTES, "hits_detector", "hits_threshold_mev"])
LINKS = st.sampled_from([h5py.SoftLink("/points"), h5py.ExternalLink("s.h5", "/")])
TYPES = st.sampled_from(["f4", "f8", "u1", "i8", "i4", ">f4", "S3", "f2"])
SHAPES = st.lists(st.integers(0, 40), max_size=3).map(tuple)
CLAIMS = st.sampled_from([10**6, 2**31, 2**40, 2**62])
COMPRESSIONS = st.sampled_from([None, "gzip", "lzf"])
FILLINGS = st.sampled_from([0, 1, 30, 255])
PACKINGS = st.sampled_from([{}, {"chunks": True}, {"chunks": True, "compression": "gzip"}])
FIRSTS = st.sampled_from([0, -1, 1, 29, 30, 255, 2**31, np.nan, np.inf, -np.inf, 1e38])


@st.composite
def edits(draw) -> Callable[[h5py.File], None]:
    """One change to the contents of a file."""
    kind, name = draw(KINDS), draw(NAMES)
    if kind == "attribute":
        attribute, value = draw(ATTRIBUTE_NAMES), draw(VALUES)
        return lambda file: file.attrs.__setitem__(attribute, value)
    if kind == "less":
        part = name if draw(BOOLEANS) else name.partition("/")[0]
        return lambda file: file.pop(part, None)
    if kind == "link":
        link = draw(LINKS)
        return lambda file: replace(file, name, lambda: file.__setitem__(name, link))
    dtype, shape = draw(TYPES), draw(SHAPES)
    if kind == "claim":
        large = (draw(CLAIMS), *shape[1:])
        options = {"chunks": tuple(max(1, side) for side in (4096, *large[1:]))}
        options |= {"compression": draw(COMPRESSIONS)}
        return lambda file: replace(
            file, name, lambda: file.create_dataset(name, large, dtype, **options)
        )
    if kind == "other":
        numbers, options = draw(FILLINGS), draw(PACKINGS)
        options = options if shape and all(shape) else {}
        values = np.full(shape, numbers).astype(dtype)
        return lambda file: replace(
            file, name, lambda: file.create_dataset(name, data=values, **options)
        )
    number = draw(FIRSTS)
    return lambda file: set_first(file, name, number)


def replace(file: h5py.File, name: str, make: Callable[[], object]) -> None:
    file.pop(name, None)
    make()


def set_first(file: h5py.File, name: str, number: float) -> None:
    data = file.get(name)
    is_small = isinstance(data, h5py.Dataset) and 0 < data.nbytes < 1e6  # and no claim
    if is_small and data.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            values = data[()]
            values.flat[0] = np.array(number).astype(data.dtype)
        data[...] = values


# What weights say: proper JSON that means something else.

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def edit_json(data, whole):
    """A value of nested JSON, replaced by another."""
    if isinstance(whole, dict | list) and whole and data.draw(st.integers(0, 3)):
        items = list(whole.items() if isinstance(whole, dict) else enumerate(whole))
        key, inner = data.draw(st.sampled_from(items))
        changed = type(whole)(whole)
        changed[key] = edit_json(data, inner)
        return changed
    return data.draw(JSON)
