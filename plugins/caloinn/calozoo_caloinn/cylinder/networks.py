"""The networks of a CaloINN on cylinders."""

from __future__ import annotations

from typing import NamedTuple

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.inn import Inn

__all__ = ["Networks", "built"]


class Networks(NamedTuple):
    """The three networks.

    Arguments:
        visible: Of the visible over the incident energy, given ln E.
        layers: Of what a layer takes of what is left, given what `walk.told_of_layer` says.
        rings: Of the ratios of its rings, given what `walk.told_of_rings` says.
    """

    visible: Inn
    layers: Inn
    rings: Inn


def built(config: CylinderConfig) -> Networks:
    """Untrained."""
    return Networks(Inn(config.visible), Inn(config.layers), Inn(config.rings))
