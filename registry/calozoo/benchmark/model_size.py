"""How big a model is: its parameters, and the bytes of its weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

from calozoo_core.generator import Generator
from calozoo_core.weights import TENSORS_FILE, WEIGHT_FILES, sha256

__all__ = ["count_parameters", "weights_bytes", "weights_sha256"]


def count_parameters(generator: Generator, folder: Path | None) -> int | None:
    """How many numbers were trained.

    What the generator says of itself, as its attribute `parameters`; or what the torch modules hold
    that it keeps; or, of a model that computes without torch, all floats of its weights file.

    Arguments:
        generator: The model.
        folder: Of its weights; None if it has none.
    """
    said = getattr(generator, "parameters", None)
    if isinstance(said, int):
        return said
    if folder is None:
        return None
    parts = [p for p in vars(generator).values() if callable(getattr(p, "parameters", None))]
    counted = sum(parameter.numel() for part in parts for parameter in part.parameters())
    return counted or _floats_in(folder / TENSORS_FILE)


def weights_bytes(folder: Path | None) -> int | None:
    """Size of the weights file; None if there is none."""
    return None if folder is None else (folder / TENSORS_FILE).stat().st_size


def weights_sha256(folder: Path | None) -> dict[str, str] | None:
    """The sha256 of each weights file, by name; None if there are none."""
    return None if folder is None else {name: sha256(folder / name) for name in WEIGHT_FILES}


def _floats_in(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    return sum(
        math.prod(t["shape"]) for t in tensors if t["dtype"] in ("F64", "F32", "F16", "BF16")
    )
