"""Trained models of a shower's core in torch: what those of all such models have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from calozoo_core.clumps.core_config import CoreConfig
from calozoo_core.clumps.core_sampler import tables_layout
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.layout import part, zeros
from calozoo_core.weights.trained_model import TrainedModel

if TYPE_CHECKING:
    from torch import nn

__all__ = ["TrainedCore"]


@dataclass(frozen=True, eq=False)
class TrainedCore(TrainedModel):
    """Networks, tables and configuration of a trained model of a shower's core.

    A model derives a dataclass with a field for each network of the rings, sets `schema`, and
    implements `ring_networks`.

    Arguments:
        config: Sizes, rings and steps.
        energies: Network of the layer energies.
        energy_scale: Standardisation of the layer energies' numbers.
        shape_scale: Standardisation of the rings' numbers.
        calibration: Of the ring energies.
    """

    config: CoreConfig
    energies: VisionTransformer
    energy_scale: Standardisation
    shape_scale: Standardisation
    calibration: RingCalibration

    @classmethod
    @abstractmethod
    def ring_networks(cls, config: Any) -> dict[str, nn.Module]:
        """Untrained networks of the rings, by field.

        Arguments:
            config: An instance of `schema`.
        """

    @classmethod
    def calibrations(cls, config: Any) -> tuple[int, ...]:
        """Number of calibrations, if there are several: those of several networks of the rings.

        Arguments:
            config: An instance of `schema`.
        """
        return ()

    @classmethod
    def untrained(cls, config: Any) -> Self:
        """Model with new networks and empty tables."""
        tables = zeros(tables_layout(config.layers, config.rings, *cls.calibrations(config)))
        networks: dict[str, Any] = {
            "energies": VisionTransformer(config.energies),
            **cls.ring_networks(config),
        }
        return cls(
            config,
            energy_scale=Standardisation(**part(tables, "energy_scale")),
            shape_scale=Standardisation(**part(tables, "shape_scale")),
            calibration=RingCalibration(**part(tables, "calibration")),
            **networks,
        )
