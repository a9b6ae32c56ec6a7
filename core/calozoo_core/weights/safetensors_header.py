"""The header of a safetensors file, read without trusting it."""

from __future__ import annotations

import json
import math
import os
import reprlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HeaderError", "TensorClaim", "read_header", "shown", "strict_json"]

MAX_HEADER_BYTES: Final = 2 << 20  # of some twenty thousand tensors

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = 80

_TYPES: Final = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
"""Type and bytes by the format's own name of a type."""


class HeaderError(ValueError):
    """Fault of a header, as the end of a sentence that begins with the file's name."""


@dataclass(frozen=True)
class TensorClaim:
    """Claim of a header about one tensor: type, shape, and its bytes behind the header."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


def read_header(file: BinaryIO) -> dict[str, TensorClaim]:
    """Header of a safetensors file, checked to be possible and to fill the file exactly.

    Arguments:
        file: At its beginning.

    Raises:
        HeaderError: If the header cannot be read, is larger than 2 MiB, names a tensor twice, or
            its tensors overlap, leave gaps, or do not end where the file does.
    """
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(8)
    length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
    if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        msg = "is not a safetensors file, or was cut short"
        raise HeaderError(msg)
    try:
        header = strict_json(file.read(length).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        msg = "has a header that is not proper JSON"
        raise HeaderError(msg) from error
    if not isinstance(header, dict):
        msg = "has a header that is not a table of tensors"
        raise HeaderError(msg)
    header.pop("__metadata__", None)
    claims = {name: _claim(name, entry) for name, entry in header.items()}
    _check_layout(claims.values(), size - 8 - length)
    return claims


def shown(value: object) -> str:
    """Content of a file, quoted and short enough for a message: a name may be a megabyte long."""
    return _SHOWN.repr(value)


def strict_json(text: str) -> Any:
    """JSON in which no key comes twice and every number is finite.

    Raises:
        ValueError: If it is not.
        RecursionError: If it is nested absurdly deep.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        msg = "a key comes twice"
        raise ValueError(msg)
    return table


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        msg = f"{text} is not a finite number"
        raise ValueError(msg)
    return number


def _claim(name: str, entry: Any) -> TensorClaim:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        msg = f"describes the tensor {shown(name)} in another way than safetensors does"
        raise HeaderError(msg)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        msg = f"has the tensor {shown(name)} in a type that no model uses"
        raise HeaderError(msg)
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        msg = f"gives the tensor {shown(name)} a size that is not one"
        raise HeaderError(msg)
    known, width = _TYPES[dtype]
    begin, end = offsets
    if end - begin != math.prod(shape) * width:
        msg = f"gives the tensor {shown(name)} another number of bytes than its shape takes"
        raise HeaderError(msg)
    return TensorClaim(known, shape, begin, end)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _check_layout(claims: Iterable[TensorClaim], n_bytes: int) -> None:
    spans = sorted((claim.begin, claim.end) for claim in claims)
    borders = [(0, 0), *spans, (n_bytes, n_bytes)]
    if any(before[1] != after[0] for before, after in pairwise(borders)):
        msg = "has tensors that overlap, leave gaps or were cut short"
        raise HeaderError(msg)
