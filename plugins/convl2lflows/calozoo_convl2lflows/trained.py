"""Trained ConvL2LFlows in torch, as training uses it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_convl2lflows.cells import CellFlows
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedConvL2LFlows"]


@dataclass(frozen=True, eq=False)
class TrainedConvL2LFlows(TrainedModel):
    """Flows and configuration of a trained ConvL2LFlows.

    Arguments:
        config: Sizes, grid and calibration.
        energies: Flow of the layer energies.
        subcells: Flow that splits cells.
        cells: Flows of the cells.
    """

    schema = ConvL2LConfig

    config: ConvL2LConfig
    energies: LayerEnergies
    subcells: SubCellFlow
    cells: CellFlows

    @classmethod
    def untrained(cls, config: ConvL2LConfig) -> TrainedConvL2LFlows:
        return cls(
            config,
            LayerEnergies(config.grid.layers, config.energies),
            SubCellFlow(config.grid, config.subcells),
            CellFlows(config.grid, config.cells),
        )
