"""Refinement: the correction of one model's showers, with its configuration and weight files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from calozoo_core.errors import WeightsError
from calozoo_core.generator import Conditions
from calozoo_core.observables.tails import TAIL_OBSERVABLES
from calozoo_core.specs import RepresentationName
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import AnyFloatArray
from calozoo_core.weights import read_arrays, read_config, write_weights
from calozoo_refine.density_ratio import N_INPUTS, DensityRatio
from calozoo_refine.importance_weights import ImportanceWeights, Mode, Regularisation
from calozoo_refine.quantile_transport import (
    N_TERMS,
    QUANTILES,
    TRANSPORTED,
    ConditionalScaling,
    IncidentRange,
    QuantileTransport,
)

__all__ = [
    "ReferenceRecord",
    "Refinement",
    "RefinementConfig",
    "read_refinement",
    "write_refinement",
]

MAX_STEPS: Final = 100

Pair = tuple[float, float]
Arrays = dict[str, AnyFloatArray]


class ReferenceRecord(StrictModel):
    """Reference showers that a refinement was fitted to.

    Arguments:
        files: Names of the files.
        sha256: Digest of each file.
        generators: Generator of each file.
        n_fitted: Number of showers in the fit.
        n_held_out: Number of showers that were held out for the evaluation.
    """

    files: tuple[str, ...]
    sha256: tuple[str, ...]
    generators: tuple[str, ...]
    n_fitted: int = Field(ge=1)
    n_held_out: int = Field(ge=0)


class RefinementConfig(StrictModel):
    """Contents of a refinement's `config.json`.

    Arguments:
        kind: Marks the file as that of a refinement.
        base: Name of the model whose showers are corrected.
        representation: Representation of the showers.
        detector: Detector of the showers.
        conditions: Primaries that both the model and the reference cover.
        mode: Use of the density ratio.
        moves: Showers are transported first.
        steps: Steps of a Metropolis-Hastings chain.
        power: Power to which the ratio is taken; 0 without one.
        cap: Largest weight.
        networks: Number of networks; 0 without a density ratio.
        width: Width of each network.
        calibration: Slope and offset from the mean output to the logarithm of the ratio.
        energy_nodes: Number of energies at which mean weights are 1.
        log_energy: Centre and half width of the range of ln(E / GeV).
        slant: Centre and half width of the range of 1 / cos(theta).
        acceptance: Part of the proposed showers that are kept.
        ess: Effective sample size over the number of showers, if they are weighted.
        clipped: Part of the showers whose weight is the cap.
        seed: Seed of the fit.
        reference: Reference showers of the fit.
        fingerprint: Visible energies of a few of the model's showers, in MeV, by which other
            weights of the model are recognised.
    """

    kind: Literal["calozoo-refinement"] = "calozoo-refinement"
    base: str
    representation: RepresentationName
    detector: str
    conditions: Conditions
    mode: Mode
    moves: bool
    steps: int = Field(ge=1, le=MAX_STEPS)
    power: float = Field(ge=0, le=1)
    cap: float = Field(ge=1)
    networks: int = Field(ge=0, le=100)
    width: int = Field(ge=1, le=4096)
    calibration: Pair
    energy_nodes: int = Field(ge=0, le=100)
    log_energy: Pair
    slant: Pair
    acceptance: float = Field(gt=0, le=1)
    ess: float = Field(gt=0, le=1.0000001)
    clipped: float = Field(ge=0, le=1)
    seed: int = Field(ge=0)
    reference: ReferenceRecord
    fingerprint: Annotated[tuple[float, ...], Field(max_length=100)]


@dataclass(frozen=True, eq=False)
class Refinement:
    """Correction of a model's showers.

    Arguments:
        config: Everything that is not a tensor.
        transport: Quantile transport of the showers; None without one.
        density_ratio: Ratio of Geant4's density to that of the transported showers; None if
            there is no difference worth correcting.
        weights: Importance weights from the ratio; None without one.
    """

    config: RefinementConfig
    transport: QuantileTransport | None
    density_ratio: DensityRatio | None
    weights: ImportanceWeights | None


def write_refinement(folder: Path, refinement: Refinement) -> None:
    """Write `config.json` and `model.safetensors`, whole or not at all.

    Raises:
        WeightsError: If the folder cannot be written to.
    """
    write_weights(folder, refinement.config, _to_arrays(refinement))


def read_refinement(folder: Path) -> Refinement:
    """Refinement in a folder with `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If the files are damaged, or are not those of a refinement.
    """
    config = read_config(folder, RefinementConfig)
    shapes = _shapes(config)
    dtypes = {name: "float64" for name in shapes if not name.startswith("network.")}
    arrays = read_arrays(folder, shapes, dtypes)
    if config.moves and not _is_sorted(arrays["transport.generated_nodes"]):
        msg = f"{folder} holds quantiles that do not rise; refine the model again."
        raise WeightsError(msg)
    return _from_arrays(config, arrays)


def _is_sorted(nodes: AnyFloatArray) -> bool:
    return bool((np.diff(nodes, axis=0) >= 0).all())


def _to_arrays(refinement: Refinement) -> Arrays:
    """Arrays of a refinement by the names of their tensors."""
    arrays: Arrays = {}
    transport, ratio, weights = (
        refinement.transport,
        refinement.density_ratio,
        refinement.weights,
    )
    if transport is not None:
        arrays |= _scaling_arrays("transport.generated", transport.generated)
        arrays |= _scaling_arrays("transport.reference", transport.reference)
        arrays["transport.generated_nodes"] = transport.generated_nodes
        arrays["transport.reference_nodes"] = transport.reference_nodes
    if ratio is not None and weights is not None:
        arrays |= _scaling_arrays("trend", ratio.scaling)
        for k, layers in enumerate(ratio.networks):
            arrays |= {f"network.{k}.{i}": layer for i, layer in enumerate(layers)}
        arrays |= {"weights.log_energy": weights.log_energy, "weights.log_mean": weights.log_mean}
    return arrays


def _scaling_arrays(name: str, scaling: ConditionalScaling) -> Arrays:
    return {f"{name}.mean": scaling.mean, f"{name}.log_spread": scaling.log_spread}


def _shapes(config: RefinementConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that a configuration implies."""
    shapes: dict[str, tuple[int, ...]] = {}
    if config.moves:
        for side in ("generated", "reference"):
            for part in ("mean", "log_spread"):
                shapes[f"transport.{side}.{part}"] = (N_TERMS, len(TRANSPORTED))
            shapes[f"transport.{side}_nodes"] = (len(QUANTILES), len(TRANSPORTED))
    if config.networks:
        for part in ("mean", "log_spread"):
            shapes[f"trend.{part}"] = (N_TERMS, len(TAIL_OBSERVABLES))
        for name in ("log_energy", "log_mean"):
            shapes[f"weights.{name}"] = (config.energy_nodes,)
    sizes = (N_INPUTS, config.width, config.width, 1)
    for k in range(config.networks):
        for i in range(3):
            shapes[f"network.{k}.{2 * i}"] = (sizes[i + 1], sizes[i])
            shapes[f"network.{k}.{2 * i + 1}"] = (sizes[i + 1],)
    return shapes


def _from_arrays(config: RefinementConfig, arrays: Arrays) -> Refinement:
    """Inverse of `_to_arrays`."""
    incident_range = IncidentRange(config.log_energy, config.slant)

    def scaling(name: str) -> ConditionalScaling:
        mean, log_spread = (arrays[f"{name}.{part}"] for part in ("mean", "log_spread"))
        return ConditionalScaling(
            incident_range, mean.astype(np.float64), log_spread.astype(np.float64)
        )

    transport = ratio = weights = None
    if config.moves:
        nodes = (arrays[f"transport.{side}_nodes"] for side in ("generated", "reference"))
        transport = QuantileTransport(
            scaling("transport.generated"),
            scaling("transport.reference"),
            *(node.astype(np.float64) for node in nodes),
        )
    if config.networks:
        networks = tuple(
            tuple(arrays[f"network.{k}.{i}"].astype(np.float32) for i in range(6))
            for k in range(config.networks)
        )
        ratio = DensityRatio(scaling("trend"), networks, config.calibration)
        weights = ImportanceWeights(
            Regularisation(config.power, config.cap),
            arrays["weights.log_energy"].astype(np.float64),
            arrays["weights.log_mean"].astype(np.float64),
        )
    return Refinement(config, transport, ratio, weights)
