"""The layout of the native file, and the way into one that somebody else may have made.

A file is opened without trust: a link, a virtual data set or external storage would make us read
other files, a filter of its own would run other code, and a claimed size would take the memory.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import list_detectors, load_detector
from calozoo_core.hits import Hits
from calozoo_core.io._hdf5_guards import LZF, LayoutError, Table
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers

__all__ = [
    "FORMAT",
    "HIT_TYPES",
    "NUMBERS",
    "POINT_TYPES",
    "VERSION",
    "LayoutError",
    "attribute",
    "attribute_fault",
    "column",
    "fault",
    "has_member",
    "hit_fault",
    "n_ragged_rows",
    "number",
    "table",
]

FORMAT: Final = "calozoo-showers"
VERSION: Final = 1
POINT_TYPES: Final = {"x": "f4", "y": "f4", "layer": "u1", "energy": "f4"}
HIT_TYPES: Final = {"layer": "u1", "x": "f4", "y": "f4", "z": "f4", "energy": "f4", "cell": "i8"}

NUMBERS: Final = tuple(
    f"{order}{kind}{size}"
    for kind, sizes in (("f", (2, 4, 8)), ("i", (1, 2, 4, 8)), ("u", (1, 2, 4, 8)))
    for size in sizes
    for order in "<>"
)
"""Types of numbers that other programs write, with the lowest byte first or last."""

_INTEGERS: Final = (
    h5py.h5t.STD_I64LE,
    h5py.h5t.STD_U64LE,
    h5py.h5t.STD_I32LE,
    h5py.h5t.STD_U32LE,
)
_FILTERS: Final = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    LZF,
}
_LAYOUTS: Final = {h5py.h5d.CHUNKED, h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT}
_LARGEST_DEFLATION: Final = 1032  # zlib's own limit: 258 bytes from 2 bits
_MAX_CHUNK_BYTES: Final = 64 << 20
_MAX_TEXT_BYTES: Final = 1 << 16
_OFFSET_BLOCK: Final = 1 << 16
_NO_FRACTIONS: Final = {"generator", "seed", "hits_detector", "detector", "model"}


def attribute(file: h5py.File, name: str) -> str | int | None:
    """A text or a whole number from the file's attributes; None where there is none.

    Raises:
        LayoutError: If it is something else.
    """
    key = name.encode()
    if not h5py.h5a.exists(file.id, key):
        return None
    stored = h5py.h5a.open(file.id, key)
    kind = stored.get_type()
    is_known = isinstance(kind, h5py.h5t.TypeStringID) or any(kind == known for known in _INTEGERS)
    if stored.shape != () or kind.get_size() > _MAX_TEXT_BYTES or not is_known:
        msg = f"its attribute {name} is neither a text nor a whole number"
        raise LayoutError(msg)
    value = file.attrs[name]
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        return int(value)
    if not is_readable(value):
        msg = f"its attribute {name} is no text for people to read"
        raise LayoutError(msg)
    return value


def is_readable(value: str) -> bool:
    """True for a text that an attribute may have: printable, and not too long."""
    return value.isprintable() and len(value.encode()) <= _MAX_TEXT_BYTES


def attribute_fault(name: str, value: str | int | float) -> str | None:
    """Fault of an attribute that could not be read again; None if there is none."""
    if not name or not is_readable(name):
        return f"{name!r} is no name of an attribute"
    if isinstance(value, str):
        if not is_readable(value):
            return f"{name} is no text for people to read: {reprlib.repr(value)}"
        if name.endswith("detector") and value.endswith(".toml"):
            return f"{name} is the path of a file, {value}, not a name"
        if name == "representation" and value not in REPRESENTATIONS:
            return f"{value} is no representation"
    elif isinstance(value, float):
        if not math.isfinite(value) or (name.endswith("threshold_mev") and value < 0):
            return f"{name} is {value:g}"
        if name in _NO_FRACTIONS:
            return f"{name} is {value!r}, neither a text nor a whole number"
    elif isinstance(value, bool) or not isinstance(value, int | np.integer):
        return f"{name} is {value!r}, neither a text nor a number"
    elif not -(2**63) <= value < 2**64:
        return f"{name} is {value}, which 64 bits do not hold"
    return None


def number(file: h5py.File, name: str) -> float | None:
    """A number with a point from the file's attributes; None where there is none.

    Raises:
        LayoutError: If it is something else.
    """
    key = name.encode()
    if not h5py.h5a.exists(file.id, key):
        return None
    stored = h5py.h5a.open(file.id, key)
    if stored.shape != () or stored.get_type() != h5py.h5t.IEEE_F64LE:
        msg = f"its attribute {name} is not a number"
        raise LayoutError(msg)
    return float(file.attrs[name])


def has_member(file: h5py.File, name: str) -> bool:
    """True if a group, or a data set of a group, is there, without following any link."""
    folder, _, last = name.rpartition("/")
    # Its links are valid only as long as it is held.
    group = _member(file.id, folder) if folder else h5py.h5g.open(file.id, b"/")
    return isinstance(group, h5py.h5g.GroupID) and bool(group.links.exists(last.encode()))


def column(file: h5py.File, name: str, dtype: str, width: int | None = None) -> Table:
    """A data set of the file, once it is clear that reading it is safe.

    Arguments:
        file: The open file.
        name: Where it is, as `group/name`.
        dtype: What it must hold: "f4", "f8", "u1" or "i8".
        width: Length of its second axis, if it must have one.

    Raises:
        LayoutError: If it is missing, of another kind, or not to be trusted.
    """
    data = _trusted(file, name, (dtype,))
    if data.shape != data.shape[:1] + (() if width is None else (width,)) or not data.shape:
        msg = f"its {name} has the shape {data.shape}"
        raise LayoutError(msg)
    return data


def table(file: h5py.File, name: str, dtypes: Sequence[str], rank: int | tuple[int, ...]) -> Table:
    """A data set of several axes, once it is clear that reading it is safe.

    Arguments:
        file: The open file.
        name: Where it is, as `group/name`.
        dtypes: What it may hold, as numpy's short names of types; `NUMBERS` are all.
        rank: How many axes it must have, or may have.

    Raises:
        LayoutError: If it is missing, of another kind, or not to be trusted.
    """
    data = _trusted(file, name, dtypes)
    if len(data.shape) not in ((rank,) if isinstance(rank, int) else rank):
        msg = f"its {name} has the shape {data.shape}"
        raise LayoutError(msg)
    return data


def n_ragged_rows(offsets: Table, n: int, columns: Mapping[str, Table], what: str) -> int:
    """Number of rows of ragged columns, once it is clear that their offsets fit them.

    The offsets are read block by block, since a file can claim any number of them.

    Arguments:
        offsets: Beginning of each of the n runs of rows, and the end.
        n: Number of runs.
        columns: Columns, of one length.
        what: Name of the rows, for the message.

    Raises:
        LayoutError: If the offsets fall, or do not fit.
    """
    n_offsets, last = len(offsets), 0
    sound = n_offsets == n + 1
    for start in range(0, n_offsets if sound else 0, _OFFSET_BLOCK):
        block = offsets[start : start + _OFFSET_BLOCK]
        sound = sound and block[0] >= last and not np.any(block[1:] < block[:-1])
        sound = sound and (start > 0 or block[0] == 0)
        last = int(block[-1])
    if not sound or {len(values) for values in columns.values()} != {last}:
        msg = f"its offsets do not fit its {what}"
        raise LayoutError(msg)
    return last


def fault(showers: Showers) -> str | None:
    """Fault in the values of a batch, as the object of a sentence; None if there is none."""
    bad = showers.energy[~(np.isfinite(showers.energy) & (showers.energy >= 0))]
    if len(bad):
        return f"a deposit of {bad[0]:g} MeV"
    if not (np.all(np.isfinite(showers.x)) and np.all(np.isfinite(showers.y))):
        return "a position that is not a number of mm"
    if showers.time is not None and not np.all(np.isfinite(showers.time)):
        return "a time that is not a number of ns"
    last = _layer_behind(showers.layer, showers.detector)
    return f"a deposit in {last}" if last else None


def hit_fault(hits: Hits, detector: str) -> str | None:
    """Fault in the values of hits in a detector; None if there is none."""
    bad = hits.energy[~(np.isfinite(hits.energy) & (hits.energy >= 0))]
    if len(bad):
        return f"a hit of {bad[0]:g} MeV"
    if not all(np.all(np.isfinite(values)) for values in (hits.x, hits.y, hits.z)):
        return "a hit whose position is not a number of mm"
    if np.any(hits.cell < 0):
        return f"a hit in cell {hits.cell.min()}"
    last = _layer_behind(hits.layer, detector)
    return f"a hit in {last}" if last else None


def _layer_behind(layer: NDArray[np.uint8], detector: str) -> str | None:
    """Words for a layer that lies behind the detector's last."""
    # A detector that did not come with calozoo may have any number of layers.
    if len(layer) and detector in list_detectors():
        last, n_layers = int(layer.max()), load_detector(detector).n_layers
        if last >= n_layers:
            return f"layer {last}, where {detector} ends at {n_layers - 1}"
    return None


def _member(group: h5py.h5g.GroupID | h5py.h5f.FileID, name: str) -> h5py.h5g.GroupID:
    if isinstance(group, h5py.h5f.FileID):
        group = h5py.h5g.open(group, b"/")
    if not isinstance(group, h5py.h5g.GroupID) or not group.links.exists(name.encode()):
        msg = f"it has no {name}"
        raise LayoutError(msg)
    if group.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        msg = f"its {name} is a link to elsewhere"
        raise LayoutError(msg)
    return h5py.h5o.open(group, name.encode())


def _trusted(file: h5py.File, name: str, dtypes: Sequence[str]) -> Table:
    """A data set of these types, whatever its shape, that is safe to read."""
    folder, _, last = name.rpartition("/")
    parent = _member(file.id, folder) if folder else file.id
    stored = _member(parent, last)
    if not isinstance(stored, h5py.h5d.DatasetID):
        msg = f"its {name} is not a data set"
        raise LayoutError(msg)
    kind = stored.get_type()
    if not any(kind == h5py.h5t.py_create(np.dtype(dtype)) for dtype in dtypes):
        named = dict.fromkeys(np.dtype(dtype).newbyteorder("=").name for dtype in dtypes)
        known = " or ".join(named)
        msg = f"its {name} does not hold numbers of type {known}"
        raise LayoutError(msg)
    _check_storage(name, stored)
    data = h5py.Dataset(stored)
    _check_size(name, data, file.id.get_filesize())
    return Table(name, data)


def _check_storage(name: str, stored: h5py.h5d.DatasetID) -> None:
    """Refuse what would open other files, run filters we do not use, or take large buffers.

    Asked before the shape is: to know its own, a virtual data set opens the files it points to.
    """
    plan = stored.get_create_plist()
    if plan.get_layout() not in _LAYOUTS or plan.get_external_count():
        msg = f"its {name} is kept in another file"
        raise LayoutError(msg)
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if not _FILTERS.issuperset(filters) or len(set(filters)) < len(filters):
        msg = f"its {name} is packed in a way that calozoo does not use"
        raise LayoutError(msg)
    if plan.get_layout() == h5py.h5d.CHUNKED:
        n_bytes = math.prod(plan.get_chunk()) * stored.get_type().get_size()
        if n_bytes > _MAX_CHUNK_BYTES:
            msg = f"its {name} is cut in pieces of {n_bytes} bytes"
            raise LayoutError(msg)


def _check_size(name: str, data: h5py.Dataset, file_bytes: int) -> None:
    """Refuse a size that the bytes in the file cannot fill."""
    stored = min(data.id.get_storage_size(), file_bytes)
    largest = stored * (_LARGEST_DEFLATION if data.id.get_create_plist().get_nfilters() else 1)
    if data.size * data.dtype.itemsize > largest:
        msg = f"it is too short for the {data.size} values that its {name} claims"
        raise LayoutError(msg)
