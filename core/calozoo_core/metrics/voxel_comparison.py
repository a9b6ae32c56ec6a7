"""Comparison of two samples of voxels by the CaloChallenge's own figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError
from calozoo_core.metrics.classifier import classifier_auc
from calozoo_core.metrics.divergence import mean_separation_power, separation_power
from calozoo_core.metrics.features import frechet_distance, kernel_distance
from calozoo_core.metrics.result import MetricResult
from calozoo_core.metrics.sample_distances import (
    HALVES,
    SampleSizes,
    estimates,
    histogram_distance,
)
from calozoo_core.observables.accumulator import BLOCKS, block_of
from calozoo_core.observables.definitions import Binning, Observable
from calozoo_core.observables.histogram import Histogram
from calozoo_core.observables.voxel_features import LAYER_QUANTITIES, VoxelFeatures
from calozoo_core.typing import FloatArray, IntArray
from calozoo_core.voxels import CylinderVoxels

__all__ = ["VoxelSample", "VoxelSpectrum", "compare_voxels", "spectrum_binning"]

_SOURCE: Final = "CaloChallenge, arXiv:2410.21611, with the bins of its evaluation"
_LAYER_ENERGY_BINS: Final = 39
_VOXEL_ENERGY_BINS: Final = 49

_FEWEST_BLOCKS: Final = 10
"""Blocks of showers with an entry, without which a figure has no error."""

_BINS: Final = {
    "centre_eta": (-30.0, 30.0, 100, "mm"),
    "centre_phi": (-30.0, 30.0, 100, "mm"),
    "centre_r": (0.0, 42.0, 100, "mm"),
    "width_eta": (0.0, 30.0, 100, "mm"),
    "width_phi": (0.0, 30.0, 100, "mm"),
    "width_r": (0.0, 20.0, 100, "mm"),
    "sparsity": (0.0, 1.0, 20, ""),
}
"""Lowest and highest value, number of bins and unit, as for data sets 2 and 3."""

_DISTANCES: Final[Mapping[str, Callable[..., tuple[float, float]]]] = {
    "auc": classifier_auc,
    "fpd": frechet_distance,
    "kpd": kernel_distance,
}


class VoxelSample:
    """Features of a sample of voxels, gathered batch by batch.

    Arguments:
        voxels: What the voxels are.
        threshold_mev: Energy below which a voxel counts as empty.
    """

    def __init__(self, voxels: CylinderVoxels, threshold_mev: float) -> None:
        self.voxels, self.threshold_mev = voxels, threshold_mev
        self.largest_mev = 0.0
        self._parts: list[VoxelFeatures] = []

    def add(self, energy_mev: FloatArray, values: FloatArray) -> None:
        """Add showers, as `VoxelFeatures.of` takes them."""
        self.largest_mev = max(self.largest_mev, float(values.max(initial=0.0)))
        self._parts.append(VoxelFeatures.of(energy_mev, values, self.voxels, self.threshold_mev))

    @property
    def features(self) -> VoxelFeatures:
        """Features of all showers."""
        if len(self._parts) > 1:
            self._parts = [VoxelFeatures.concatenate(self._parts)]
        return self._parts[0]


class VoxelSpectrum:
    """Histogram of the energies of voxels, by block of showers.

    Arguments:
        binning: Its bins, from `spectrum_binning`.
    """

    def __init__(self, binning: Binning) -> None:
        self.binning = binning
        self.blocks = np.zeros((BLOCKS, binning.bins + 2))
        self._n = 0

    def add(self, values: FloatArray) -> None:
        """Add the voxels of showers, shape (n, n_voxels)."""
        block, width = block_of(self._n, len(values)), self.binning.bins + 2
        shower, voxel = np.nonzero(values >= self.binning.low)
        index = block[shower] * width + self.binning.index(values[shower, voxel])
        self.blocks += np.bincount(index, minlength=self.blocks.size).reshape(self.blocks.shape)
        self._n += len(values)


def spectrum_binning(reference: VoxelSample) -> Binning | None:
    """Bins of energies of voxels, up to the largest of the reference; None if all are empty."""
    return _energies(reference.threshold_mev, reference.largest_mev, _VOXEL_ENERGY_BINS)


def compare_voxels(
    generated: VoxelSample,
    reference: VoxelSample,
    spectra: tuple[VoxelSpectrum, VoxelSpectrum] | None,
    *,
    classifier: bool = True,
    distances: bool = False,
    seed: int = 0,
) -> tuple[MetricResult, ...]:
    """Separation powers of the challenge's histograms, and the AUC of its high-level features.

    Of quantities that each layer has there is the mean over the layers, and a figure for each
    layer, named `voxels.quantity@layer i`. As in the challenge's program, what lies outside the
    bins is left out. The challenge's classifiers are networks; here trees see the same features.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        spectra: Energies of voxels of both; None if those of the reference are all empty.
        classifier: Whether to find the AUC, for which both need 200 showers.
        distances: Whether to find the distances FPD and KPD, for which both need 1,000.
        seed: Of trees, draws and batches.
    """
    mine, theirs = generated.features, reference.features
    blocks = tuple(block_of(0, len(features)) for features in (mine, theirs))
    ratio = Binning(low=0.5, high=float(np.nextafter(1.5, 2)), bins=100, unit="")
    pair = [
        _histogram("energy_ratio", ratio, features.energy_ratio, block)
        for features, block in zip((mine, theirs), blocks, strict=True)
    ]
    figures = [histogram_distance(pair[0], pair[1], "separation")]
    if spectra is not None:
        pair = [
            _of_blocks("voxel_energy", one.binning, one.blocks, block)
            for one, block in zip(spectra, blocks, strict=True)
        ]
        figures.append(histogram_distance(pair[0], pair[1], "separation"))
    for name in LAYER_QUANTITIES:
        figures += _of_layers(name, (mine, theirs), blocks, reference.threshold_mev)
    asked = (("auc",) if classifier else ()) + (("fpd", "kpd") if distances else ())
    return (*figures, *(_of_features(mine, theirs, metric, seed) for metric in asked))


def _of_layers(
    name: str,
    features: tuple[VoxelFeatures, VoxelFeatures],
    blocks: tuple[IntArray, ...],
    threshold_mev: float,
) -> list[MetricResult]:
    """Mean separation power over the layers, and that of each layer."""
    mine, theirs = (each.quantity(name).astype(np.float64) for each in features)
    sizes = SampleSizes(len(mine), len(theirs))
    pairs, figures = [], []
    for layer in range(theirs.shape[1]):
        part = f"{name}@layer {layer}"
        binning = _binning(name, threshold_mev, theirs[:, layer])
        if binning is None:
            reason = "No reference shower has energy in this layer."
            figures.append(_figure(part, sizes, reason=reason))
            continue
        pair = [
            _histogram(part, binning, values[:, layer], block).blocks[:, 1:-1]
            for values, block in zip((mine, theirs), blocks, strict=True)
        ]
        sums = [counts.sum(axis=0) for counts in pair]
        if min(np.count_nonzero(counts.any(axis=1)) for counts in pair) < _FEWEST_BLOCKS:
            reason = "Too few showers have anything in these bins."
            figures.append(_figure(part, sizes, reason=reason, binning=binning))
            continue
        value = separation_power(*sums)
        figures.append(_figure(part, sizes, value=value, binning=binning))
        pairs.append(pair)
    if not pairs:
        return [_figure(name, sizes, reason=figures[0].reason), *figures]

    generated, reference = (np.stack(each, axis=1) for each in zip(*pairs, strict=True))

    def mean(one: FloatArray, other: FloatArray) -> float:
        return mean_separation_power(one.sum(axis=0), other.sum(axis=0))

    filled: NDArray[np.bool_] = reference.sum(axis=2) > 0
    splits = [(a, b) for a, b in HALVES if (filled[a].any(axis=0) & filled[b].any(axis=0)).all()]
    found = estimates(
        lambda one, other: mean(generated[one], reference[other]),
        lambda one, other: mean(reference[one], reference[other]),
        sizes,
        power=1,
        splits=splits,
    )
    return [_figure(name, sizes, n_entries=len(pairs), **found), *figures]


def _of_features(
    mine: VoxelFeatures, theirs: VoxelFeatures, metric: str, seed: int
) -> MetricResult:
    """AUC or distance in the high-level features; its floor is that of halves of the reference."""
    distance = _DISTANCES[metric]
    generated, reference = mine.matrix(), theirs.matrix()
    found: dict[str, Any] = {}
    try:
        found["value"], found["error"] = distance(generated, reference, seed=seed)
    except CalozooError as refusal:
        found["reason"] = str(refusal)
    else:
        half = HALVES[0][0][block_of(0, len(reference))]
        try:
            floor = distance(reference[half], reference[~half], seed=seed)[0]
        except CalozooError:
            floor = None
        found |= {"noise_floor": floor, "half_floor": floor}
    return MetricResult(
        name="voxels.classifier" if metric == "auc" else "voxels.features",
        metric=metric,
        n_generated=len(generated),
        n_reference=len(reference),
        n_entries=reference.shape[1],
        source="the challenge's high-level features"
        + (", boosted trees in place of its network" if metric == "auc" else ""),
        **found,
    )


def _figure(name: str, sizes: SampleSizes, **found: Any) -> MetricResult:
    return MetricResult(
        name=f"voxels.{name}",
        metric="separation",
        n_generated=sizes.n_generated,
        n_reference=sizes.n_reference,
        source=_SOURCE,
        **found,
    )


def _binning(name: str, threshold_mev: float, reference: FloatArray) -> Binning | None:
    if name == "layer_energy":
        return _energies(threshold_mev, float(reference.max()), _LAYER_ENERGY_BINS)
    low, high, bins, unit = _BINS[name]
    return Binning(low=low, high=float(np.nextafter(high, np.inf)), bins=bins, unit=unit)


def _energies(low: float, high: float, bins: int) -> Binning | None:
    """Bins of equal width of the logarithm; the highest value lies in the last one."""
    if high <= low:
        return None
    highest = float(np.nextafter(high, np.inf))
    return Binning(low=low, high=highest, bins=bins, spacing="log", unit="MeV")


def _histogram(
    name: str, binning: Binning, values: NDArray[np.floating], block: IntArray
) -> Histogram:
    width = binning.bins + 2
    index = block * width + binning.index(values)
    counts = np.bincount(index, minlength=BLOCKS * width).reshape(BLOCKS, width)
    return _of_blocks(name, binning, counts.astype(np.float64), block)


def _of_blocks(name: str, binning: Binning, blocks: FloatArray, block: IntArray) -> Histogram:
    words = name.replace("_", " ") + (f" [{binning.unit}]" if binning.unit else "")
    observable = Observable(f"voxels.{name}", words, name, "shower", None, binning, _SOURCE)
    showers = np.bincount(block, minlength=BLOCKS).astype(np.float64)
    return Histogram(observable, blocks, showers, left_out=0)
