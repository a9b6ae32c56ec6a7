"""Configurations of CaloDiffusion: sizes of its networks, published ones and ours."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from calozoo_core.clumps.core_config import (
    CORE_EDGES_MM,
    LAYERS,
    PRIMARY_CONDITIONS,
    CoreConfig,
    CoreEdges,
    Steps,
    energies_network,
)
from calozoo_core.nn.numpy_cylinder import Size, downsampled, window
from calozoo_core.nn.numpy_edm import EdmSolver
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.strict_model import StrictModel, named_config

__all__ = [
    "PRESETS",
    "PUBLISHED",
    "CaloDiffusionConfig",
    "EncodingConfig",
    "GeometryConfig",
    "PublishedConfig",
    "UnetConfig",
    "preset",
    "published",
]

Number = Annotated[int, Field(ge=1, le=4096)]
Stride = Annotated[int, Field(ge=1, le=2)]


class UnetConfig(StrictModel):
    """Sizes of a U-Net on a cylinder.

    Arguments:
        grid: Numbers of layers, sectors and rings.
        widths: Channels of the first convolution, then of each level.
        strides: Steps along layers, sectors and rings from a level to the next.
        places: Axes whose coordinate is given to the network as an image.
        images: Further images that are given.
        conditions: Numbers of the condition of a shower.
        embedding: Numbers that time and condition together become.
        groups: Groups of channels that are normalised together.
        attention: Channels of the attention.
    """

    grid: tuple[Number, Number, Number]
    widths: Annotated[tuple[Number, ...], Field(min_length=2, max_length=9)]
    strides: tuple[Stride, Stride, Stride] = (2, 2, 2)
    places: tuple[Literal["layer", "sector", "ring"], ...] = ("ring", "layer")
    images: Annotated[int, Field(ge=0, le=64)] = 0
    conditions: Number = 1
    embedding: Annotated[int, Field(ge=4, le=4096, multiple_of=4)] = 128
    groups: Number = 8
    attention: Number = 32

    @model_validator(mode="after")
    def _sizes_fit(self) -> UnetConfig:
        if any(width % self.groups for width in self.widths):
            msg = f"widths of {self.widths} are not multiples of the groups {self.groups}"
            raise ValueError(msg)
        for grid in self.grids[:-1]:
            sizes = zip(grid, window(grid, self.strides), self.strides, strict=True)
            if any(n + 2 * (k > 1) < k or (n == 1 and s > 1) for n, k, s in sizes):
                msg = f"a grid of {self.grid} is too small for {len(self.grids)} levels"
                raise ValueError(msg)
        return self

    @property
    def channels(self) -> int:
        """Channels that the network is given."""
        return 1 + len(self.places) + self.images

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """Channels into and out of each level."""
        return tuple(pairwise(self.widths))

    @property
    def window(self) -> Size:
        """Sizes of a window of a convolution: three, but one in a direction that has one voxel."""
        layers, sectors, rings = (1 if n == 1 else 3 for n in self.grid)
        return layers, sectors, rings

    @property
    def grids(self) -> tuple[Size, ...]:
        """Numbers of layers, sectors and rings of each level."""
        grids = [self.grid]
        for _ in self.levels[1:]:
            grids.append(downsampled(grids[-1], self.strides))
        return tuple(grids)


class GeometryConfig(StrictModel):
    """Layers with bins of their own, mapped onto one grid: GLaM.

    Arguments:
        edges_mm: Radii of the edges of each layer.
        sectors: Sectors of each layer: one, or as many as the grid has.
    """

    edges_mm: tuple[tuple[float, ...], ...]
    sectors: tuple[Number, ...]

    @model_validator(mode="after")
    def _layers_fit(self) -> GeometryConfig:
        if len(self.edges_mm) != len(self.sectors):
            msg = "there must be edges and a number of sectors for each layer"
            raise ValueError(msg)
        if any(n not in (1, max(self.sectors)) for n in self.sectors):
            msg = f"a layer has one sector or {max(self.sectors)}"
            raise ValueError(msg)
        return self

    @property
    def grid(self) -> Size:
        """Numbers of layers, sectors and rings that all layers are mapped onto."""
        return len(self.edges_mm), max(self.sectors), len(self.all_edges_mm) - 1

    @property
    def all_edges_mm(self) -> tuple[float, ...]:
        """Edges of all layers, in order."""
        return tuple(sorted({edge for edges in self.edges_mm for edge in edges}))


class EncodingConfig(StrictModel):
    """Encoding of voxels as it was published: a logit, with one mean and spread for all voxels.

    Arguments:
        largest: Largest energy of a voxel over the incident energy.
        mean: Mean of the logits.
        spread: Standard deviation of the logits.
        lowest_gev: Lowest incident energy.
        highest_gev: Highest incident energy.
    """

    largest: Annotated[float, Field(gt=0)]
    mean: float
    spread: Annotated[float, Field(gt=0)]
    lowest_gev: Annotated[float, Field(gt=0)]
    highest_gev: Annotated[float, Field(gt=0)]


class PublishedConfig(StrictModel):
    """Sizes as they were published.

    Arguments:
        unet: Of the network.
        encoding: Of the voxels.
        geometry: Mapping of the layers; None where they are alike.
        loss: Whose error is taught: that of the noise, or "hybrid", that of the data with weights
            1 + 1 / sigma^2.
        steps: Steps of the cosine schedule.
        skip: Of these, those that sampling leaves out at the noisiest end.
    """

    unet: UnetConfig
    encoding: EncodingConfig
    geometry: GeometryConfig | None = None
    loss: Literal["noise", "hybrid"] = "noise"
    steps: Number = 400
    skip: Annotated[int, Field(ge=0, le=4096)] = 2


class CaloDiffusionConfig(CoreConfig):
    """Configuration of a CaloDiffusion on the rings of a shower's core.

    Arguments:
        version: Version of this schema.
        architecture: Always "calodiffusion".
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        energy_steps: Evaluations of it for a shower.
        energy_solver: Solver of its flow.
        shape: Sizes of the network of the rings, on a cylinder of one sector.
        solver: Solver of the diffusion.
        steps: Evaluations of its network for a shower.
        fitted_on: Name of the showers that the calibration was fitted on.
    """

    version: Literal[1] = 1
    architecture: Literal["calodiffusion"] = "calodiffusion"
    core_edges_mm: CoreEdges
    energies: TransformerConfig
    energy_steps: Steps = 8
    energy_solver: Solver = "midpoint"
    shape: UnetConfig
    solver: EdmSolver = "angle"
    steps: Steps = 8
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _shape_fits(self) -> CaloDiffusionConfig:
        if self.shape.grid != (self.layers, 1, self.rings) or self.shape.images != 1:
            msg = (
                f"the network shape must have a grid of {self.layers} layers, one sector and "
                f"{self.rings} rings"
            )
            raise ValueError(msg)
        return self


def _core(
    energies: tuple[int, int, int], widths: tuple[int, ...], strides: Size, groups: int = 8
) -> CaloDiffusionConfig:
    """Configuration with networks of these sizes: width, blocks and heads; channels and strides."""
    return CaloDiffusionConfig(
        core_edges_mm=CORE_EDGES_MM,
        energies=energies_network(*energies),
        energy_solver="adams",
        shape=UnetConfig(
            grid=(LAYERS, 1, len(CORE_EDGES_MM)),
            widths=widths,
            strides=strides,
            images=1,
            conditions=PRIMARY_CONDITIONS + LAYERS,
            groups=groups,
        ),
    )


PRESETS: Final = {
    "ild-photon-clumps": _core((36, 3, 3), (32, 32, 48, 64), (2, 1, 2)),
    "tiny": _core((12, 1, 2), (4, 4, 8), (2, 1, 2), groups=2),
}

_PHOTON_LAYERS: Final = (
    (0, 5, 10, 30, 50, 100, 200, 400, 600),
    (0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200),
    (0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400),
    (0, 50, 100, 200, 400, 600),
    (0, 100, 200, 400, 1000, 2000),
)
_PION_LAYERS: Final = (
    (0, 5, 10, 30, 50, 100, 200, 400, 600),
    (0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200),
    (0, 5, 10, 20, 30, 50, 80, 130, 200, 300, 400),
    (0, 50, 100, 200, 400, 600),
    (0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 1000, 2000),
    (0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 600, 1000, 2000),
    (0, 50, 100, 150, 200, 250, 300, 400, 600, 1000, 2000),
)


def _mapped(
    edges: tuple[tuple[float, ...], ...], sectors: tuple[int, ...], mean: float, spread: float
) -> PublishedConfig:
    """Published configuration of layers that are not alike."""
    geometry = GeometryConfig(edges_mm=edges, sectors=sectors)
    return PublishedConfig(
        unet=UnetConfig(
            grid=geometry.grid, widths=(16, 16, 16, 32), places=("ring", "layer", "sector")
        ),
        encoding=EncodingConfig(
            largest=3.1, mean=mean, spread=spread, lowest_gev=0.256, highest_gev=4194.304
        ),
        geometry=geometry,
    )


def _electrons(mean: float, spread: float) -> EncodingConfig:
    return EncodingConfig(largest=2, mean=mean, spread=spread, lowest_gev=1, highest_gev=1000)


PUBLISHED: Final = {
    "calochallenge1-photon": _mapped(_PHOTON_LAYERS, (1, 10, 10, 1, 1), -9.9807, 3.14168),
    "calochallenge1-pion": _mapped(_PION_LAYERS, (1, 10, 10, 1, 10, 10, 1), -11.7610, 2.84317),
    "calochallenge2": PublishedConfig(
        unet=UnetConfig(grid=(45, 16, 9), widths=(16, 16, 16, 32)),
        encoding=_electrons(-12.8564, 1.9123),
    ),
    "calochallenge3": PublishedConfig(
        unet=UnetConfig(grid=(45, 50, 18), widths=(32, 32, 32, 32)),
        encoding=_electrons(-13.4753, 1.1070),
        loss="hybrid",
        skip=0,
    ),
}


def preset(name: str) -> CaloDiffusionConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").rings
        5
    """
    return named_config(PRESETS, name)


def published(name: str) -> PublishedConfig:
    """Published configuration, of the data sets 1 to 3 of the CaloChallenge.

    Raises:
        ValueError: If there is no such configuration.

    Example:
        >>> published("calochallenge2").unet.grids
        ((45, 16, 9), (23, 8, 4), (12, 4, 2))
    """
    return named_config(PUBLISHED, name, "published configuration")
