"""Configuration of a CaloINN on clumps, and its named sizes."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from calozoo_caloinn.config import CONDITIONS, CaloInnConfig, CodecConfig, InnConfig, RingsConfig
from calozoo_core.clumps.core_config import CORE_EDGES_MM, LAYERS, CoreEdges
from calozoo_core.strict_model import StrictModel

__all__ = ["PRESETS", "ClumpsConfig", "preset"]

CORE_RINGS = len(CORE_EDGES_MM)


class ClumpsConfig(StrictModel):
    """Configuration of a CaloINN on clumps.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "caloinn".
        variant: Always "clumps".
        flows: The flows of the layers and rings of the core.
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        fitted_on: Name of the showers that the calibration was fitted on.
    """

    schema_version: Literal[2] = 2
    architecture: Literal["caloinn"] = "caloinn"
    variant: Literal["clumps"] = "clumps"
    flows: CaloInnConfig
    core_edges_mm: CoreEdges
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _rings_are_those_of_the_core(self) -> ClumpsConfig:
        edges = self.flows.rings.edges_mm
        if self.core_edges_mm[:-1] != edges:
            msg = f"the rings of the flows {edges} must be those of the core {self.core_edges_mm}"
            raise ValueError(msg)
        return self

    @property
    def core_rings(self) -> int:
        """Number of rings whose energies the flows sample."""
        return self.flows.rings.number


def _flows(layers: InnConfig, inn: InnConfig) -> CaloInnConfig:
    codec = CodecConfig(layers=LAYERS, voxels=CORE_RINGS, visible=0.019)
    return CaloInnConfig(
        codec=codec,
        rings=RingsConfig(edges_mm=CORE_EDGES_MM[:-1]),
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
        ),
        core_edges_mm=CORE_EDGES_MM,
    ),
    "tiny-clumps": ClumpsConfig(flows=_flows(_TINY, _TINY), core_edges_mm=CORE_EDGES_MM),
}


def preset(name: str) -> ClumpsConfig:
    """Named configuration: `ild-photon-clumps` is what calozoo trains, `tiny-clumps` for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon-clumps").core_rings
        5
    """
    if name not in PRESETS:
        msg = f"no preset is called {name!r}; there are {', '.join(PRESETS)}"
        raise ValueError(msg)
    return PRESETS[name]
