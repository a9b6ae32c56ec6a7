"""A guard against a fault of the HDF5 library: it trusts a packed chunk to have its size.

One that unpacks to fewer bytes makes it read memory that is not the chunk's, and so crash or hand
out what lies there; one that unpacks to more takes any amount of memory.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import h5py
from numpy.typing import NDArray

__all__ = ["LayoutError", "Table"]

_CHECKSUM_BYTES: Final = 4
_PACKED_MARGIN: Final = 1 << 10  # what packing may add to bytes that cannot be packed, and more


class LayoutError(Exception):
    """What is wrong with a file, as a clause that fits into brackets."""


class Table:
    """A data set that is read chunk by chunk, each looked at before the library unpacks it.

    Arguments:
        name: As messages call it.
        data: The data set; its filters are among deflate, shuffle and Fletcher's checksum.

    Raises:
        LayoutError: If a chunk lies where none can.
    """

    def __init__(self, name: str, data: h5py.Dataset) -> None:
        self._name, self._data = name, data
        self.shape: tuple[int, ...] = data.shape
        self._filters = _filters(data)
        self._waiting: dict[int, list[h5py.h5d.StoreInfo]] = {}
        if data.chunks is not None:
            self._chunk_bytes = math.prod(data.chunks) * data.dtype.itemsize
            self._list_chunks()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Values altogether."""
        return math.prod(self.shape)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Neighbouring rows.

        Raises:
            LayoutError: If a chunk of theirs does not unpack to its size.
        """
        if self._waiting:
            start, stop, _ = rows.indices(len(self))
            length = self._data.chunks[0]
            for index in range(start // length, -(-stop // length)):
                for chunk in self._waiting.get(index, ()):
                    self._check(chunk)
                self._waiting.pop(index, None)
        values: NDArray[Any] = self._data[rows]
        return values

    def _list_chunks(self) -> None:
        lengths, places = self._data.chunks, Counter[tuple[int, ...]]()

        def note(chunk: h5py.h5d.StoreInfo) -> None:
            places[chunk.chunk_offset] += 1
            self._waiting.setdefault(chunk.chunk_offset[0] // lengths[0], []).append(chunk)

        self._data.id.chunk_iter(note)
        for place, times in places.items():
            sides = zip(place, lengths, self.shape, strict=True)
            if times > 1 or any(at % length or at >= end for at, length, end in sides):
                msg = f"its {self._name} has a chunk where none can be"
                raise LayoutError(msg)

    def _check(self, chunk: h5py.h5d.StoreInfo) -> None:
        packed = b""
        if chunk.size <= self._chunk_bytes + (self._chunk_bytes >> 3) + _PACKED_MARGIN:
            packed = self._data.id.read_direct_chunk(chunk.chunk_offset)[1]
        applied = [f for bit, f in enumerate(self._filters) if not chunk.filter_mask >> bit & 1]
        if _unpacked_bytes(packed, applied, self._chunk_bytes) != self._chunk_bytes:
            msg = f"a chunk of its {self._name} does not have the size of one"
            raise LayoutError(msg)


def _filters(data: h5py.Dataset) -> list[int]:
    plan = data.id.get_create_plist()
    return [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]


def _unpacked_bytes(packed: bytes, filters: Sequence[int], most: int) -> int:
    """How many bytes a chunk unpacks to; not much more than the most are ever unpacked."""
    for kind in reversed(filters):
        if kind == h5py.h5z.FILTER_DEFLATE:
            stream = zlib.decompressobj()
            try:
                packed = stream.decompress(packed, most + _PACKED_MARGIN)
            except zlib.error:
                return -1
            if not stream.eof:
                return -1
        elif kind == h5py.h5z.FILTER_FLETCHER32:
            if len(packed) < _CHECKSUM_BYTES:
                return -1
            packed = packed[:-_CHECKSUM_BYTES]
    return len(packed)
