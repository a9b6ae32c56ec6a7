"""A refinement as config.json and model.safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import WeightsError
from calozoo_core.refining.classifier import N_INPUTS, RatioEstimator
from calozoo_core.refining.config import RefinementConfig
from calozoo_core.refining.corrections import Strength, Weights
from calozoo_core.refining.observables import OBSERVABLES
from calozoo_core.refining.transport import MOVED, NODES, Transport
from calozoo_core.refining.trend import N_TERMS, Span, Trend
from calozoo_core.weights import read_config, read_tensors, write_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Refinement", "read_refinement", "write_refinement"]

Arrays = dict[str, NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Refinement:
    """What corrects a model's showers.

    Arguments:
        config: All that is no tensor.
        transport: What moves them; None if nothing does.
        estimator: The ratio of Geant4's density to that of the moved showers; None if there is no
            difference worth correcting.
        weights: From the ratio to weights; None likewise.
    """

    config: RefinementConfig
    transport: Transport | None
    estimator: RatioEstimator | None
    weights: Weights | None


def write_refinement(folder: Path, refinement: Refinement) -> None:
    """Write both files, whole or not at all.

    Raises:
        WeightsError: If the folder cannot be written to.
    """
    import torch

    tensors = {name: torch.from_numpy(np.array(a)) for name, a in _arrays(refinement).items()}
    write_weights(folder, refinement.config, tensors)


def read_refinement(folder: Path) -> Refinement:
    """Read both files.

    Raises:
        WeightsError: If they are damaged, or those of no refinement.
    """
    config = read_config(folder, RefinementConfig)
    shapes = _shapes(config)
    dtypes = {name: "float64" for name in shapes if not name.startswith("network.")}
    tensors = read_tensors(folder, shapes, dtypes)
    if config.moves and not _is_sorted(tensors["transport.generated_nodes"]):
        msg = f"{folder} holds quantiles that do not rise; refine the model again."
        raise WeightsError(msg)
    return _refinement(config, {name: tensor.numpy() for name, tensor in tensors.items()})


def _is_sorted(nodes: Tensor) -> bool:
    return bool((nodes.diff(dim=0) >= 0).all())


def _arrays(refinement: Refinement) -> Arrays:
    arrays: Arrays = {}
    transport, estimator, weights = (
        refinement.transport,
        refinement.estimator,
        refinement.weights,
    )
    if transport is not None:
        arrays |= _of_trend("transport.generated", transport.generated)
        arrays |= _of_trend("transport.reference", transport.reference)
        arrays["transport.generated_nodes"] = transport.generated_nodes
        arrays["transport.reference_nodes"] = transport.reference_nodes
    if estimator is not None and weights is not None:
        arrays |= _of_trend("trend", estimator.trend)
        for k, layers in enumerate(estimator.networks):
            arrays |= {f"network.{k}.{i}": layer for i, layer in enumerate(layers)}
        arrays |= {"weights.log_energy": weights.log_energy, "weights.log_mean": weights.log_mean}
    return arrays


def _of_trend(name: str, trend: Trend) -> Arrays:
    return {f"{name}.mean": trend.mean, f"{name}.log_spread": trend.log_spread}


def _shapes(config: RefinementConfig) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if config.moves:
        for side in ("generated", "reference"):
            for part in ("mean", "log_spread"):
                shapes[f"transport.{side}.{part}"] = (N_TERMS, len(MOVED))
            shapes[f"transport.{side}_nodes"] = (len(NODES), len(MOVED))
    if config.networks:
        for part in ("mean", "log_spread"):
            shapes[f"trend.{part}"] = (N_TERMS, len(OBSERVABLES))
        for name in ("log_energy", "log_mean"):
            shapes[f"weights.{name}"] = (config.energy_nodes,)
    sizes = (N_INPUTS, config.width, config.width, 1)
    for k in range(config.networks):
        for i in range(3):
            shapes[f"network.{k}.{2 * i}"] = (sizes[i + 1], sizes[i])
            shapes[f"network.{k}.{2 * i + 1}"] = (sizes[i + 1],)
    return shapes


def _refinement(config: RefinementConfig, arrays: Arrays) -> Refinement:
    span = Span(config.log_energy, config.slant)

    def trend(name: str) -> Trend:
        mean, log_spread = (arrays[f"{name}.{part}"] for part in ("mean", "log_spread"))
        return Trend(span, mean.astype(np.float64), log_spread.astype(np.float64))

    transport = estimator = weights = None
    if config.moves:
        nodes = (arrays[f"transport.{side}_nodes"] for side in ("generated", "reference"))
        transport = Transport(
            trend("transport.generated"),
            trend("transport.reference"),
            *(node.astype(np.float64) for node in nodes),
        )
    if config.networks:
        networks = tuple(
            tuple(arrays[f"network.{k}.{i}"].astype(np.float32) for i in range(6))
            for k in range(config.networks)
        )
        estimator = RatioEstimator(trend("trend"), networks, config.calibration)
        weights = Weights(
            Strength(config.power, config.cap),
            arrays["weights.log_energy"].astype(np.float64),
            arrays["weights.log_mean"].astype(np.float64),
        )
    return Refinement(config, transport, estimator, weights)
