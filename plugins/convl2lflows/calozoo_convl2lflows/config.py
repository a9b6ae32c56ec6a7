"""Configuration of a model: grid, sizes of the flows, and calibration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = [
    "Calibration",
    "CellsConfig",
    "ConvL2LConfig",
    "EnergyConfig",
    "GridConfig",
    "SubCellsConfig",
    "preset",
]

Width = Annotated[int, Field(ge=1, le=1024)]
Bins = Annotated[int, Field(ge=2, le=64)]
Power = Annotated[float, Field(gt=0, le=1000)]


class GridConfig(StrictModel):
    """Regular grid of sub-cells in a box around the shower axis.

    Arguments:
        layers: Number of layers.
        cells: Number of cells along y'.
        columns: Number of cells along x'; `None` for as many as along y'.
        split: Sub-cells per cell along each axis.
        cell_mm: Pitch of the cells.
        threshold_mev: Least energy of a sub-cell; those with less are empty.
    """

    layers: int = Field(default=30, ge=1, le=256)
    cells: int = Field(default=30, ge=2, le=128)
    columns: int | None = Field(default=None, ge=2, le=128)
    split: int = Field(default=3, ge=1, le=5)
    cell_mm: float = Field(default=5.0883331, gt=0)
    threshold_mev: float = Field(default=1e-3, ge=0)

    @property
    def side(self) -> int:
        """Sub-cells along y'."""
        return self.cells * self.split

    @property
    def shape(self) -> tuple[int, int]:
        """Sub-cells of a layer along y' and x'."""
        return self.side, (self.columns or self.cells) * self.split

    @property
    def pitch_mm(self) -> float:
        """Pitch of the sub-cells."""
        return self.cell_mm / self.split


class EnergyConfig(StrictModel):
    """Sizes of the flow of the layer energies, one small network for all layers.

    Arguments:
        kind: Always "shared".
        hidden: Width of the network.
        bins: Number of bins of the splines.
    """

    kind: Literal["shared"] = "shared"
    hidden: Width = 96
    bins: Bins = 8


class CellsConfig(StrictModel):
    """Sizes of the convolutional flow of the cells of a layer.

    Arguments:
        shared: One flow for all layers instead of one per layer.
        previous: Number of layers before a layer in its condition.
        width: Channels of the convolutions over previous layers.
        hidden: Channels of the couplings' networks.
        condition: Width of the context vector of primary and layer energies.
        maps: Number of learned maps of the box, mixed with weights from the context.
        bins: Number of bins of the splines.
    """

    shared: bool = True
    previous: int = Field(default=3, ge=1, le=8)
    width: Width = 32
    hidden: Width = 32
    condition: Width = 48
    maps: Width = 16
    bins: Bins = 8


class SubCellsConfig(StrictModel):
    """Sizes of the flow that splits a cell into its sub-cells.

    Arguments:
        hidden: Width of the network.
        step: Width of the network of the fractions of rows and sub-cells.
        condition: Width of the context vector of primary and layer energies.
        bins: Number of bins of the splines.
    """

    hidden: Width = 96
    step: Width = 32
    condition: Width = 24
    bins: Bins = 8


class Calibration(StrictModel):
    """Correction of generated showers, fitted after training.

    Arguments:
        spectrum: Pairs of a generated deposit and Geant4's at the same quantile, in MeV, both
            ascending; empty for no correction.
        inward: Powers of the distance to the axis inside the sub-cells next to it, see
            `calibration.moved_inward`; empty for uniform positions.
        fitted_on: Sample it was fitted on, for people.
    """

    spectrum: tuple[tuple[float, float], ...] = Field(default=(), max_length=1024)
    inward: tuple[tuple[Power, ...], ...] = Field(default=(), max_length=16)
    fitted_on: str = "not fitted"


class ConvL2LConfig(StrictModel):
    """Configuration of a trained ConvL2LFlows.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "convl2lflows".
        grid: The grid.
        energies: The flow of the layer energies.
        cells: The flow of the cells.
        subcells: The flow that splits cells.
        voxels: Always `None`; flows of all sub-cells at once are in `studies/convl2lflows`.
        calibration: Correction fitted after training.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["convl2lflows"] = "convl2lflows"
    grid: GridConfig = GridConfig()
    energies: EnergyConfig = EnergyConfig()
    cells: CellsConfig = CellsConfig()
    subcells: SubCellsConfig = SubCellsConfig()
    voxels: None = None
    calibration: Calibration = Calibration()

    @model_validator(mode="after")
    def _fits_together(self) -> ConvL2LConfig:
        height, width = self.grid.shape
        if height != width or self.grid.cells % 2:
            msg = f"cells need a square of an even number of them, not {self.grid.cells}"
            raise ValueError(msg)
        if not 2 <= self.grid.split <= 3:
            msg = f"a cell is split in 2 or 3 along each axis, not {self.grid.split}"
            raise ValueError(msg)
        powers = self.calibration.inward
        if powers and (height % 2 or {len(row) for row in powers} != {len(powers)}):
            msg = "inward is a square of powers, for an even number of sub-cells"
            raise ValueError(msg)
        return self


def preset(name: str) -> ConvL2LConfig:
    """A named set of sizes: `ild-photon` is what calozoo trains, `tiny` is for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon").grid.shape
        (90, 90)
    """
    if name not in _PRESETS:
        msg = f"no preset is called {name!r}; there are {', '.join(_PRESETS)}"
        raise ValueError(msg)
    return _PRESETS[name]


_PRESETS = {
    "ild-photon": ConvL2LConfig(),
    "tiny": ConvL2LConfig(
        energies=EnergyConfig(hidden=8, bins=4),
        cells=CellsConfig(previous=2, width=4, hidden=6, condition=6, maps=2, bins=4),
        subcells=SubCellsConfig(hidden=8, step=4, condition=4, bins=4),
    ),
}
