"""What config.json says: the grid, the sizes of the flows, and the calibration."""

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
    "MafConfig",
    "SubCellsConfig",
    "VoxelsConfig",
    "preset",
]

Width = Annotated[int, Field(ge=1, le=1024)]
Bins = Annotated[int, Field(ge=2, le=64)]
Power = Annotated[float, Field(gt=0, le=1000)]
Factor = Annotated[int, Field(ge=1, le=16)]


class GridConfig(StrictModel):
    """The regular grid, in a box around the shower axis.

    Arguments:
        layers: Layers.
        cells: Cells along y'.
        columns: Cells along x'; None for as many.
        split: Sub-cells of a cell along each.
        cell_mm: Pitch of the cells.
        threshold_mev: Sub-cells with less are empty.
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
    """The flow of the layer energies, one small network for all layers.

    Arguments:
        kind: Always "shared".
        hidden: Width of its network.
        bins: Bins of its splines.
    """

    kind: Literal["shared"] = "shared"
    hidden: Width = 96
    bins: Bins = 8


class MafConfig(StrictModel):
    """The published flow of the layer energies.

    Arguments:
        kind: Always "maf".
        blocks: Masked networks.
        hidden: Width of each.
        bins: Bins of its splines.
        scale_mev: Energies are divided by this before the logit.
    """

    kind: Literal["maf"] = "maf"
    blocks: int = Field(default=6, ge=1, le=32)
    hidden: Width = 64
    bins: Bins = 8
    scale_mev: float = Field(default=1000.0, gt=0)


class CellsConfig(StrictModel):
    """The convolutional flow of the cells of a layer.

    Arguments:
        shared: One flow for all layers, or one flow a layer.
        previous: Layers before it that a layer sees.
        width: Channels of the convolutions over previous layers.
        hidden: Channels of the couplings' networks.
        condition: Width of what the networks see of primary and layer energies.
        maps: Learned maps of the box, mixed as the condition says.
        bins: Bins of the splines.
    """

    shared: bool = True
    previous: int = Field(default=3, ge=1, le=8)
    width: Width = 32
    hidden: Width = 32
    condition: Width = 48
    maps: Width = 16
    bins: Bins = 8


class SubCellsConfig(StrictModel):
    """The flow that splits a cell into its sub-cells.

    Arguments:
        hidden: Width of its network.
        step: Width of the network that says what a row or a sub-cell takes.
        condition: Width of what it sees of primary and layer energies.
        bins: Bins of the splines.
    """

    hidden: Width = 96
    step: Width = 32
    condition: Width = 24
    bins: Bins = 8


class VoxelsConfig(StrictModel):
    """The published flow of all sub-cells of a layer.

    Arguments:
        shared: One flow for all layers, or one flow a layer as published.
        previous: Layers before it that a layer sees.
        constants: Numbers that condition it: the layer's energy and the incident energy; with the
            direction there are five, and one more for the index of the layer if it is shared.
        blocks: Blocks of ActNorm, coupling and mixing.
        coupling: What the couplings do.
        bins: Bins of the splines.
        width: Channels of the first level of the U-Nets.
        kernels: Kernels of their strided convolutions, one a level.
        squeeze: Neighbours that become channels, along y' and x'.
        embedding: Channels that previous layers and constants become.
        circular: Whether x' is an angle.
        noise_mev: Uniform noise on every voxel.
        maxima_mev: What voxels are divided by, one a layer or one for all.
    """

    shared: bool = False
    previous: int = Field(default=5, ge=1, le=8)
    constants: int = Field(default=2, ge=2, le=6)
    blocks: int = Field(default=8, ge=1, le=32)
    coupling: Literal["spline", "affine"] = "spline"
    bins: Bins = 10
    width: Width = 32
    kernels: tuple[tuple[Factor, Factor], ...] = Field(default=((3, 3), (5, 5)), max_length=6)
    squeeze: tuple[Factor, Factor] = (2, 2)
    embedding: Width = 8
    circular: bool = False
    noise_mev: float = Field(default=1e-3, gt=0)
    maxima_mev: tuple[float, ...] = Field(default=(100.0,), min_length=1, max_length=256)


class Calibration(StrictModel):
    """The last correction, fitted after training.

    Arguments:
        spectrum: Pairs of a deposit as generated and as Geant4 has it at the same quantile, in
            MeV, both ascending; none for no correction.
        inward: How far points near the axis lie towards it in their sub-cells (`inward.inward`);
            none for points anywhere in them.
        fitted_on: What it was fitted on.
    """

    spectrum: tuple[tuple[float, float], ...] = Field(default=(), max_length=1024)
    inward: tuple[tuple[Power, ...], ...] = Field(default=(), max_length=16)
    fitted_on: str = "not fitted"


class ConvL2LConfig(StrictModel):
    """A trained ConvL2LFlows.

    The layers are filled in one of two ways: cells first and then their sub-cells (`cells` and
    `subcells`), or all sub-cells at once as published (`voxels`).

    Arguments:
        schema_version: Of this file.
        architecture: Always "convl2lflows".
        grid: The grid.
        energies: The flow of the layer energies.
        cells: The flow of the cells.
        subcells: The flow that splits cells.
        voxels: The published flow.
        calibration: Fitted after training.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["convl2lflows"] = "convl2lflows"
    grid: GridConfig = GridConfig()
    energies: EnergyConfig | MafConfig = Field(default=EnergyConfig(), discriminator="kind")
    cells: CellsConfig | None = CellsConfig()
    subcells: SubCellsConfig | None = SubCellsConfig()
    voxels: VoxelsConfig | None = None
    calibration: Calibration = Calibration()

    @model_validator(mode="after")
    def _fits_together(self) -> ConvL2LConfig:
        if (self.cells is None) != (self.subcells is None) or (self.cells is None) == (
            self.voxels is None
        ):
            msg = "a layer is filled by cells and subcells, or by voxels"
            raise ValueError(msg)
        height, width = self.grid.shape
        if self.cells is not None and (height != width or self.grid.cells % 2):
            msg = f"cells need a square of an even number of them, not {self.grid.cells}"
            raise ValueError(msg)
        if self.cells is not None and not 2 <= self.grid.split <= 3:
            msg = f"a cell is split in 2 or 3 along each axis, not {self.grid.split}"
            raise ValueError(msg)
        powers = self.calibration.inward
        if powers and (height % 2 or width % 2 or {len(own) for own in powers} != {len(powers)}):
            msg = "inward is a square of powers, for an even number of sub-cells"
            raise ValueError(msg)
        if self.voxels is not None:
            rows, columns = self.voxels.squeeze
            for kernel in self.voxels.kernels:
                rows, columns = rows * kernel[0], columns * kernel[1]
            if height % rows or width % columns:
                msg = f"{height} x {width} sub-cells are no multiple of {rows} x {columns}"
                raise ValueError(msg)
            if len(self.voxels.maxima_mev) not in (1, self.grid.layers):
                msg = f"maxima_mev has one number, or {self.grid.layers}"
                raise ValueError(msg)
        return self


def preset(name: str) -> ConvL2LConfig:
    """A named set of sizes.

    `ild-photon` is what calozoo trains. `gh`, `ds2` and `ds3` are the published ones, `x9` is `gh`
    at the resolution and with the conditions of the benchmark; `small-x9` is of their make, and
    small enough to be trained without a graphics card. `tiny` and `tiny-voxels` are for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("gh").voxels.width, preset("gh").grid.shape
        (32, (30, 30))
    """
    if name not in _PRESETS:
        msg = f"no preset is called {name!r}; there are {', '.join(_PRESETS)}"
        raise ValueError(msg)
    return _PRESETS[name]


def _published(grid: GridConfig, scale_mev: float, voxels: VoxelsConfig) -> ConvL2LConfig:
    return ConvL2LConfig(
        grid=grid,
        energies=MafConfig(scale_mev=scale_mev),
        cells=None,
        subcells=None,
        voxels=voxels,
    )


_PRESETS = {
    "ild-photon": ConvL2LConfig(),
    "gh": _published(GridConfig(split=1, threshold_mev=0.1), 1e3, VoxelsConfig()),
    "ds3": _published(
        GridConfig(layers=45, cells=18, columns=50, split=1, threshold_mev=0.01515),
        63.6e3,
        VoxelsConfig(kernels=((3, 5), (3, 5)), circular=True),
    ),
    "ds2": _published(
        GridConfig(layers=45, cells=9, columns=16, split=1, threshold_mev=0.01515),
        63.6e3,
        VoxelsConfig(squeeze=(3, 1), kernels=((1, 4), (3, 4)), circular=True),
    ),
    "x9": _published(GridConfig(threshold_mev=0.01), 1e4, VoxelsConfig(width=64, constants=5)),
    "small-x9": _published(
        GridConfig(threshold_mev=0.01),
        1e4,
        VoxelsConfig(
            shared=True,
            previous=3,
            constants=6,
            blocks=4,
            coupling="affine",
            width=16,
            kernels=((3, 3),),
            squeeze=(3, 3),
            embedding=6,
        ),
    ),
    "tiny": ConvL2LConfig(
        energies=EnergyConfig(hidden=8, bins=4),
        cells=CellsConfig(previous=2, width=4, hidden=6, condition=6, maps=2, bins=4),
        subcells=SubCellsConfig(hidden=8, step=4, condition=4, bins=4),
    ),
    "tiny-voxels": ConvL2LConfig(
        grid=GridConfig(split=1, threshold_mev=0.01),
        energies=MafConfig(blocks=2, hidden=8, bins=4, scale_mev=1e4),
        cells=None,
        subcells=None,
        voxels=VoxelsConfig(
            shared=True,
            previous=2,
            constants=6,
            blocks=2,
            bins=4,
            width=4,
            kernels=((3, 3),),
            embedding=4,
        ),
    ),
}
