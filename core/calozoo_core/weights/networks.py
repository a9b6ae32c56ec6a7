"""Networks from `model.safetensors`, and the checks most models make before they are built."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.weights.files import read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "check_device",
    "named_tensors",
    "only_float32",
    "only_on_cpu",
    "read_networks",
    "weights_folder",
]


def weights_folder(spec: ModelSpec, folder: str | os.PathLike[str] | None) -> Path:
    """The folder, for a model that cannot do without.

    Raises:
        WeightsError: If there is none.
    """
    if folder is None:
        msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
        raise WeightsError(msg)
    return Path(folder)


def check_device(device: str) -> None:
    """Refuse a torch device that this machine lacks.

    Raises:
        InputError: If it does.
    """
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        msg = f"The device {device!r} is not available here; use device='cpu'."
        raise InputError(msg, argument="device='cpu'") from error


def only_on_cpu(spec: ModelSpec, device: str) -> None:
    """Refuse any other device, for a model that is so small that nothing would be gained.

    Raises:
        InputError: If another is asked for.
    """
    if device != "cpu":
        msg = f"{spec.name} runs on the CPU only; use device='cpu'."
        raise InputError(msg, argument="device='cpu'")


def only_float32(spec: ModelSpec, precision: Precision | None) -> None:
    """Refuse any other precision.

    Raises:
        InputError: If another is asked for.
    """
    if precision not in (None, "float32"):
        msg = f"{spec.name} computes in float32 only; leave out precision."
        raise InputError(msg, argument="precision")


def read_networks(
    folder: Path,
    networks: Mapping[str, nn.Module],
    tables: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Fill networks from `model.safetensors`, where `PART.NAME` is tensor NAME of network PART.

    Arguments:
        folder: Holds the file.
        networks: The networks by part, on torch's meta device, so that nothing is allocated before
            the file is known to fit; they get the file's tensors.
        tables: Further tensors of the file by their whole names, on the meta device as well.

    Returns:
        The tables of the file, by their whole names.

    Raises:
        WeightsError: If the file is damaged, or does not fit.
    """
    tables = tables or {}
    expected = {**named_tensors(networks), **tables}
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    dtypes = {name: str(t.dtype).removeprefix("torch.") for name, t in expected.items()}
    tensors = read_tensors(folder, shapes, dtypes)
    for part, network in networks.items():
        own = {name: tensors[f"{part}.{name}"] for name in network.state_dict()}
        network.load_state_dict(own, assign=True)
        network.eval().requires_grad_(requires_grad=False)
    return {name: tensors[name] for name in tables}


def named_tensors(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """The tensors of networks, as `read_networks` reads them back."""
    return {
        f"{part}.{name}": tensor
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
