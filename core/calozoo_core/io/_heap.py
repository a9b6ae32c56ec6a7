"""A guard against faults of the HDF5 library: damaged texts make it loop, or take all memory."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final

__all__ = ["has_endless_text"]

_COLLECTION: Final = b"GCOL\x01"
_HEADER_BYTES: Final = 16
_MAX_TEXT_BYTES: Final = 1 << 16
_MAX_HEAPS: Final = 64
_VIRTUAL_LAYOUT: Final = (b"\x03\x03", b"\x04\x03")
"""What stands before the address of the heap where a virtual data set says where its values are.

As a length it would be 51 MB, which the library may take; such data sets are refused later.
"""


def has_endless_text(path: Path) -> bool:
    """Whether the library would never come to the end of a text of this file, or take gigabytes.

    The texts of a file's attributes lie in heaps without a checksum. The library walks a heap from
    object to object; free space that claims to be 0 bytes long keeps it where it is. An attribute
    says where its text is, and how long; the library takes that much memory before it looks.

    References:
        | HDF5 file format specification, section III.E: Disk Format: Global Heap

    Arguments:
        path: An HDF5 file.
    """
    if path.stat().st_size == 0:  # which cannot be mapped
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        heaps, start = 0, data.find(_COLLECTION)
        while start >= 0:
            heaps += 1
            # Ours have one heap; others need few, and each costs a look at the whole file.
            if heaps > _MAX_HEAPS or _is_endless(data, start) or _is_far_too_long(data, start):
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


def _is_far_too_long(data: mmap.mmap, start: int) -> bool:
    """Whether anything refers to an object of this heap as one of more bytes than a text has.

    A reference is a length, the address of the heap, and a number from 1 to 65535. Something else
    that looks so would have to hold the address by chance, between two such numbers.
    """
    address = start.to_bytes(8, "little")
    at = data.find(address, 4)
    while at >= 0 and at + 12 <= len(data):
        length, number = struct.unpack_from("<I8xI", data, at - 4)
        is_layout = data[at - 2 : at] in _VIRTUAL_LAYOUT
        if length > _MAX_TEXT_BYTES and 0 < number < 1 << 16 and not is_layout:
            return True
        at = data.find(address, at + 1)
    return False
