"""Calibration of the rings of a CaloINN on clumps, as its weights hold it."""

from __future__ import annotations

from typing import NamedTuple

from calozoo_caloinn.config import CaloInnConfig
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, TensorLayout, zeros

__all__ = ["RingTables"]


class RingTables(NamedTuple):
    """Calibration of the flows.

    Arguments:
        threshold: Energy below which a ring of the core is empty, in MeV, shape (layers x rings,).
        calibration: Factor on the energy of each ring of the core, shape (layers x rings,).
    """

    threshold: Float32Array
    calibration: Float32Array

    @classmethod
    def layout(cls, flows: CaloInnConfig) -> Layout:
        """Layout of the tables of a configuration."""
        cells = flows.codec.layers * flows.rings.number
        return {"threshold": TensorLayout.table(cells), "calibration": TensorLayout.table(cells)}

    @classmethod
    def zeros(cls, flows: CaloInnConfig) -> RingTables:
        """Empty tables of a configuration."""
        return cls(**zeros(cls.layout(flows)))
