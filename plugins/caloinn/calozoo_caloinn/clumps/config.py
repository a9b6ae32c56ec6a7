"""Configuration of a CaloINN on clumps, and its named sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from calozoo_caloinn.config import CONDITIONS, CaloInnConfig, CodecConfig, InnConfig, RingsConfig
from calozoo_core.clumps import VoxelMesh
from calozoo_core.strict_model import StrictModel

__all__ = ["PRESETS", "ClumpsConfig", "LibraryConfig", "preset"]

LAYERS = 30
CORE_RINGS = 5


class LibraryConfig(StrictModel):
    """Sizes of the library of Geant4 showers, and the metric in which they are near.

    Arguments:
        showers: Number of showers.
        voxels: Number of filled voxels of all of them.
        candidates: Number of nearest showers of which one is drawn.
        metric: Factor on each feature before distances are taken: ln E, mean layer and width in
            layers of the core, ln of its energy over E, p_x, p_y, ln of the parts of its energy in
            the innermost and in the outermost ring.
    """

    showers: Annotated[int, Field(ge=1, le=20_000)] = 4000
    voxels: Annotated[int, Field(ge=1, le=40_000_000)] = 1
    candidates: Annotated[int, Field(ge=1, le=64)] = 3
    metric: Annotated[tuple[float, ...], Field(min_length=8, max_length=8)] = (
        *(8.0, 1.0, 1.0, 4.0),
        *(6.0, 6.0, 1.0, 1.0),
    )


class ClumpsConfig(StrictModel):
    """Configuration of a CaloINN on clumps.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "caloinn".
        variant: Always "clumps".
        flows: The flows of the layers and rings of the core. Its rings are the inner ones of the
            mesh; the last of them ends at the mesh's next edge.
        mesh: Voxels of a layer.
        library: The library of halos.
        fitted_on: Name of the showers that library and calibration were fitted on.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["caloinn"] = "caloinn"
    variant: Literal["clumps"] = "clumps"
    flows: CaloInnConfig
    mesh: VoxelMesh = VoxelMesh()
    library: LibraryConfig = LibraryConfig()
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _rings_are_those_of_the_mesh(self) -> ClumpsConfig:
        edges, inner = self.flows.rings.edges_mm, self.mesh.edges_mm
        if len(edges) >= len(inner) or inner[: len(edges)] != edges:
            msg = f"the rings of the flows {edges} must be the inner ones of the mesh {inner}"
            raise ValueError(msg)
        return self

    @property
    def core_rings(self) -> int:
        """Number of rings whose energies the flows sample."""
        return self.flows.rings.number

    @property
    def core_cells(self) -> int:
        """Number of voxels of a layer in these rings."""
        return sum(self.mesh.sectors[: self.core_rings])


def _flows(layers: InnConfig, inn: InnConfig) -> CaloInnConfig:
    codec = CodecConfig(layers=LAYERS, voxels=CORE_RINGS, visible=0.019)
    return CaloInnConfig(
        codec=codec,
        rings=RingsConfig(edges_mm=VoxelMesh().edges_mm[: CORE_RINGS - 1]),
        layers=layers.model_copy(
            update={"dim": LAYERS, "conditions": CONDITIONS, "baseline_head": LAYERS}
        ),
        inn=inn.model_copy(
            update={
                "dim": codec.width,
                "conditions": CONDITIONS + LAYERS,
                "baseline_head": codec.width,
            }
        ),
    )


_SIZES = InnConfig(dim=LAYERS, bins=8, bound=8.0, hidden_layers=2, dropout=0.1)
_TINY = InnConfig(
    dim=LAYERS, bins=8, bound=8.0, hidden=8, hidden_layers=1, baseline_hidden=8, blocks=1
)

PRESETS = {
    "ild-photon-clumps": ClumpsConfig(
        flows=_flows(
            _SIZES.model_copy(update={"blocks": 6, "hidden": 48, "baseline_hidden": 32}),
            _SIZES.model_copy(
                update={
                    "blocks": 3,
                    "hidden": 64,
                    "hidden_layers": 1,
                    "baseline_hidden": 96,
                    "dropout": 0.05,
                }
            ),
        )
    ),
    "tiny-clumps": ClumpsConfig(flows=_flows(_TINY, _TINY), library=LibraryConfig(showers=20)),
}


def preset(name: str) -> ClumpsConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny-clumps` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").core_cells
        64
    """
    if name not in PRESETS:
        msg = f"no preset is called {name!r}; there are {', '.join(PRESETS)}"
        raise ValueError(msg)
    return PRESETS[name]
