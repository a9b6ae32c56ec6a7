"""Guards against faults of the HDF5 library in damaged files.

Chunks: the library trusts a packed chunk to have its size. One that unpacks to fewer bytes makes it
read memory that is not the chunk's, and so crash or hand out what lies there; one that unpacks to
more takes any amount of memory. Texts: damaged ones make it loop, or take all memory. Names of a
group: a list of free space that comes back to where it was takes all memory.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import h5py
from numpy.typing import NDArray

__all__ = ["LZF", "LayoutError", "Table", "has_endless_names", "has_endless_text"]

LZF: Final = 32000
"""Number of the filter that h5py brings beside HDF5's own."""

_CHECKSUM_BYTES: Final = 4
_PACKED_MARGIN: Final = 1 << 10  # what packing may add to bytes that cannot be packed, and more

_COLLECTION: Final = b"GCOL\x01"
_HEADER_BYTES: Final = 16
_MAX_TEXT_BYTES: Final = 1 << 16
_MAX_HEAPS: Final = 64
_BLOCK_BYTES: Final = 1 << 23
_VIRTUAL_LAYOUT: Final = (b"\x03\x03", b"\x04\x03")
"""Bytes before the address of the heap in which a virtual data set names the files of its values.

As a length it would be 51 MB, which the library may take; such data sets are refused later.
"""

_CHUNK_INDEX: Final = b"\x04\x20\x04\x04\x10\x0a"
"""Bytes before the address of the index of chunks of a data set that can grow.

It says how the index grows; in front of a text it would be a dataspace of impossible size.
"""

_SHORTEST_NAME, _LONGEST_NAME = 3, 255

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_NAMES: Final = b"HEAP\x00"
_NAMES_HEADER_BYTES: Final = 32
_END_OF_LIST: Final = 1
_MAX_FREE: Final = 1 << 16
"""Pieces of free space among the names of all groups, which ours have one of each."""


class LayoutError(Exception):
    """Fault of a file's layout, as a clause that fits into brackets."""


class Table:
    """A data set that is read chunk by chunk, each looked at before the library unpacks it.

    Arguments:
        name: As messages call it.
        data: The data set; its filters are among deflate, LZF, shuffle and Fletcher's checksum.

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


def has_endless_text(path: Path) -> bool:
    """True if a text of this file would make the library loop for ever, or take gigabytes.

    The texts of a file's attributes lie in heaps without a checksum. The library walks a heap from
    object to object; free space that claims to be 0 bytes long keeps it where it is. An attribute
    says where its text is, and how long; the library takes that much memory before it looks.

    References:
        | HDF5 file format specification, section III.E: Disk Format: Global Heap

    Arguments:
        path: An HDF5 file.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        data = _FileBytes(file)
        heaps, start = 0, data.find(_COLLECTION, 0)
        while start >= 0:
            heaps += 1
            # Ours have one heap; others need few, and each costs a look at the whole file.
            if heaps > _MAX_HEAPS or _is_endless(data, start) or _is_far_too_long(data, start):
                return True
            start = data.find(_COLLECTION, start + 1)
    return False


def has_endless_names(path: Path) -> bool:
    """True if the free space between the names of a group has no end.

    In the oldest format the names of a group lie in a heap without a checksum, whose free space is
    a list. The library makes an entry in memory of each piece, also if the list comes back to one
    that it had.

    References:
        | HDF5 file format specification, section III.D: Disk Format: Local Heaps

    Arguments:
        path: An HDF5 file.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        data = _FileBytes(file)
        base = max(data.find(_SIGNATURE, 0), 0)  # where something precedes it
        found, start = 0, data.find(_NAMES, base)
        while start >= 0:
            found += _free_pieces(data, base, start, _MAX_FREE - found)
            if found >= _MAX_FREE:
                return True
            start = data.find(_NAMES, start + 1)
    return False


def _free_pieces(data: _FileBytes, base: int, start: int, most: int) -> int:
    """Pieces of free space in the heap of names there, counted as far as the most.

    Addresses in the file count from the base.
    """
    if start + _NAMES_HEADER_BYTES > len(data):
        return 0
    size, free, address = struct.unpack("<8x3Q", data.read(start, _NAMES_HEADER_BYTES))
    n = 0
    while free != _END_OF_LIST and n < most:
        if free + 16 > size or base + address + free + 16 > len(data):
            break  # which the library refuses by itself
        free = int.from_bytes(data.read(base + address + free, 8), "little")
        n += 1
    return n


class _FileBytes:
    """Bytes of a file, read block by block; the last block is kept.

    A mapping into memory would do the same, but not every file system has one, and a disk that
    fails under it ends the process.

    Arguments:
        file: The open file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._start, self._block = 0, b""

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, n: int) -> bytes:
        """The n bytes from there on, fewer at the end of the file."""
        place = start - self._start
        if not 0 <= place <= len(self._block) - n:
            self._file.seek(start)
            self._start, self._block, place = start, self._file.read(_BLOCK_BYTES), 0
        return self._block[place : place + n]

    def find(self, pattern: bytes, start: int) -> int:
        """Where the pattern is, from there on; -1 if it is nowhere."""
        while start + len(pattern) <= self._size:
            if len(self.read(start, len(pattern))) < len(pattern):
                break  # the file was cut since
            place = self._block.find(pattern, start - self._start)
            if place >= 0:
                return self._start + place
            start = self._start + len(self._block) - len(pattern) + 1
        return -1


def _filters(data: h5py.Dataset) -> list[int]:
    plan = data.id.get_create_plist()
    return [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]


def _unpacked_bytes(packed: bytes, filters: Sequence[int], most: int) -> int:
    """Size of a chunk once unpacked; not much more than the most are ever unpacked."""
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
        elif kind == LZF:  # behind it comes at most shuffle, which keeps the size
            return _lzf_bytes(packed, most)
    return len(packed)


def _lzf_bytes(packed: bytes, most: int) -> int:
    """Size of what LZF packed, once unpacked; -1 if it is no such bytes, or has more than the most.

    Bytes come in runs: up to 32 as they are behind a number below 32, or a length in the upper
    three bits (7 of them: more in the next byte) and how far back they are copied from.
    """
    at = n_bytes = 0
    while at < len(packed) and n_bytes <= most:
        control = packed[at]
        if control < 32:
            at += control + 2
            n_bytes += control + 1
            continue
        length, distance = control >> 5, (control & 31) << 8
        if length == 7:
            at += 1
            length += packed[at] if at < len(packed) else 0
        if at + 1 >= len(packed) or distance + packed[at + 1] >= n_bytes:
            return -1
        at += 2
        n_bytes += length + 2
    return n_bytes if at == len(packed) else -1


def _is_endless(data: _FileBytes, start: int) -> bool:
    if start + _HEADER_BYTES > len(data):
        return False
    end = min(start + struct.unpack("<Q", data.read(start + 8, 8))[0], len(data))
    at = start + _HEADER_BYTES
    while at + _HEADER_BYTES <= end:
        index, size = struct.unpack("<H6xQ", data.read(at, _HEADER_BYTES))
        # Free space counts its header in its length, an object does not.
        step = size if index == 0 else _HEADER_BYTES + (size + 7) // 8 * 8
        if step == 0 or step >= 2**63:  # in 64 bits, such a step may lead back
            return True
        at += step
    return False


def _is_far_too_long(data: _FileBytes, start: int) -> bool:
    """True if anything refers to an object of this heap as one of more bytes than a text has.

    A reference is a length, the address of the heap, and a number from 1 to 65535. Something else
    that looks so would have to hold the address by chance, between two such numbers.
    """
    address = start.to_bytes(8, "little")
    at = data.find(address, 4)
    while at >= 0 and at + 12 <= len(data):
        reference = data.read(at - 4, 16)
        length, number = struct.unpack("<I8xI", reference)
        is_layout = reference[2:4] in _VIRTUAL_LAYOUT
        looks_so = length > _MAX_TEXT_BYTES and 0 < number < 1 << 16 and not is_layout
        if looks_so and not _is_address(data, at - 1):
            return True
        at = data.find(address, at + 1)
    return False


def _is_address(data: _FileBytes, at: int) -> bool:
    """True if the eight bytes from there on are the address of an index of chunks or of an object.

    The upper bytes of such an address, and a zero behind them, look like the address of a heap near
    the beginning of the file.
    """
    if at >= len(_CHUNK_INDEX) and data.read(at - len(_CHUNK_INDEX), 6) == _CHUNK_INDEX:
        return True
    address = int.from_bytes(data.read(at, 8), "little")
    if address + 4 > len(data) or data.read(address, 4) != b"OHDR":
        return False
    # A link is the length of a name, the name, and the address of its object.
    before = data.read(max(at - _LONGEST_NAME - 1, 0), min(at, _LONGEST_NAME + 1))
    return any(
        before[-n - 1] == n and before[-n:].isascii() and before[-n:].decode("ascii").isprintable()
        for n in range(_SHORTEST_NAME, len(before))
    )
