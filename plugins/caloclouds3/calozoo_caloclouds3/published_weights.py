"""Published weights: conversion of the authors' point network."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from calozoo_caloclouds3.config import (
    Calibration,
    PointFeatures,
    PointsConfig,
)
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.trained import TrainedCaloClouds3
from calozoo_core.errors import WeightsError

__all__ = ["convert", "published_points", "renamed"]

PREFIX = "diffusion.inner_model."
NAMES = {
    "_layer.": "layer.",
    "_hyper_gate.": "gate.",
    "_hyper_bias.": "bias.",
    "timestep_embed.0.weight": "frequencies",
    "timestep_embed.1.": "embed.",
}


#: Errors of reading a file that is not theirs.
_UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


class _Configs:
    """Stands in for the settings object that the authors' checkpoints carry along; never read."""


def convert(source: Path, out: Path) -> Path:
    """Write a model with the published point network and our ShowerFlow.

    The authors' flow is not published with their code, and its weights would mean nothing without
    the permutations their global seed once gave; so the layers come from the flow of this package,
    and their points from the published network.

    Arguments:
        source: Their checkpoint (`.pt`), or a safetensors file with the same names.
        out: Folder for `config.json` and `model.safetensors`.

    Returns:
        The folder.

    Raises:
        WeightsError: If the file is not theirs.
    """
    net = published_points(source)
    with as_file(files("calozoo_caloclouds3") / "weights" / "ild-photon") as bundled:
        ours = TrainedCaloClouds3.read(bundled)
    config = ours.config.model_copy(
        update={
            "points": PointsConfig(),
            # Trained on GeV with the constants of MeV: its energies come out in GeV.
            "features": PointFeatures(energy_unit_mev=1000.0),
            "calibration": Calibration(
                n_points=ours.config.calibration.n_points,
                energy=ours.config.calibration.energy,
                position=1.04,
                fitted_on="points: the authors' own factor; layers: as bundled",
            ),
        }
    )
    TrainedCaloClouds3(config, ours.flow, net).write(out)
    return out


def published_points(source: Path) -> PointWiseNet:
    """The authors' point network, in the published sizes.

    Raises:
        WeightsError: If the file is not theirs.
    """
    net = PointWiseNet(PointsConfig())
    expected = net.state_dict()
    found = renamed(_read(source))
    for name, tensor in expected.items():
        if name not in found or found[name].shape != tensor.shape:
            msg = f"{source} is not the published point network: {name} is missing or misshapen."
            raise WeightsError(msg)
    net.load_state_dict({name: found[name].float() for name in expected})
    return net.eval().requires_grad_(False)


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the authors' network under our names."""
    ours = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(PREFIX)
        for theirs, own in NAMES.items():
            short = short.replace(theirs, own)
        ours[short] = tensor
    return ours


def _read(source: Path) -> Mapping[str, Tensor]:
    if not source.is_file():
        msg = f"There is no file {source}."
        raise WeightsError(msg)
    try:
        if source.suffix == ".safetensors":
            return load_file(source)
        # Tensors and plain containers only: a checkpoint that wants to run code is refused.
        with torch.serialization.safe_globals([(_Configs, "configs.Configs")]):
            checkpoint = torch.load(source, map_location="cpu", weights_only=True)
        tensors: Mapping[str, Tensor] = checkpoint["others"]["model_ema"]
    except _UNREADABLE as error:
        msg = f"{source} is not one of the authors' checkpoints."
        raise WeightsError(msg) from error
    return tensors
