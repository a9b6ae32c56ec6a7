"""Configuration (config.json) of a CaloINN on cylinders, and presets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from calozoo_caloinn.config import CodecConfig, InnConfig
from calozoo_core.strict_model import StrictModel
from calozoo_core.voxels import DATASETS, CylinderVoxels

__all__ = ["CylinderConfig", "SectorsConfig", "preset"]

OF_SHOWER = 1
"""Width of the condition of the visible energy: ln E. The showers have normal incidence."""

OF_LAYER = 10
"""Width of the condition of a layer: see `autoregressive.layer_condition`."""

OF_RINGS = 7
"""Width of the condition of rings beside earlier ratios: see `autoregressive.ring_condition`."""

EARLIER = 3
"""Sets of earlier ratios: those of two layers before, and of the sum of all before."""


class SectorsConfig(StrictModel):
    """Sizes of the tables that divide rings into sectors.

    Arguments:
        zones: Groups of neighbouring layers; those of a group share what follows.
        levels: Energies of a ring at which divisions of Geant4's are kept.
        members: Number of divisions kept at each.
        ranked: Number of rings of a kind on which the ranking of sectors is fitted, at most.
    """

    zones: int = Field(default=5, ge=1, le=255)
    levels: int = Field(default=24, ge=2, le=64)
    members: int = Field(default=48, ge=2, le=4096)
    ranked: int = Field(default=3000, ge=1)


class CylinderConfig(StrictModel):
    """Configuration of a CaloINN on the voxels of the CaloChallenge.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "caloinn-cylinder".
        dataset: Data set that defines the voxels.
        codec: Encoding of ring energies.
        sectors: Tables that divide rings into voxels.
        visible: The network of the visible energy.
        layers: The network of the ratio of a layer, the same for all layers.
        rings: The network of the ratios of its rings, the same for all layers.
        fitted_on: Name of the showers that the tables were fitted on.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["caloinn-cylinder"] = "caloinn-cylinder"
    dataset: Literal["dataset2", "dataset3"] = "dataset2"
    codec: CodecConfig
    sectors: SectorsConfig = SectorsConfig()
    visible: InnConfig
    layers: InnConfig
    rings: InnConfig
    fitted_on: str = "not fitted"

    @property
    def voxels(self) -> CylinderVoxels:
        """Voxels of the data set."""
        return DATASETS[self.dataset]

    @property
    def n_sectors(self) -> int:
        """Number of sectors of a ring."""
        return self.voxels.layers[0].n_alpha

    @model_validator(mode="after")
    def _parts_fit(self) -> CylinderConfig:
        codec, own = self.codec, (len(self.voxels.layers), self.voxels.layers[0].n_r)
        if (codec.layers, codec.voxels, codec.kind) != (*own, "ratios"):
            msg = f"{self.dataset} has {own[0]} layers of {own[1]} rings, as ratios"
            raise ValueError(msg)
        ratios = codec.voxels - 1
        wanted = {
            "visible": (1, OF_SHOWER),
            "layers": (1, OF_LAYER),
            "rings": (ratios, OF_RINGS + EARLIER * ratios),
        }
        for name, sizes in wanted.items():
            part = getattr(self, name)
            if (part.dim, part.conditions) != sizes:
                msg = f"{name} needs dim and conditions {sizes}, not {part.dim, part.conditions}"
                raise ValueError(msg)
        return self


_LAYERS, _RINGS = 45, 9


def _sized(dim: int, conditions: int, **sizes: float) -> InnConfig:
    """Sizes of an invertible network, with those that all have in common."""
    shared = {"bins": 8, "bound": 8.0, "hidden_layers": 2, "baseline_head": dim}
    return InnConfig.model_validate({"dim": dim, "conditions": conditions} | shared | sizes)


def _config(
    visible: dict[str, float], layers: dict[str, float], rings: dict[str, float]
) -> CylinderConfig:
    ratios = _RINGS - 1
    return CylinderConfig(
        codec=CodecConfig(layers=_LAYERS, voxels=_RINGS, noise_mev=0.002, visible=0.032),
        visible=_sized(1, OF_SHOWER, **visible),
        layers=_sized(1, OF_LAYER, **layers),
        rings=_sized(ratios, OF_RINGS + EARLIER * ratios, **rings),
    )


_TINY: dict[str, float] = {"blocks": 1, "hidden": 8, "baseline_hidden": 8}
_PRESETS = {
    "calochallenge2-electron": _config(
        {"blocks": 1, "hidden": 16, "baseline_hidden": 16},
        {"blocks": 1, "hidden": 48, "baseline_hidden": 48, "dropout": 0.02},
        {"blocks": 3, "hidden": 48, "baseline_hidden": 48, "dropout": 0.02},
    ),
    "tiny": _config(_TINY, _TINY, _TINY).model_copy(
        update={"sectors": SectorsConfig(zones=2, levels=3, members=4, ranked=200)}
    ),
}


def preset(name: str) -> CylinderConfig:
    """Named configuration: `calochallenge2-electron`, or `tiny` for tests.

    Example:
        >>> preset("calochallenge2-electron").voxels.n_voxels
        6480
    """
    return _PRESETS[name]
