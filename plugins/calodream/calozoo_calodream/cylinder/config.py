"""Configuration (config.json) of a CaloDREAM on the voxels of the CaloChallenge, and presets."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.strict_model import StrictModel, named_config
from calozoo_core.voxels import DATASETS, CylinderVoxels

__all__ = ["PRESETS", "CylinderConfig", "preset"]

DatasetName = Literal["dataset2", "dataset3"]


class CylinderConfig(StrictModel):
    """Configuration of a CaloDREAM on the voxels of the CaloChallenge.

    Arguments:
        version: Version of this schema.
        architecture: Always "calodream-cylinder".
        dataset: Data set that defines the voxels.
        energies: Sizes of the network of the layer energies: a token a layer, one number each.
        shape: Sizes of the network of the voxels; a patch has all sectors of one ring.
        solver: Solver of the differential equation.
        steps: Network evaluations of each network for a shower.
        fitted_on: Name of the showers that the marginals were fitted on.
    """

    version: Literal[1] = 1
    architecture: Literal["calodream-cylinder"] = "calodream-cylinder"
    dataset: DatasetName = "dataset2"
    energies: TransformerConfig
    shape: TransformerConfig
    solver: Solver = "midpoint"
    steps: Annotated[int, Field(ge=1, le=1000)] = 8
    fitted_on: str = "not fitted"

    @property
    def voxels(self) -> CylinderVoxels:
        """Voxels of the data set."""
        return DATASETS[self.dataset]

    @property
    def grid(self) -> tuple[int, int, int]:
        """Numbers of layers, sectors and rings."""
        bins = self.voxels.layers[0]
        return len(self.voxels.layers), bins.n_alpha, bins.n_r

    @property
    def group(self) -> int:
        """Layers of a patch."""
        return self.shape.patch[0]

    @model_validator(mode="after")
    def _networks_fit(self) -> CylinderConfig:
        layers, sectors, _ = self.grid
        energies, shape = self.energies, self.shape
        wanted = (
            (energies, (layers, 1, 1), (1, 1, 1), (1, 0)),
            (shape, self.grid, (self.group, sectors, 1), (1 + layers, self.group)),
        )
        for network, grid, patch, conditions in wanted:
            own = (network.conditions, network.token_conditions)
            if (network.grid, network.patch, own) != (grid, patch, conditions):
                name = "energies" if network is energies else "shape"
                msg = (
                    f"the network {name} needs a grid of {grid}, patches of {patch}, and "
                    f"{conditions} conditions of a shower and of a token"
                )
                raise ValueError(msg)
        return self


def _config(energies: tuple[int, int, int], shape: tuple[int, int, int]) -> CylinderConfig:
    """Configuration for data set 2, with networks of these widths, blocks and heads."""
    voxels = DATASETS["dataset2"]
    layers, bins, group = len(voxels.layers), voxels.layers[0], 3

    def network(
        size: tuple[int, int, int],
        grid: tuple[int, int, int],
        patch: tuple[int, int, int],
        conditions: tuple[int, int],
    ) -> TransformerConfig:
        width, blocks, heads = size
        return TransformerConfig(
            grid=grid,
            patch=patch,
            width=width,
            blocks=blocks,
            heads=heads,
            conditions=conditions[0],
            token_conditions=conditions[1],
        )

    return CylinderConfig(
        energies=network(energies, (layers, 1, 1), (1, 1, 1), (1, 0)),
        shape=network(
            shape, (layers, bins.n_alpha, bins.n_r), (group, bins.n_alpha, 1), (1 + layers, group)
        ),
    )


PRESETS: Final = {
    "calochallenge2-electron": _config((24, 2, 2), (72, 3, 3)),
    "tiny": _config((12, 1, 2), (12, 1, 2)),
}


def preset(name: str) -> CylinderConfig:
    """Named configuration: `calochallenge2-electron`, or `tiny` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("calochallenge2-electron").shape.tokens
        135
    """
    return named_config(PRESETS, name)
