"""A guard against a fault of the HDF5 library: some damaged files make it loop for ever."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

__all__ = ["has_endless_heap"]

_COLLECTION = b"GCOL\x01"
_HEADER_BYTES = 16


def has_endless_heap(path: Path) -> bool:
    """Whether the library would never come to the end of a heap of texts in this file.

    The texts of a file's attributes lie in heaps without a checksum. The library walks a heap from
    object to object; free space that claims to be 0 bytes long keeps it where it is.

    References:
        | HDF5 file format specification, section III.E: Disk Format: Global Heap

    Arguments:
        path: An HDF5 file.
    """
    if path.stat().st_size == 0:  # which cannot be mapped
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_COLLECTION)
        while start >= 0:
            if _is_endless(data, start):
                return True
            start = data.find(_COLLECTION, start + 1)
    return False


def _is_endless(data: mmap.mmap, start: int) -> bool:
    if start + _HEADER_BYTES > len(data):
        return False
    end = min(start + struct.unpack_from("<Q", data, start + 8)[0], len(data))
    at = start + _HEADER_BYTES
    while at + _HEADER_BYTES <= end:
        index, size = struct.unpack_from("<H6xQ", data, at)
        # Free space counts its header in its length, an object does not.
        step = size if index == 0 else _HEADER_BYTES + (size + 7) // 8 * 8
        if step == 0 or step >= 2**63:  # in 64 bits, such a step may lead back
            return True
        at += step
    return False
