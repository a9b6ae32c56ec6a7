"""Configuration of a model of a shower's core: what those of all such models have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, model_validator

from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.strict_model import StrictModel

__all__ = [
    "CORE_EDGES_MM",
    "LAYERS",
    "PRIMARY_CONDITIONS",
    "CoreConfig",
    "CoreEdges",
    "Steps",
    "energies_network",
]

CORE_EDGES_MM: Final = VoxelMesh().edges_mm[:5]
"""Radii between the rings of the core, and the one at which it ends."""

LAYERS: Final = 30
"""Layers of the ILD Si-W ECAL."""

PRIMARY_CONDITIONS: Final = 4
"""ln E, |p_x|, p_y, p_z."""

CoreEdges = Annotated[tuple[float, ...], Field(min_length=1, max_length=64)]
"""Radii between the rings of a core, and the one at which it ends, in mm."""

Steps = Annotated[int, Field(ge=1, le=1000)]
"""Evaluations of a network for a shower."""


class CoreConfig(StrictModel):
    """Base of the configurations of models of a shower's core.

    A model declares all fields by itself: their order is that of its files.

    Arguments:
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        steps: Evaluations of the network of the rings for a shower.
    """

    if TYPE_CHECKING:
        core_edges_mm: CoreEdges
        energies: TransformerConfig
        steps: Steps

    @model_validator(mode="after")
    def _energies_fit(self) -> Self:
        if self.energies.grid != (self.layers, 1, 1) or self.energies.patch != (1, 1, 1):
            msg = "the network energies must have a token of one number for each layer"
            raise ValueError(msg)
        return self

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.energies.grid[0]

    @property
    def rings(self) -> int:
        """Number of rings of the core."""
        return len(self.core_edges_mm)


def energies_network(width: int, blocks: int, heads: int) -> TransformerConfig:
    """Sizes of a network of the layer energies of the ILD Si-W ECAL.

    Arguments:
        width: Numbers of a token.
        blocks: Number of blocks.
        heads: Heads of each attention.
    """
    return TransformerConfig(
        grid=(LAYERS, 1, 1),
        patch=(1, 1, 1),
        width=width,
        blocks=blocks,
        heads=heads,
        conditions=PRIMARY_CONDITIONS,
    )
