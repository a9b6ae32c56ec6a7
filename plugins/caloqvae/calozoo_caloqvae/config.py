"""Configurations of CaloQVAE: sizes of its networks and of its Boltzmann machine."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from calozoo_caloqvae.conditioning import BITS
from calozoo_caloqvae.graphs import PARTITIONS, GraphName, four_partite_graph
from calozoo_core.clumps.core_config import (
    CORE_EDGES_MM,
    PRIMARY_CONDITIONS,
    CoreConfig,
    CoreEdges,
    Steps,
    energies_network,
)
from calozoo_core.nn.mlp import Mlp
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.strict_model import StrictModel, named_config

__all__ = ["PRESETS", "SPREADS", "CaloQvaeConfig", "RbmConfig", "preset"]

Number = Annotated[int, Field(ge=1, le=4096)]

SPREADS: Final = (-4.0, 2.0)
"""Lowest and highest logarithm of the spread of a ring."""

SIZES: Final = {"zephyr": (1, 24), "pegasus": (2, 24), "dense": (1, 1024)}
"""Lowest and highest size of a graph."""

LATENT_PARTITIONS: Final = PARTITIONS - 1
"""Partitions of the Boltzmann machine that are not set by the primary."""


class RbmConfig(StrictModel):
    """Graph of a four-partite Boltzmann machine.

    Arguments:
        graph: "zephyr" or "pegasus", the couplings that an annealer has; "dense" for all couplings
            between partitions.
        size: Size m of the annealer's graph; of a dense one the nodes of each partition.
    """

    graph: GraphName = "zephyr"
    size: int = 3

    @model_validator(mode="after")
    def _graph_exists(self) -> RbmConfig:
        lowest, highest = SIZES[self.graph]
        if not lowest <= self.size <= highest:
            msg = f"a {self.graph} graph has a size from {lowest} to {highest}, not {self.size}"
            raise ValueError(msg)
        return self

    @property
    def nodes(self) -> int:
        """Nodes of each partition."""
        return four_partite_graph(self.graph, self.size).nodes

    @property
    def latents(self) -> int:
        """Nodes that are not set by the primary."""
        return LATENT_PARTITIONS * self.nodes

    @property
    def couplings(self) -> int:
        """Number of couplings."""
        return len(four_partite_graph(self.graph, self.size).edges[0])


class CaloQvaeConfig(CoreConfig):
    """Configuration of a CaloQVAE on the rings of a shower's core.

    Arguments:
        version: Version of this schema.
        architecture: Always "caloqvae".
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        energy_steps: Evaluations of it for a shower.
        energy_solver: Solver of its flow.
        prior: Graph of the Boltzmann machine.
        hidden: Widths of the hidden layers of each level of the encoder, and of the decoder.
        steps: Sweeps of block Gibbs sampling for a shower.
        fitted_on: Name of the showers that the calibration was fitted on.
    """

    version: Literal[1] = 1
    architecture: Literal["caloqvae"] = "caloqvae"
    core_edges_mm: CoreEdges
    energies: TransformerConfig
    energy_steps: Steps = 8
    energy_solver: Solver = "midpoint"
    prior: RbmConfig
    hidden: Annotated[tuple[Number, ...], Field(min_length=1, max_length=8)]
    steps: Steps = 50
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _prior_fits(self) -> CaloQvaeConfig:
        if self.prior.nodes < BITS:
            msg = f"partitions of {self.prior.nodes} nodes do not hold the {BITS} bits of a primary"
            raise ValueError(msg)
        return self

    @property
    def voxels(self) -> int:
        """Number of rings of all layers."""
        return self.layers * self.rings

    @property
    def links(self) -> int:
        """Pairs of rings of a layer."""
        return self.rings * (self.rings - 1) // 2

    @property
    def conditions(self) -> int:
        """Numbers that encoder and decoder are given beside their input."""
        return PRIMARY_CONDITIONS + self.layers

    @property
    def encoder_levels(self) -> tuple[Mlp, ...]:
        """Networks of the levels of the encoder; each is given the nodes of those before it."""
        inputs, nodes = 2 * self.voxels + self.conditions, self.prior.nodes
        return tuple(
            Mlp(inputs + level * nodes, self.hidden, nodes) for level in range(LATENT_PARTITIONS)
        )

    @property
    def decoder(self) -> Mlp:
        """Network of the decoder: of each ring whether it is hit, the mean, the log spread."""
        return Mlp(self.prior.latents + self.conditions, self.hidden, 3 * self.voxels)


def _core(
    energies: tuple[int, int, int], prior: RbmConfig, hidden: tuple[int, ...], steps: int
) -> CaloQvaeConfig:
    """Configuration with an energy network of these width, blocks and heads."""
    return CaloQvaeConfig(
        core_edges_mm=CORE_EDGES_MM,
        energies=energies_network(*energies),
        energy_solver="adams",
        prior=prior,
        hidden=hidden,
        steps=steps,
    )


PRESETS: Final = {
    "ild-photon-clumps": _core((36, 3, 3), RbmConfig(graph="zephyr", size=3), (256, 256), 50),
    "tiny": _core((12, 1, 2), RbmConfig(graph="zephyr", size=2), (16,), 4),
}


def preset(name: str) -> CaloQvaeConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").prior.nodes
        84
    """
    return named_config(PRESETS, name)
