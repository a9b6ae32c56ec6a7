"""A trained CaloINN as files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.networks import built
from calozoo_caloinn.template import Template, template_shapes
from calozoo_core.weights import read_config, read_tensors, write_weights

__all__ = ["Trained", "read", "write"]


class Trained(NamedTuple):
    """The networks, the template, and what they were built from."""

    config: CaloInnConfig
    networks: nn.ModuleDict
    template: Template


def read(folder: Path) -> Trained:
    """The model of a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged or do not fit each other.
    """
    config = read_config(folder, CaloInnConfig)
    # On the meta device nothing is allocated before the file is known to fit.
    with torch.device("meta"):
        networks = built(config)
    expected = networks.state_dict()
    tables = template_shapes(config.codec, config.rings)
    tensors = read_tensors(
        folder,
        shapes={
            **{f"networks.{name}": tensor.shape for name, tensor in expected.items()},
            **{f"template.{name}": shape for name, shape in tables.items()},
        },
        dtypes={
            f"networks.{name}": str(tensor.dtype).removeprefix("torch.")
            for name, tensor in expected.items()
        },
    )
    own = {name: tensors[f"networks.{name}"] for name in expected}
    networks.load_state_dict(own, assign=True)
    template = Template(**{name: tensors[f"template.{name}"] for name in tables})
    return Trained(config, networks.eval().requires_grad_(False), template)


def write(folder: Path, trained: Trained) -> None:
    """Write `config.json` and `model.safetensors`, each whole or not at all."""
    tensors: dict[str, Tensor] = {
        f"networks.{name}": tensor for name, tensor in trained.networks.state_dict().items()
    }
    tensors |= {f"template.{name}": t for name, t in trained.template.tensors().items()}
    write_weights(folder, trained.config, tensors)
