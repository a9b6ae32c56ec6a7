"""The two files a model's weights live in: config.json and model.safetensors. Never pickle."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from pydantic import BaseModel, ValidationError

from calozoo_core.errors import WeightsError
from calozoo_core.io.array_file import (
    HeaderError,
    TensorClaim,
    array_file_bytes,
    read_array,
    read_header,
    shown,
    strict_json,
)
from calozoo_core.io.atomic import atomic_path, copy_bytes, kept_folder
from calozoo_core.io.file_faults import instead_of_file, system_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = [
    "CONFIG_FILE",
    "TENSORS_FILE",
    "WEIGHT_FILES",
    "read_arrays",
    "read_config",
    "read_tensors",
    "sha256",
    "write_config",
    "write_weights",
]

CONFIG_FILE = "config.json"
TENSORS_FILE = "model.safetensors"
WEIGHT_FILES = (CONFIG_FILE, TENSORS_FILE)

MAX_CONFIG_BYTES: Final = 1 << 20

_PART: Final = 1 << 18
"""Values checked together, so that the check takes little memory."""

_AGAIN: Final = "train, convert or copy it again"

Config = TypeVar("Config", bound=BaseModel)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_config(folder: Path, schema: type[Config]) -> Config:
    """The model's configuration, checked against its schema.

    Arguments:
        folder: Holds `config.json`.
        schema: A pydantic model; give it `extra="forbid"` and bounds on every size, since tensors
            of these sizes are allocated next.

    Raises:
        WeightsError: If the file is missing, larger than 1 MiB, not JSON, or not of this schema.
    """
    path = folder / CONFIG_FILE
    with _opened(path) as file:
        content = file.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        msg = f"{path} is larger than {MAX_CONFIG_BYTES} bytes, which no configuration is."
        raise WeightsError(msg)
    try:
        text = content.decode("utf-8")
        strict_json(text)
        # Strictly: else the text "nan" would be taken for a number.
        return schema.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = shown(".".join(str(part) for part in first["loc"])) if first["loc"] else "the top"
        reason = first["msg"].rstrip(".")
        msg = f"{path} is not this model's configuration: {reason} at {place}."
        raise WeightsError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not proper JSON ({_reason(error)}); {_AGAIN}."
        raise WeightsError(msg) from error


def read_tensors(
    folder: Path,
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, Tensor]:
    """The model's tensors as `read_arrays` checks and returns them, as tensors of torch.

    Raises:
        WeightsError: As `read_arrays`.
    """
    import torch

    arrays = read_arrays(folder, shapes, dtypes)
    return {name: torch.tensor(array) for name, array in arrays.items()}


def read_arrays(
    folder: Path,
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, NDArray[Any]]:
    """The model's tensors as arrays, in the shapes and types its configuration calls for.

    The header is read and compared before any tensor is, so a file that claims absurd sizes costs
    nothing.

    Arguments:
        folder: Holds `model.safetensors`.
        shapes: The shape of every tensor the model has, by name.
        dtypes: The type of those that are not "float32", by name: "int64", "bool", ...

    Raises:
        WeightsError: If the file is missing, truncated, lacks a tensor, has one too many, or one of
            another shape or type, or holds a value that is not finite.
    """
    import numpy as np

    path = folder / TENSORS_FILE
    with _opened(path) as file:
        try:
            claims = _checked_claims(file, path, shapes, dtypes or {})
            arrays = {name: read_array(file, claim) for name, claim in claims}
        except HeaderError as error:
            msg = f"{path} {error}; {_AGAIN}."
            raise WeightsError(msg) from error
    for name, array in arrays.items():
        flat = array.reshape(-1)
        parts = range(0, len(flat), _PART) if array.dtype.kind == "f" else ()
        if not all(np.isfinite(flat[start : start + _PART]).all() for start in parts):
            msg = f"{path} holds a value in {shown(name)} that is not a finite number."
            raise WeightsError(msg)
    return arrays


def write_weights(
    folder: Path, config: BaseModel, tensors: Mapping[str, NDArray[Any]] | Mapping[str, Tensor]
) -> None:
    """Write `config.json` and `model.safetensors`, whole or not at all.

    Arguments:
        folder: Where to.
        config: The configuration.
        tensors: Arrays, or tensors of torch, by name.

    Raises:
        WeightsError: If the folder cannot be written to.
    """
    import numpy as np
    from safetensors import SafetensorError

    arrays = {name: np.asarray(_on_cpu(tensor), order="C") for name, tensor in tensors.items()}
    try:
        with kept_folder(folder), _parts(folder) as (config_part, tensors_part):
            # Python writes it, so that it is as open to others as any new file of this user.
            tensors_part.write_bytes(array_file_bytes(arrays, ("format", "pt")))
            _write_json(config_part, config)
    except (OSError, SafetensorError) as error:
        msg = f"The weights cannot be written to {folder} ({_reason(error)}); choose another."
        raise WeightsError(msg) from error


def write_config(folder: Path, config: BaseModel, source: Path) -> None:
    """Write the weights of another folder with a new `config.json`, whole or not at all.

    Arguments:
        folder: Where to.
        config: The new configuration, for the same tensors.
        source: Holds `model.safetensors`, which is copied byte for byte.

    Raises:
        WeightsError: If a file cannot be read or written.
    """
    try:
        with kept_folder(folder), _parts(folder) as (config_part, tensors_part):
            with _opened(source / TENSORS_FILE):  # or it is refused
                copy_bytes(source / TENSORS_FILE, tensors_part)
            _write_json(config_part, config)
    except OSError as error:
        msg = f"The weights cannot be written to {folder} ({_reason(error)}); choose another."
        raise WeightsError(msg) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading; a pipe or a device would never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            msg = f"{path} is not a file; {_AGAIN}."
            raise WeightsError(msg)
        instead = instead_of_file(path)
        if instead is not None:
            msg = f"{path} {instead}"
            raise WeightsError(msg)
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        names = " and ".join(WEIGHT_FILES)
        msg = f"There is no file {path}; give a folder of weights, with {names}."
        raise WeightsError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({_reason(error)})."
        raise WeightsError(msg) from error


def _checked_claims(
    file: BinaryIO, path: Path, shapes: Mapping[str, Sequence[int]], dtypes: Mapping[str, str]
) -> list[tuple[str, TensorClaim]]:
    """Claims of a header in the order of the file, refused if they are not for these tensors."""
    claims = read_header(file)
    for name, shape in shapes.items():
        if name not in claims:
            msg = f"{path} lacks the tensor {shown(name)}; it was written for another model."
            raise WeightsError(msg)
        claim, dtype = claims[name], dtypes.get(name, "float32")
        if claim.shape != list(shape):
            found = shown(claim.shape)
            msg = f"{path} has {shown(name)} in shape {found}, and the model needs {list(shape)}."
            raise WeightsError(msg)
        if claim.dtype != dtype:
            msg = f"{path} has {shown(name)} as {claim.dtype}, and the model needs {dtype}."
            raise WeightsError(msg)
    extra = sorted(claims.keys() - shapes.keys())
    if extra:
        msg = f"{path} has a tensor {shown(extra[0])} that the model does not know."
        raise WeightsError(msg)
    return sorted(claims.items(), key=lambda item: item[1].begin)


@contextmanager
def _parts(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Paths to write both files to, which get their names when both are complete."""
    with atomic_path(folder / TENSORS_FILE) as tensors, atomic_path(folder / CONFIG_FILE) as config:
        yield config, tensors


def _write_json(path: Path, config: BaseModel) -> None:
    path.write_bytes((config.model_dump_json(indent=2) + "\n").encode())


def _on_cpu(tensor: Any) -> Any:
    """An array as it is, a tensor of torch off its device and without its gradient."""
    return tensor.detach().cpu() if hasattr(tensor, "detach") else tensor


def _reason(error: Exception) -> str:
    return system_reason(error) or str(error).rstrip(".")
