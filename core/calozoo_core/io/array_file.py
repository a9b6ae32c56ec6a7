"""File of named arrays in the format safetensors, with a description and a hash. Never pickle.

References:
    | Format: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from calozoo_core.errors import CalozooError
from calozoo_core.io.atomic import write_atomic
from calozoo_core.io.file_faults import instead_of_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HeaderError",
    "TensorClaim",
    "array_file_bytes",
    "read_array",
    "read_array_file",
    "read_header",
    "shown",
    "strict_json",
    "write_array_file",
]

MAX_HEADER_BYTES: Final = 2 << 20  # of some twenty thousand tensors

_METADATA: Final = "calozoo"
"""Key of the description and the hash in the header."""

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
    """Fault of a file of arrays, as the end of a sentence that begins with the file's name."""


@dataclass(frozen=True)
class TensorClaim:
    """Claim of a header about one tensor: type, shape, and its bytes behind the header."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


def write_array_file(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], description: str
) -> None:
    """Write arrays and what describes them to a file, which is complete or not there.

    The same arrays and description give the same bytes.

    Arguments:
        path: The file; one that is there is replaced.
        arrays: Arrays by name.
        description: Text that says what they are.

    Raises:
        OSError: If the file cannot be written.

    Example:
        >>> import numpy as np
        >>> file = getfixture("tmp_path") / "a.safetensors"
        >>> write_array_file(file, {"n_hits": np.array([3, 5], np.uint8)}, "two showers")
        >>> read_array_file(file)
        ({'n_hits': array([3, 5], dtype=uint8)}, 'two showers')
    """
    metadata = {"description": description, "sha256": _digest(arrays, description)}
    write_atomic(path, array_file_bytes(arrays, (_METADATA, json.dumps(metadata))))


def read_array_file(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Arrays by name of a file of `write_array_file`, and what describes them.

    Raises:
        OSError: If the file cannot be read.
        CalozooError: If it is damaged, or another file.
    """
    instead = instead_of_file(path)
    if instead is not None:
        msg = f"{path} {instead}"
        raise CalozooError(msg)
    try:
        with path.open("rb") as file:
            claims, metadata = _header(file)
            description, digest = _described(metadata)
            in_order = sorted(claims.items(), key=lambda item: item[1].begin)
            arrays = {name: read_array(file, claim) for name, claim in in_order}
        if _digest(arrays, description) != digest:
            msg = "is damaged: its content does not have the hash that it should"
            raise HeaderError(msg)
    except HeaderError as error:
        msg = f"{path} {error}."
        raise CalozooError(msg) from error
    return arrays, description


def array_file_bytes(arrays: Mapping[str, NDArray[Any]], metadata: tuple[str, str]) -> bytes:
    """Bytes of a file of arrays.

    Arguments:
        arrays: Arrays by name, in the order of C.
        metadata: Key and text. There is one only: several would be written in random order, and
            identical arrays would hash differently.

    Raises:
        SafetensorError: If an array has a type that the format lacks.
    """
    from safetensors.numpy import save

    return bytes(save(dict(arrays), metadata=dict([metadata])))


def read_array(file: BinaryIO, claim: TensorClaim) -> NDArray[Any]:
    """The next array of a file, read to where it stays.

    Not mapped: a disk that fails under a mapping ends the process. Nor read as a whole first, which
    would take the memory of the arrays twice.

    Arguments:
        file: At the beginning of the array.
        claim: What the header says of it.

    Raises:
        HeaderError: If the file ends before.
    """
    import numpy as np

    content = np.empty(claim.end - claim.begin, np.uint8)
    if file.readinto(content.data) != len(content):  # type: ignore[attr-defined]
        msg = "was cut short"
        raise HeaderError(msg)
    return content.view(np.dtype(claim.dtype).newbyteorder("<")).reshape(claim.shape)


def read_header(file: BinaryIO) -> dict[str, TensorClaim]:
    """Header of a safetensors file, checked to be possible and to fill the file exactly.

    Arguments:
        file: At its beginning.

    Raises:
        HeaderError: If the header cannot be read, is larger than 2 MiB, names a tensor twice, or
            its tensors overlap, leave gaps, or do not end where the file does.
    """
    return _header(file)[0]


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


def _described(metadata: Any) -> tuple[str, str]:
    """Description and hash of a file of arrays, from its metadata."""
    try:
        found = strict_json(metadata[_METADATA])
        description, digest = found["description"], found["sha256"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        msg = "is no file of arrays that calozoo wrote"
        raise HeaderError(msg) from error
    return str(description), str(digest)


def _digest(arrays: Mapping[str, NDArray[Any]], description: str) -> str:
    """Hash of a description, and of arrays with their names, types and shapes."""
    digest = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _header(file: BinaryIO) -> tuple[dict[str, TensorClaim], Any]:
    """Claims by name, and the metadata, of which nothing is checked."""
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
    metadata = header.pop("__metadata__", None)
    claims = {name: _claim(name, entry) for name, entry in header.items()}
    _check_layout(claims.values(), size - 8 - length)
    return claims, metadata


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
