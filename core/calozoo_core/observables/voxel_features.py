"""Observables of the CaloChallenge: energies, centres, widths and sparsity of layers of voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray
from calozoo_core.voxels import CylinderVoxels, LayerBins

__all__ = ["LAYER_QUANTITIES", "VoxelFeatures"]

LAYER_QUANTITIES: Final = (
    "layer_energy",
    "centre_eta",
    "centre_phi",
    "centre_r",
    "width_eta",
    "width_phi",
    "width_r",
    "sparsity",
)
"""Quantities of each layer, in the order of `VoxelFeatures.layers`; eta and phi are the challenge's
names of x' and y'."""

_TINY: Final = 1e-16
_LOGARITHM_OFFSET: Final = 1e-8


@dataclass(frozen=True, eq=False)
class VoxelFeatures:
    """High-level features of the CaloChallenge, of n showers.

    References:
        | CaloChallenge, section 4: https://arxiv.org/abs/2410.21611

    Arguments:
        energy_mev: Incident energies, shape (n,).
        visible_mev: Energy of all voxels, shape (n,).
        layers: Energy in MeV, centres and widths in mm, and the share of empty voxels of each
            layer, shape (n, n_layers, 8), as `LAYER_QUANTITIES` names them. Of an empty layer
            centres and widths are 0.
    """

    energy_mev: FloatArray
    visible_mev: FloatArray
    layers: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        energy_mev: FloatArray,
        values: FloatArray,
        voxels: CylinderVoxels,
        threshold_mev: float = 0.0,
    ) -> Self:
        """Features of showers.

        Arguments:
            energy_mev: Incident energies, shape (n,) or (n, 1).
            values: Energies of voxels, in MeV, shape (n, n_voxels).
            voxels: What the voxels are.
            threshold_mev: Energy below which a voxel counts as empty.
        """
        kept = np.where(values >= threshold_mev, np.maximum(values, 0), 0.0)
        layers = np.zeros((len(kept), len(voxels.layers), len(LAYER_QUANTITIES)))
        for layer, (start, bins) in enumerate(zip(voxels.starts, voxels.layers, strict=True)):
            part = kept[:, start : start + bins.n_voxels]
            energy, *moments = (part @ _moments(bins)).T
            centres = np.array(moments[:3]) / (energy + _TINY)
            widths = np.sqrt(np.maximum(np.array(moments[3:]) / (energy + _TINY) - centres**2, 0))
            empty = 1 - np.count_nonzero(part, axis=1) / max(bins.n_voxels, 1)
            layers[:, layer] = np.column_stack([energy, *centres, *widths, empty])
        return cls(np.ravel(energy_mev), kept.sum(axis=1), layers.astype(np.float32))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Features of all showers of some batches."""
        return cls(
            np.concatenate([part.energy_mev for part in parts]),
            np.concatenate([part.visible_mev for part in parts]),
            np.concatenate([part.layers for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.energy_mev)

    @property
    def energy_ratio(self) -> FloatArray:
        """Energy of all voxels over incident energy, shape (n,)."""
        ratio: FloatArray = self.visible_mev / self.energy_mev
        return ratio

    def quantity(self, name: str) -> NDArray[np.float32]:
        """One of `LAYER_QUANTITIES`, shape (n, n_layers)."""
        return self.layers[:, :, LAYER_QUANTITIES.index(name)]

    def matrix(self) -> NDArray[np.float32]:
        """Input of the challenge's high-level classifier, shape (n, 2 + 8 n_layers).

        Energies enter as logarithms, lengths in units of 100 mm.
        """
        layers = self.layers / np.float32(100)
        layers[..., 0] = np.log10(self.layers[..., 0] + np.float32(_LOGARITHM_OFFSET))
        layers[..., -1] = self.layers[..., -1]
        ends = np.log10([self.energy_mev, self.visible_mev + _LOGARITHM_OFFSET])
        matrix: NDArray[np.float32] = np.column_stack(
            [*ends, layers.reshape(len(self), -1)]
        ).astype(np.float32)
        return matrix


def _moments(bins: LayerBins) -> FloatArray:
    """Contributions of a voxel to the sums of a layer for each MeV, shape (n_voxels, 7)."""
    edges = np.array(bins.r_edges_mm)
    alpha = 2 * np.pi * (np.arange(bins.n_alpha) + 0.5) / bins.n_alpha - np.pi
    r = np.tile((edges[1:] + edges[:-1]) / 2, bins.n_alpha)
    eta, phi = (r * np.repeat(side, bins.n_r) for side in (np.cos(alpha), np.sin(alpha)))
    return np.column_stack([np.ones(len(r)), eta, phi, r, eta**2, phi**2, r**2])
