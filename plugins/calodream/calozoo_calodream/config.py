"""Configurations of CaloDREAM: sizes of its networks, published ones and ours."""

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
    "AutoregressiveConfig",
    "CaloDreamConfig",
    "PublishedConfig",
    "preset",
    "published",
]

Size = Annotated[int, Field(ge=1, le=4096)]


class AutoregressiveConfig(StrictModel):
    """Sizes of the published energy network, which samples one number after the other.

    Arguments:
        dim: How many numbers it samples.
        conditions: Numbers of the condition of a shower.
        width: Width of the transformer.
        heads: Heads of each attention.
        encoder_layers: Layers on the condition.
        decoder_layers: Layers on the numbers so far.
        feed_forward: Width of the hidden layer of those.
        time_features: Sinusoids of the time.
        hidden: Width of the velocity network.
        hidden_layers: Its layers between the first and the last.
    """

    dim: Size
    conditions: Size = 1
    width: Size = 64
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    encoder_layers: Annotated[int, Field(ge=1, le=64)] = 4
    decoder_layers: Annotated[int, Field(ge=1, le=64)] = 4
    feed_forward: Size = 512
    time_features: Annotated[int, Field(ge=2, le=4096, multiple_of=2)] = 64
    hidden: Size = 512
    hidden_layers: Annotated[int, Field(ge=1, le=64)] = 6

    @model_validator(mode="after")
    def _numbers_fit(self) -> AutoregressiveConfig:
        if self.width < 1 + self.dim:
            msg = f"a token of {self.width} does not hold a number and its place among {self.dim}"
            raise ValueError(msg)
        return self


class PublishedConfig(StrictModel):
    """Sizes of both networks as they were published.

    Arguments:
        energies: Of the network of the layer energies.
        shape: Of the network of the voxels.
    """

    energies: AutoregressiveConfig
    shape: TransformerConfig


class CaloDreamConfig(CoreConfig):
    """Configuration of a CaloDREAM on the rings of a shower's core.

    Arguments:
        version: Version of this schema.
        architecture: Always "calodream".
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        shape: Sizes of the network of the rings: a token a layer, all its rings.
        solver: Solver of the differential equation.
        steps: Network evaluations of each network for a shower.
        fitted_on: Name of the showers that the calibration was fitted on.
    """

    version: Literal[1] = 1
    architecture: Literal["calodream"] = "calodream"
    core_edges_mm: CoreEdges
    energies: TransformerConfig
    shape: TransformerConfig
    solver: Solver = "midpoint"
    steps: Steps = 8
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _shape_fits(self) -> CaloDreamConfig:
        grid, patch = (self.layers, 1, self.rings), (1, 1, self.rings)
        if self.shape.grid != grid or self.shape.patch != patch:
            msg = f"the network shape must have a token of {self.rings} numbers for each layer"
            raise ValueError(msg)
        return self


def _core(energies: tuple[int, int, int], shape: tuple[int, int, int]) -> CaloDreamConfig:
    """Configuration with networks of these widths, blocks and heads."""
    width, blocks, heads = shape
    return CaloDreamConfig(
        core_edges_mm=CORE_EDGES_MM,
        energies=energies_network(*energies),
        shape=TransformerConfig(
            grid=(LAYERS, 1, len(CORE_EDGES_MM)),
            patch=(1, 1, len(CORE_EDGES_MM)),
            width=width,
            blocks=blocks,
            heads=heads,
            conditions=PRIMARY_CONDITIONS + LAYERS,
            token_conditions=1,
        ),
    )


PRESETS: Final = {
    "ild-photon-clumps": _core((36, 3, 3), (48, 4, 4)),
    "tiny": _core((12, 1, 2), (12, 1, 2)),
}

_CHALLENGE_LAYERS: Final = 45

PUBLISHED: Final = {
    "calochallenge2": PublishedConfig(
        energies=AutoregressiveConfig(dim=_CHALLENGE_LAYERS),
        shape=TransformerConfig(
            grid=(_CHALLENGE_LAYERS, 16, 9),
            patch=(3, 16, 1),
            width=480,
            blocks=6,
            heads=6,
            conditions=1 + _CHALLENGE_LAYERS,
        ),
    ),
    "calochallenge3": PublishedConfig(
        energies=AutoregressiveConfig(dim=_CHALLENGE_LAYERS),
        shape=TransformerConfig(
            grid=(_CHALLENGE_LAYERS, 50, 18),
            patch=(3, 5, 2),
            width=240,
            blocks=6,
            heads=6,
            mlp_ratio=3,
            conditions=1 + _CHALLENGE_LAYERS,
        ),
    ),
}


def preset(name: str) -> CaloDreamConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").rings
        5
    """
    return named_config(PRESETS, name)


def published(name: str) -> PublishedConfig:
    """Published configuration, of the data sets 2 or 3 of the CaloChallenge.

    Raises:
        ValueError: If there is no such configuration.

    Example:
        >>> published("calochallenge2").shape.tokens
        135
    """
    return named_config(PUBLISHED, name, "published configuration")
