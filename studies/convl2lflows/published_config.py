"""Configurations of ConvL2LFlows as published: sizes of its flows, and presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from calozoo_convl2lflows.config import Bins, GridConfig, Width
from calozoo_core.strict_model import StrictModel

__all__ = ["MafConfig", "PublishedConfig", "VoxelsConfig", "preset"]

Factor = Annotated[int, Field(ge=1, le=16)]


class MafConfig(StrictModel):
    """Sizes of the published flow of the layer energies.

    Arguments:
        blocks: Masked networks.
        hidden: Width of each.
        bins: Bins of its splines.
        scale_mev: Energies are divided by this before the logit.
    """

    blocks: int = Field(default=6, ge=1, le=32)
    hidden: Width = 64
    bins: Bins = 8
    scale_mev: float = Field(default=1000.0, gt=0)


class VoxelsConfig(StrictModel):
    """Sizes of the published flow of all sub-cells of a layer.

    Arguments:
        shared: One flow for all layers instead of one per layer.
        previous: Layers before it that a layer sees.
        constants: Numbers that condition it: the layer's energy and the incident energy; with the
            direction there are five, and one more for the index of the layer if it is shared.
        blocks: Blocks of ActNorm, coupling and mixing.
        coupling: Kind of the couplings.
        bins: Bins of the splines.
        width: Channels of the first level of the U-Nets.
        kernels: Kernels of their strided convolutions, one a level.
        squeeze: Neighbours that become channels, along y' and x'.
        embedding: Channels that previous layers and constants become.
        circular: `True` where x' is an angle.
        noise_mev: Width of the uniform noise on every voxel.
        maxima_mev: Largest voxel energies, one per layer or one for all; voxels are divided by
            them.
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


class PublishedConfig(StrictModel):
    """Sizes of a whole model.

    Arguments:
        grid: The grid.
        energies: The flow of the layer energies.
        voxels: The flow of the sub-cells.
    """

    grid: GridConfig
    energies: MafConfig
    voxels: VoxelsConfig

    @model_validator(mode="after")
    def _fits_together(self) -> PublishedConfig:
        height, width = self.grid.shape
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


def preset(name: str) -> PublishedConfig:
    """A named set of sizes.

    `gh`, `ds2` and `ds3` are published; `x9` is `gh` at the resolution and with the conditions of
    the benchmark. `small-x9` has affine couplings that all layers share, small enough to be trained
    without a graphics card. `tiny` is for tests.

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


def _published(grid: GridConfig, scale_mev: float, voxels: VoxelsConfig) -> PublishedConfig:
    return PublishedConfig(grid=grid, energies=MafConfig(scale_mev=scale_mev), voxels=voxels)


_PRESETS = {
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
    "tiny": PublishedConfig(
        grid=GridConfig(split=1, threshold_mev=0.01),
        energies=MafConfig(blocks=2, hidden=8, bins=4, scale_mev=1e4),
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
