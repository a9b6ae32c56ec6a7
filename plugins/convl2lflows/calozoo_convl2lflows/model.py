"""ConvL2LFlows: how much energy each layer gets, and which of its sub-cells get it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_convl2lflows.generation import Pipeline
from calozoo_convl2lflows.grid import SubCells, positions
from calozoo_convl2lflows.layer_energies import primary_features
from calozoo_convl2lflows.radial_offset import inward
from calozoo_convl2lflows.weights_files import Trained, read, write
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import WeightsError
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.weights.networks import check_device, only_float32, weights_folder

__all__ = ["ConvL2LFlows"]

CHUNK = 64
"""Showers made together at most, so that memory stays bounded whatever the size of a batch."""

PITCH_TOLERANCE = 1e-3


class ConvL2LFlows(Generator):
    r"""Photon showers in the ILD Si-W ECAL on a regular grid.

    A flow draws the energy of every layer. Layer after layer, a convolutional flow fills the cells,
    given the layers before, and another splits the cells that were hit into 3 x 3 sub-cells. The
    grid stands in a box around the shower axis, each layer shifted by p_x/p_z and p_y/p_z times its
    depth; points lie anywhere in their sub-cell, near the axis towards it.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407
        | Full physics benchmark, https://arxiv.org/abs/2511.17293

    Arguments:
        spec: The spec it was registered with.
        trained: The trained flows.
        device: A torch device.

    Raises:
        WeightsError: If the grid does not fit the layers of the detector.
    """

    def __init__(self, spec: ModelSpec, trained: Trained, *, device: str = "cpu") -> None:
        super().__init__(spec, device=device)
        detector = load_detector(spec.detector)
        _check_grid(trained, detector)
        self.trained = trained
        for network in trained.networks.values():
            network.to(device).eval().requires_grad_(requires_grad=False)
        self._pipeline = Pipeline(trained)
        self._layer_depth_mm: NDArray[np.float32] = detector.layer_depth_mm.astype(np.float32)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> ConvL2LFlows:
        """Build it from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged, or do not fit each other or the detector.
            InputError: If the device or the precision is not to be had.
        """
        only_float32(spec, precision)  # a sub-cell is hit or not by a hair's breadth
        trained = read(weights_folder(spec, folder))
        check_device(device)
        return cls(spec, trained, device=device)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, as `load` reads them."""
        write(folder, self.trained)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
        parts = [self._sample(part, seed, first + start) for start, part in incident.batches(CHUNK)]
        return Showers.concatenate(parts)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        energy, direction = torch.from_numpy(incident.energy), torch.from_numpy(incident.direction)
        primary = primary_features(energy, direction).to(self._device)
        filled = self._pipeline(primary, seed, first)
        counts = np.bincount(filled.shower, minlength=len(incident))
        x, y = self._positions(filled, counts, seed, first)
        depth = self._layer_depth_mm[filled.layer]
        axis_x, axis_y = axis_positions(incident.direction, filled.shower, depth)
        return Showers(
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            x=x + axis_x,
            y=y + axis_y,
            layer=filled.layer.astype(np.uint8),
            energy=filled.energy,
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )

    def _positions(
        self, filled: SubCells, counts: NDArray[np.int64], seed: int, first: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where in their sub-cells the points lie, about the shower axis, in mm."""
        inside = [
            stream(seed, first + i, "positions").random((2, count), np.float32)
            for i, count in enumerate(counts)
        ]
        config = self.trained.config
        moved = inward(
            filled.row,
            filled.column,
            np.concatenate(inside, axis=1),
            config.calibration.inward,
            config.grid.side,
        )
        return positions(filled.row, filled.column, moved, config.grid)


def _check_grid(trained: Trained, detector: Detector) -> None:
    grid = trained.config.grid
    fits = abs(grid.cell_mm / detector.cell_mm - 1) < PITCH_TOLERANCE
    if grid.layers != detector.n_layers or not fits:
        rows, columns = grid.shape
        msg = (
            f"These weights fill a grid of {grid.layers} x {rows} x {columns} sub-cells with cells "
            f"of {grid.cell_mm:g} mm, and {detector.name} has {detector.n_layers} layers and "
            f"cells of {detector.cell_mm:g} mm; load weights that were trained for it."
        )
        raise WeightsError(msg)
