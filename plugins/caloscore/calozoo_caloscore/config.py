"""Configurations of CaloScore: sizes of its networks, published ones and ours."""

from __future__ import annotations

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
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.strict_model import StrictModel, named_config

__all__ = [
    "PRESETS",
    "PUBLISHED",
    "CaloScoreConfig",
    "EmbeddingConfig",
    "PublishedConfig",
    "ResidualMlpConfig",
    "UnetConfig",
    "preset",
    "published",
]

Size = Annotated[int, Field(ge=1, le=4096)]
Padding = tuple[Annotated[int, Field(ge=0, le=64)], Annotated[int, Field(ge=0, le=64)]]


class EmbeddingConfig(StrictModel):
    """Sizes of the embedding of the time and of the conditions of a shower.

    Arguments:
        conditions: Numbers of each condition; every one is embedded by itself.
        width: Width of the embedding.
    """

    conditions: Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]
    width: Annotated[int, Field(ge=4, le=4096, multiple_of=2)] = 64


class UnetConfig(StrictModel):
    """Sizes of a U-Net of residual blocks on a grid of one or three dimensions.

    Arguments:
        grid: Numbers of places in each dimension.
        padding: Zeros before and behind the grid in each dimension.
        channels: Numbers at each place.
        place_conditions: Further numbers that each place is given.
        stem: Channels of the first convolution.
        widths: Channels of each level.
        attention: Whether the blocks of each level end with attention.
        depth: Blocks of a level, down and up.
        embedding: Sizes of the embedding.
    """

    grid: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]
    padding: Annotated[tuple[Padding, ...], Field(min_length=1, max_length=3)]
    channels: Size = 1
    place_conditions: Annotated[int, Field(ge=0, le=4096)] = 0
    stem: Size
    widths: Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]
    attention: Annotated[tuple[bool, ...], Field(min_length=1, max_length=8)]
    depth: Annotated[int, Field(ge=1, le=64)]
    embedding: EmbeddingConfig

    @model_validator(mode="after")
    def _sizes_fit(self) -> UnetConfig:
        if len(self.grid) not in (1, 3) or len(self.padding) != len(self.grid):
            msg = f"a grid of {self.grid} with padding {self.padding} is not of 1 or 3 dimensions"
            raise ValueError(msg)
        if len(self.attention) != len(self.widths):
            msg = f"there are {len(self.widths)} levels, and attention for {len(self.attention)}"
            raise ValueError(msg)
        factor = 2 ** (len(self.widths) - 1)
        if any(size % factor for size in self.padded):
            msg = f"a padded grid of {self.padded} cannot be halved {len(self.widths) - 1} times"
            raise ValueError(msg)
        return self

    @property
    def padded(self) -> tuple[int, ...]:
        """Numbers of places with the padding."""
        return tuple(n + a + b for n, (a, b) in zip(self.grid, self.padding, strict=True))


class ResidualMlpConfig(StrictModel):
    """Sizes of the published network of the layer energies.

    Arguments:
        dim: How many numbers it samples.
        hidden: Width.
        blocks: Residual blocks.
        embedding: Sizes of the embedding.
    """

    dim: Size
    hidden: Size
    blocks: Annotated[int, Field(ge=1, le=64)] = 2
    embedding: EmbeddingConfig = EmbeddingConfig(conditions=(1,))


class PublishedConfig(StrictModel):
    """Sizes of both networks as they were published.

    Arguments:
        energies: Of the network of the layer energies.
        shape: Of the network of the voxels.
        steps: Steps of the sampler before distillation.
    """

    energies: ResidualMlpConfig
    shape: UnetConfig
    steps: Annotated[int, Field(ge=1, le=4096)] = 512


class CaloScoreConfig(CoreConfig):
    """Configuration of a CaloScore on the rings of a shower's core.

    Arguments:
        version: Version of this schema.
        architecture: Always "caloscore".
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        energy_solver: Solver of its flow.
        energy_evaluations: Evaluations of it for a shower.
        shape: Sizes of the network of the rings, along the layers.
        distilled: Numbers of steps that there is a distilled network for.
        steps: Steps of the rings for a shower.
        fitted_on: Name of the showers that the calibration was fitted on.
    """

    version: Literal[1] = 1
    architecture: Literal["caloscore"] = "caloscore"
    core_edges_mm: CoreEdges
    energies: TransformerConfig
    energy_solver: Solver = "midpoint"
    energy_evaluations: Steps = 8
    shape: UnetConfig
    distilled: Annotated[tuple[Annotated[int, Field(ge=1, le=512)], ...], Field(max_length=9)] = (
        8,
        4,
        2,
        1,
    )
    steps: Steps = 2
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _shape_fits(self) -> CaloScoreConfig:
        if self.shape.grid != (self.layers,) or self.shape.channels != self.rings:
            msg = f"the network shape must have {self.layers} layers of {self.rings} channels"
            raise ValueError(msg)
        if any(b * 2 != a for a, b in zip(self.distilled, self.distilled[1:], strict=False)):
            msg = f"distilled numbers of steps must be halves of each other, not {self.distilled}"
            raise ValueError(msg)
        return self


PLACE_CONDITIONS: Final = 2
"""Logarithm of the energy of a layer, and its depth."""


def _core(
    energies: tuple[int, int, int], stem: int, widths: tuple[int, ...], depth: int, embedding: int
) -> CaloScoreConfig:
    """Configuration with an energy network of these width, blocks and heads, and such a U-Net."""
    return CaloScoreConfig(
        core_edges_mm=CORE_EDGES_MM,
        energies=energies_network(*energies),
        energy_solver="adams",
        shape=UnetConfig(
            grid=(LAYERS,),
            padding=((1, 1),),
            channels=len(CORE_EDGES_MM),
            place_conditions=PLACE_CONDITIONS,
            stem=stem,
            widths=widths,
            attention=(False,) * (len(widths) - 1) + (True,),
            depth=depth,
            embedding=EmbeddingConfig(conditions=(LAYERS, PRIMARY_CONDITIONS), width=embedding),
        ),
    )


PRESETS: Final = {
    "ild-photon-clumps": _core((36, 3, 3), 24, (24, 48, 72), 2, 64),
    "tiny": _core((12, 1, 2), 8, (8, 12), 1, 8),
}

_CHALLENGE_LAYERS: Final = 45


def _published(grid: tuple[int, int, int]) -> PublishedConfig:
    """Published sizes for the data sets 2 and 3 of the CaloChallenge."""
    return PublishedConfig(
        energies=ResidualMlpConfig(dim=_CHALLENGE_LAYERS, hidden=1024),
        shape=UnetConfig(
            grid=grid,
            padding=((2, 1), (1, 1) if grid[1] % 4 else (0, 0), (2, 1) if grid[2] % 2 else (1, 1)),
            stem=32,
            widths=(32, 64, 96),
            attention=(False, False, True),
            depth=3,
            embedding=EmbeddingConfig(conditions=(_CHALLENGE_LAYERS, 1)),
        ),
    )


PUBLISHED: Final = {
    "calochallenge1-photon": PublishedConfig(
        energies=ResidualMlpConfig(dim=5, hidden=128),
        shape=UnetConfig(
            grid=(368,),
            padding=((0, 0),),
            stem=16,
            widths=(32, 64, 96, 128),
            attention=(False, True, True, True),
            depth=4,
            embedding=EmbeddingConfig(conditions=(5, 1)),
        ),
    ),
    "calochallenge2": _published((_CHALLENGE_LAYERS, 16, 9)),
    "calochallenge3": _published((_CHALLENGE_LAYERS, 50, 18)),
}


def preset(name: str) -> CaloScoreConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").rings
        5
    """
    return named_config(PRESETS, name)


def published(name: str) -> PublishedConfig:
    """Published configuration, of a data set of the CaloChallenge.

    Raises:
        ValueError: If there is no such configuration.

    Example:
        >>> published("calochallenge2").shape.padded
        (48, 16, 12)
    """
    return named_config(PUBLISHED, name, "published configuration")
