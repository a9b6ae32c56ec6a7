"""What config.json of a CaloINN on cylinders says, and the sizes that have a name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from calozoo_caloinn.config import CodecConfig, InnConfig
from calozoo_core.strict_model import StrictModel
from calozoo_core.voxels import DATASETS, CylinderVoxels

__all__ = ["CylinderConfig", "SectorsConfig", "preset"]

OF_SHOWER = 1
"""What the network of the visible energy is told: ln E. The showers go straight in."""

OF_LAYER = 10
"""What the network of the layers is told of each: see `walk.told_of_layer`."""

OF_RINGS = 7
"""What that of the rings is told, besides the ratios of earlier rings: see `walk.told_of_rings`."""

EARLIER = 3
"""Sets of ratios it is told: those of two layers before, and of the sum of all before."""


class SectorsConfig(StrictModel):
    """How rings divide into sectors.

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
    """A trained CaloINN on the voxels of the CaloChallenge.

    Arguments:
        schema_version: Of this file.
        architecture: Always "caloinn-cylinder".
        dataset: Whose voxels they are.
        codec: From energies of rings to vectors.
        sectors: From rings to voxels.
        visible: The network of the visible energy.
        layers: The network of the ratio of a layer, the same for all layers.
        rings: The network of the ratios of its rings, the same for all layers.
        fitted_on: What the tables were fitted on.
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
        """The voxels."""
        return DATASETS[self.dataset]

    @property
    def n_sectors(self) -> int:
        """Sectors of a ring."""
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
    """An invertible network, with what they have in common."""
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
    """A named configuration: `calochallenge2-electron`, or `tiny` for tests.

    Example:
        >>> preset("calochallenge2-electron").voxels.n_voxels
        6480
    """
    return _PRESETS[name]
