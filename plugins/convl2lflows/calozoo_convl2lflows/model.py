"""ConvL2LFlows: generator of photon showers on a regular grid, layer after layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calozoo_convl2lflows.calibration import corrected_energy, moved_inward
from calozoo_convl2lflows.cell_sampling import CellSampler, cells_layout
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.energy_sampling import LayerEnergySampler, energies_layout
from calozoo_convl2lflows.grid import SubCells, positions
from calozoo_convl2lflows.subcell_sampling import SubCellSampler, subcells_layout
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights.layout import Layout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["ConvL2LFlows", "Pipeline", "streams"]

PITCH_TOLERANCE = 1e-3


class Pipeline:
    """Generation of sub-cells: layer energies, cells, sub-cells, calibration.

    Arguments:
        trained: Configuration and arrays of the trained flows.
    """

    def __init__(self, trained: TrainedArrays[ConvL2LConfig]) -> None:
        self.config, grid = trained.config, trained.config.grid
        self.energies = LayerEnergySampler(grid.layers, trained.part("energies"))
        self.cells = CellSampler(grid, self.config.cells, trained.part("cells"))
        self.subcells = SubCellSampler(grid, trained.part("subcells"))

    def __call__(self, primary: Float32Array, seed: int, first: int) -> SubCells:
        """Sub-cells with energy.

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            seed: Seed of the sample.
            first: Number of the first of these showers in the whole sample.
        """
        n = len(primary)
        energies = self.energies(streams(n, seed, first, "energies"), primary)
        cells = self.cells(streams(n, seed, first, "cells"), primary, energies)
        noise = streams(n, seed, first, "subcells")
        return self._calibrated(self.subcells(noise, cells, primary, energies), energies)

    def _calibrated(self, filled: SubCells, energies: Float32Array) -> SubCells:
        """Sub-cells with the corrected spectrum, scaled to the energies of their layers."""
        energy = corrected_energy(filled.energy, self.config.calibration.spectrum)
        layer = filled.shower * self.config.grid.layers + filled.layer
        layer_energy = energies.ravel()
        total = np.bincount(layer, energy, minlength=len(layer_energy))
        factor = layer_energy / np.maximum(total, 1e-12)
        return filled._replace(energy=(energy * factor[layer]).astype(np.float32))


class ConvL2LFlows(NetworkGenerator[ConvL2LConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL on a regular grid.

    A flow samples the energy of every layer. Layer after layer, a convolutional flow fills the
    cells, given the layers before, and another splits the cells that were hit into 3 x 3 sub-cells.
    The grid stands in a box around the shower axis, each layer shifted by p_x/p_z and p_y/p_z times
    its depth; points are uniform in their sub-cell, and near the axis closer to it.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407
        | Full physics benchmark, https://arxiv.org/abs/2511.17293

    Arguments:
        spec: Spec it was registered with.
        trained: Trained flows.
        device: Always "cpu".
        precision: Always "float32"; in bfloat16 other sub-cells would be hit.

    Raises:
        WeightsError: If the grid does not fit the layers of the detector.
    """

    schema = ConvL2LConfig
    shares_batches = True
    interfaces = ("ddml-points", "ddml-x9")

    @classmethod
    def layout(cls, config: ConvL2LConfig) -> Layout:
        return (
            prefixed("energies", energies_layout(config.grid.layers, config.energies))
            | prefixed("subcells", subcells_layout(config.grid, config.subcells))
            | prefixed("cells", cells_layout(config.grid, config.cells))
        )

    def exported(self, interface: str) -> ExportedModel:
        """Module of one shower in torch alone."""
        if interface not in self.interfaces:
            return super().exported(interface)
        from calozoo_convl2lflows.exported import (
            ExportedGrid,
            ExportedPoints,
            Flows,
            ShowerOfSubCells,
        )
        from calozoo_convl2lflows.trained import TrainedConvL2LFlows

        config = self.trained.config
        if not config.cells.shared:
            msg = f"{self.spec.name} has a flow for each layer; only a shared one can be exported."
            raise InputError(msg)
        trained = TrainedConvL2LFlows.from_arrays(self.trained)
        flows = Flows(trained.energies, trained.cells.of(0), trained.subcells)
        shower = ShowerOfSubCells(flows, config)
        if interface == "ddml-x9":
            return ExportedGrid(shower, config).eval()
        depths = load_detector(self.spec.detector).layer_depth_mm.tolist()
        return ExportedPoints(shower, config, depths).eval()

    def prepare(self) -> None:
        _check_grid(self.trained.config, load_detector(self.spec.detector))
        self._pipeline = Pipeline(self.trained)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_in_parts(self._sample, incident, seed, first)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        primary = primary_features(incident.energy, incident.direction)
        filled = self._pipeline(primary, seed, first)
        counts = np.bincount(filled.shower, minlength=len(incident))
        x, y = self._upright_positions(filled, counts, seed, first)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        layer = filled.layer.astype(np.uint8)
        return self.showers_from_upright(incident, offsets, x, y, layer, filled.energy)

    def _upright_positions(
        self, filled: SubCells, counts: IntArray, seed: int, first: int
    ) -> tuple[Float32Array, Float32Array]:
        """Positions of the points in the upright frame, in mm."""
        uniform = [
            stream(seed, first + i, "positions").random((2, count), np.float32)
            for i, count in enumerate(counts)
        ]
        config = self.trained.config
        inside = moved_inward(
            filled.row,
            filled.column,
            np.concatenate(uniform, axis=1),
            config.calibration.inward,
            config.grid.side,
        )
        return positions(filled.row, filled.column, inside, config.grid)


def streams(n: int, seed: int, first: int, purpose: str) -> list[np.random.Generator]:
    """Random streams of n showers, of which the first is number `first` of the sample."""
    return [stream(seed, first + i, purpose) for i in range(n)]


def _check_grid(config: ConvL2LConfig, detector: Detector) -> None:
    grid = config.grid
    fits = abs(grid.cell_mm / detector.cell_mm - 1) < PITCH_TOLERANCE
    if grid.layers != detector.n_layers or not fits:
        rows, columns = grid.shape
        msg = (
            f"These weights fill a grid of {grid.layers} x {rows} x {columns} sub-cells with cells "
            f"of {grid.cell_mm:g} mm, and {detector.name} has {detector.n_layers} layers and "
            f"cells of {detector.cell_mm:g} mm; load weights that were trained for it."
        )
        raise WeightsError(msg)
