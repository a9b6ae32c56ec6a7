"""The two files a model's weights live in: config.json and model.safetensors. Never pickle."""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from pydantic import BaseModel, ValidationError

from calozoo_core.errors import WeightsError
from calozoo_core.io.atomic import atomic_path
from calozoo_core.weights.safetensors_header import (
    HeaderError,
    read_header,
    shown,
    strict_json,
)

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
        msg = f"{path} is not proper JSON ({_reason(error)}); pull the model again."
        raise WeightsError(msg) from error


def read_tensors(
    folder: Path,
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, Tensor]:
    """The model's tensors, in the shapes and types its configuration calls for.

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
    path = folder / TENSORS_FILE
    _check_claims(path, shapes, dtypes or {})
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        msg = f"{path} is damaged ({_reason(error)}); pull the model again."
        raise WeightsError(msg) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            msg = f"{path} holds a value in {shown(name)} that is not a finite number."
            raise WeightsError(msg)
    return tensors


def read_arrays(
    folder: Path,
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, NDArray[Any]]:
    """The model's tensors as `read_tensors` checks and returns them, but without torch.

    Arguments:
        folder: Holds `model.safetensors`.
        shapes: The shape of every tensor the model has, by name.
        dtypes: The type of those that are not "float32", by name.

    Raises:
        WeightsError: As `read_tensors`.
    """
    path = folder / TENSORS_FILE
    _check_claims(path, shapes, dtypes or {})
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        msg = f"{path} is damaged ({_reason(error)}); pull the model again."
        raise WeightsError(msg) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not bool(np.isfinite(array).all()):
            msg = f"{path} holds a value in {shown(name)} that is not a finite number."
            raise WeightsError(msg)
    return arrays


def write_weights(folder: Path, config: BaseModel, tensors: Mapping[str, Tensor]) -> None:
    """Write `config.json` and `model.safetensors`, whole or not at all.

    One metadata key only: with several, safetensors writes them in random order, and identical
    weights would hash differently.

    Raises:
        WeightsError: If the folder cannot be written to.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save

    # Clones, since two names for one memory cannot be saved.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _parts(folder) as (config_part, tensors_part):
            # Python writes it, so that it is as open to others as any new file of this user.
            tensors_part.write_bytes(save(copies, metadata={"format": "pt"}))
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
        folder.mkdir(parents=True, exist_ok=True)
        with _parts(folder) as (config_part, tensors_part):
            with _opened(source / TENSORS_FILE) as tensors, tensors_part.open("wb") as copy:
                shutil.copyfileobj(tensors, copy)
            _write_json(config_part, config)
    except OSError as error:
        msg = f"The weights cannot be written to {folder} ({_reason(error)}); choose another."
        raise WeightsError(msg) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading; a pipe or a device would never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            msg = f"{path} is not a file; pull the model again."
            raise WeightsError(msg)
        with path.open("rb") as file:
            yield file
    except OSError as error:
        msg = f"{path} cannot be read ({_reason(error)}); pull the model again."
        raise WeightsError(msg) from error


def _check_claims(
    path: Path, shapes: Mapping[str, Sequence[int]], dtypes: Mapping[str, str]
) -> None:
    """Refuse a file whose header does not claim exactly these tensors."""
    with _opened(path) as file:
        try:
            claims = read_header(file)
        except HeaderError as error:
            msg = f"{path} {error}; pull the model again."
            raise WeightsError(msg) from error
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


@contextmanager
def _parts(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Paths to write both files to, which get their names when both are complete."""
    with atomic_path(folder / TENSORS_FILE) as tensors, atomic_path(folder / CONFIG_FILE) as config:
        yield config, tensors


def _write_json(path: Path, config: BaseModel) -> None:
    path.write_bytes((config.model_dump_json(indent=2) + "\n").encode())


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
