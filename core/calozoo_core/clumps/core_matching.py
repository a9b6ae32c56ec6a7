"""Match of cores with layers of Geant4 showers, which then lend them halo and azimuth.

Of the showers nearest to a core as a whole, each layer takes the one whose rings are most like its
own in that layer: a bright ring is divided as a bright one, and what lies outside a layer goes with
what lies inside. Layers of a shower come from several showers then, but of one lean: what pulls the
centre of gravity to one side does so in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.energy_levels import LEVEL_MEV
from calozoo_core.clumps.library_config import LAYERS_APART, HaloLibraryConfig
from calozoo_core.incident import Incident
from calozoo_core.kernels import use_compiled
from calozoo_core.typing import Float32Array, FloatArray, IntArray

__all__ = ["CoreMatcher", "core_features"]

_MIRRORED_FEATURE: Final = 4
"""Index of p_x, the feature that changes its sign in the mirror."""


@dataclass(frozen=True, eq=False)
class CoreMatcher:
    """Finder of the layers of a library's showers that fit the layers of a core.

    Arguments:
        config: Metrics.
        features: `core_features` of each shower, the first of them growing, shape (n_showers, 8).
        core: Levels of the energies of its rings, shape (n_showers, n_layers, core_rings).
        lean: Its centre of gravity in x' and y', in mm, shape (n_showers, 2).
    """

    config: HaloLibraryConfig
    features: Float32Array
    core: NDArray[np.uint8]
    lean: Float32Array

    def __call__(self, core: Float32Array, incident: Incident, coin: Float32Array) -> IntArray:
        """Shower that each layer takes, shape (n, n_layers).

        Numbers from `len(features)` on are mirror images.

        Arguments:
            core: Energies of the rings of the core, in MeV, shape (n, n_layers, core_rings).
            incident: The n primaries.
            coin: Uniform random numbers, shape (n,).
        """
        numbers, apart = self.nearest(core_features(core, incident))
        floor = np.float32(self.config.floor_mev)
        rings = np.log(core + floor)
        layers = np.log(_layer_sums(core) + floor)
        if use_compiled():
            return self._compiled_match(numbers, apart, rings, layers, coin)
        apart = self._layers_apart(numbers, apart, rings, layers)
        total = np.zeros(numbers.shape)
        for layer in range(apart.shape[2]):
            total += apart[:, :, layer]
        alike = np.argsort(total, axis=1, kind="stable")[:, : self.config.references]
        rows = np.arange(len(numbers))
        own = alike[rows, (coin.astype(np.float64) * alike.shape[1]).astype(np.int64)]
        lean = self._leans(numbers)
        aside = (lean - lean[rows, own][:, None]) ** 2
        apart += (self.config.lean_weight * (aside[..., 0] + aside[..., 1]))[..., None]
        return np.take_along_axis(numbers, apart.argmin(axis=1), axis=1)

    def nearest(self, features: FloatArray) -> tuple[IntArray, FloatArray]:
        """Showers nearest as a whole: their numbers and squared distances, shape (n, candidates).

        Of those that are equally near the first comes first: a primary with p_x = 0 is as near to a
        shower as to its mirror image.

        Arguments:
            features: As `core_features` gives them, shape (n, 8).
        """
        own = self._scaled
        asked = features * np.array(self.config.metric)
        window = min(self.config.window, len(own))
        candidates = min(self.config.candidates, 2 * window)
        if use_compiled():
            return _compiled_nearest(own, asked, window, candidates)
        start = np.clip(np.searchsorted(own[:, 0], asked[:, 0]) - window // 2, 0, len(own) - window)
        there = own[start[:, None] + np.arange(window)]
        # Sums of each row by itself: which is nearest must not depend on the size of a batch.
        direct = ((there - asked[:, None]) ** 2).sum(axis=2)
        sideways = 4 * there[:, :, _MIRRORED_FEATURE] * asked[:, None, _MIRRORED_FEATURE]
        apart = np.concatenate([direct, direct + sideways], axis=1)
        near = np.argsort(apart, axis=1, kind="stable")[:, :candidates]
        numbers = start[:, None] + near % window + (near >= window) * len(own)
        return numbers.astype(np.int64), np.take_along_axis(apart, near, axis=1)

    def _layers_apart(
        self, numbers: IntArray, apart: FloatArray, rings: Float32Array, layers: Float32Array
    ) -> FloatArray:
        """Distances of layers, shape (n, candidates, n_layers)."""
        row = numbers % len(self.core)
        there = self._level_logs[self.core[row]]
        total = np.repeat((self.config.shower_weight * apart)[..., None], layers.shape[1], axis=2)
        for ring in range(rings.shape[2]):
            total += (there[..., ring].astype(np.float64) - rings[:, None, :, ring]) ** 2
        place = np.arange(layers.shape[1])
        for step, weight in zip(LAYERS_APART, self.config.layer_weights, strict=True):
            beside = np.clip(place + step, 0, len(place) - 1)
            theirs = self._layer_logs[row][..., beside].astype(np.float64)
            total += weight * (theirs - layers[:, None, beside]) ** 2
        return total

    def _leans(self, numbers: IntArray) -> FloatArray:
        lean = self.lean[numbers % len(self.lean)].astype(np.float64)
        lean[..., 0] *= np.where(numbers >= len(self.lean), -1, 1)
        return lean

    def _compiled_match(
        self,
        numbers: IntArray,
        apart: FloatArray,
        rings: Float32Array,
        layers: Float32Array,
        coin: Float32Array,
    ) -> IntArray:
        from calozoo_core.kernels import _compiled

        found = np.empty(layers.shape, np.int64)
        _compiled.match_layers(
            numbers,
            apart,
            np.ascontiguousarray(rings, np.float32),
            np.ascontiguousarray(layers, np.float32),
            np.asarray(coin, np.float64),
            self.core,
            self._level_logs,
            self._layer_logs,
            self.lean,
            np.array(LAYERS_APART, np.int32),
            np.array(
                [self.config.shower_weight, self.config.lean_weight, *self.config.layer_weights]
            ),
            found,
            self.config.references,
        )
        return found

    @cached_property
    def _scaled(self) -> FloatArray:
        scaled: FloatArray = self.features.astype(np.float64) * np.array(self.config.metric)
        return scaled

    @cached_property
    def _level_logs(self) -> Float32Array:
        logs: Float32Array = np.log(LEVEL_MEV + np.float32(self.config.floor_mev))
        return logs

    @cached_property
    def _layer_logs(self) -> Float32Array:
        sums = np.zeros(self.core.shape[:2], np.float32)
        for ring in range(self.core.shape[2]):
            sums += LEVEL_MEV[self.core[:, :, ring]]
        logs: Float32Array = np.log(sums + np.float32(self.config.floor_mev))
        return logs


def core_features(core: FloatArray | Float32Array, incident: Incident) -> FloatArray:
    """Features in which showers are near to each other, shape (n, 8).

    ln E, mean layer and width in layers of the core, ln of its energy in MeV over E in GeV, p_x,
    p_y, and ln of the parts of its energy in the innermost and in the outermost ring: a core beside
    the axis has little in the first and much in the last.

    Arguments:
        core: Energies of the rings of the core, in MeV, shape (n, n_layers, rings).
        incident: The n primaries.
    """
    by_layer = core.sum(axis=2, dtype=np.float64)
    total = np.maximum(by_layer.sum(axis=1), 1e-3)
    layer = np.arange(core.shape[1])
    # Row by row: a product of matrices may depend on how many there are.
    mean = (by_layer * layer).sum(axis=1) / total
    width = np.sqrt(np.maximum((by_layer * layer**2).sum(axis=1) / total - mean**2, 0))
    log_energy = np.log(incident.energy.astype(np.float64))
    inner, outer = (
        np.log(core[:, :, ring].sum(axis=1, dtype=np.float64) / total + 1e-2) for ring in (0, -1)
    )
    shape = [log_energy, mean, width, np.log(total) - log_energy]
    direction = incident.direction.astype(np.float64)
    return np.column_stack([*shape, direction[:, 0], direction[:, 1], inner, outer])


def _layer_sums(core: Float32Array) -> Float32Array:
    sums = np.zeros(core.shape[:2], np.float32)
    for ring in range(core.shape[2]):
        sums += core[:, :, ring]
    return sums


def _compiled_nearest(
    own: FloatArray, asked: FloatArray, window: int, candidates: int
) -> tuple[IntArray, FloatArray]:
    from calozoo_core.kernels import _compiled

    numbers = np.empty((len(asked), candidates), np.int64)
    apart = np.empty(numbers.shape)
    _compiled.nearest_showers(
        own,
        np.ascontiguousarray(asked),
        numbers,
        apart,
        own.shape[1],
        window,
        candidates,
        _MIRRORED_FEATURE,
    )
    return numbers, apart
