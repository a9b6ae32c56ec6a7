"""Evaluation of voxels against a file of the CaloChallenge, by the challenge's own figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from calozoo.evaluation.accumulate import peak_mb
from calozoo.evaluation.evaluate import EvaluationReport, versions
from calozoo.evaluation.literature import published_figures
from calozoo.evaluation.plan import (
    IncidentSpectrum,
    SampleRecord,
    check_agreement,
    check_order,
    read_incident_spectrum,
)
from calozoo_core.errors import ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, calochallenge
from calozoo_core.metrics.voxel_comparison import (
    VoxelSample,
    VoxelSpectrum,
    compare_voxels,
    spectrum_binning,
)
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS, CylinderVoxels
from calozoo_core.weights import sha256

__all__ = ["are_voxels", "evaluate_voxels"]

DETECTOR: Final = "par04_siw"
PARTICLE: Final = "e-"
"""Particle of data sets 2 and 3; no file says it."""

_AT_ONCE: Final = 20
"""Showers of a native file that are read together: one of 1 TeV has hundreds of thousands of
steps."""

Block = tuple[FloatArray, FloatArray]
"""Incident energies, shape (n,), and voxels as the challenge has them, both in MeV."""


@dataclass(frozen=True)
class _VoxelFile:
    """File of showers that come as voxels, or are made voxels.

    Arguments:
        path: The file.
        is_native: Whether it has points, of which voxels are made.
        voxels: The voxels.
    """

    path: Path
    is_native: bool
    voxels: CylinderVoxels

    def blocks(self) -> Iterator[Block]:
        """Its showers, a block at a time."""
        if not self.is_native:
            for energy, values in calochallenge.read_blocks(self.path, self.voxels):
                yield energy, np.maximum(values, 0)
            return
        with ShowerFile(self.path) as file:
            for showers in file.batches(_AT_ONCE):
                filled, _ = self.voxels.fill(showers)
                rows = filled / calochallenge.SAMPLING_FRACTION
                rows[rows < calochallenge.THRESHOLD_MEV] = 0
                yield showers.incident.energy.astype(np.float64) * 1000, rows

    def spectrum(self) -> IncidentSpectrum:
        """Its incident particles."""
        if self.is_native:
            with ShowerFile(self.path) as file:
                return read_incident_spectrum(file)
        energy = calochallenge.read_energies(self.path) / 1000
        return IncidentSpectrum(self.path.name, PARTICLE, Incident(energy, (0, 0, 1), PARTICLE))

    def record(self, n_showers: int) -> SampleRecord:
        """Record of it in a report."""
        said = {"generator": "unknown", "seed": "unknown", "particle": PARTICLE}
        said |= {"representation": "voxels", "detector": DETECTOR}
        if self.is_native:
            with ShowerFile(self.path) as file:
                said = {name: str(getattr(file, name)) for name in said}
        return SampleRecord(
            file=self.path.name,
            sha256=sha256(self.path),
            n_showers=n_showers,
            cells="voxels",
            **said,
        )


def are_voxels(paths: Sequence[Path]) -> bool:
    """True if one of the files is in the CaloChallenge's layout, so that voxels are compared.

    Raises:
        ShowerFileError: If a file is missing, or no HDF5 file.
    """
    return any(calochallenge.is_challenge_file(path) for path in paths)


def evaluate_voxels(
    generated: Sequence[Path],
    reference: Path,
    *,
    classifier: bool = True,
    features: bool = False,
    seed: int = 0,
    on_start: Callable[[int], None] = lambda n: None,
    on_batch: Callable[[int], None] = lambda n: None,
    on_read: Callable[[], None] = lambda: None,
) -> tuple[EvaluationReport, ...]:
    """Reports on generated samples against a reference, as voxels of the CaloChallenge.

    Files are read a block at a time, the reference twice: its largest voxel says where bins end.
    Native files are made voxels as `calozoo export --to calochallenge` makes them.

    Arguments:
        generated: Files of models, native or in the challenge's layout.
        reference: File of Geant4, likewise; one of all files is in the challenge's layout.
        classifier: Whether the AUC is found; it needs 200 showers on either side.
        features: Whether the distances FPD and KPD are found; they need 1,000.
        seed: Of trees, draws and batches.
        on_start: Called with the number of showers in all files.
        on_batch: Called with the number of showers of each block that was read.
        on_read: Called when all files are read, before the figures are computed.

    Raises:
        ShowerFileError: If a file is missing, damaged, empty, or has other voxels than another.
        DetectorError: If a native file is of a detector whose layers do not fit the voxels.
        InputError: If the incident particles differ, or the files seem to be swapped.
    """
    start = perf_counter()
    *samples, truth = _files([*generated, reference])
    spectra = [file.spectrum() for file in (*samples, truth)]
    notes = [check_agreement(spectrum, spectra[-1]) for spectrum in spectra[:-1]]
    counts = [_count(file) for file in (*samples, truth)]
    on_start(sum(counts) + counts[-1])
    target = VoxelSample(truth.voxels, calochallenge.THRESHOLD_MEV)
    for energy, values in truth.blocks():
        target.add(energy, values)
        on_batch(len(energy))
    binning = spectrum_binning(target)
    if binning is None:
        msg = f"All voxels of {reference} are empty; give another reference."
        raise ShowerFileError(msg)
    of_target = VoxelSpectrum(binning)
    for energy, values in truth.blocks():
        of_target.add(values)
        on_batch(len(energy))
    read = []
    for file in samples:
        sample, spectrum = VoxelSample(file.voxels, target.threshold_mev), VoxelSpectrum(binning)
        for energy, values in file.blocks():
            sample.add(energy, values)
            spectrum.add(values)
            on_batch(len(energy))
        read.append((sample, spectrum))
    on_read()
    figures = [
        compare_voxels(
            sample,
            target,
            (spectrum, of_target),
            classifier=classifier,
            distances=features,
            seed=seed,
        )
        for sample, spectrum in read
    ]
    of_reference = truth.record(counts[-1])
    return tuple(
        EvaluationReport(
            generated=(record := file.record(count)),
            reference=of_reference,
            readout=f"the CaloChallenge's {_dataset(truth.voxels)}",
            threshold_mev=target.threshold_mev,
            seed=seed,
            notes=tuple(remarks),
            figures=found,
            published=published_figures(record.generator),
            workers=1,
            seconds=round(perf_counter() - start, 2),
            peak_mb=round(peak_mb(), 1),
            versions=versions(),
        )
        for file, count, remarks, found in zip(samples, counts, notes, figures, strict=False)
    )


def _files(paths: Sequence[Path]) -> list[_VoxelFile]:
    """The files, once it is clear that they have the same voxels, and are not swapped.

    Raises:
        ShowerFileError: If they have not.
        InputError: If Geant4's is among the generated ones, and a model's is the reference.
    """
    native = [not calochallenge.is_challenge_file(path) for path in paths]
    first = paths[native.index(False)]
    dataset = calochallenge.dataset_of(first)
    for path, has_points in zip(paths, native, strict=True):
        if not has_points and (other := calochallenge.dataset_of(path)) != dataset:
            msg = f"{path} has the voxels of {other}, and {first} those of {dataset}."
            raise ShowerFileError(msg)
    if native[-1]:
        with ShowerFile(paths[-1]) as reference:
            for path, has_points in zip(paths[:-1], native, strict=False):
                if has_points:
                    with ShowerFile(path) as file:
                        check_order(file, reference)
    return [
        _VoxelFile(path, has_points, DATASETS[dataset])
        for path, has_points in zip(paths, native, strict=True)
    ]


def _count(file: _VoxelFile) -> int:
    if file.is_native:
        with ShowerFile(file.path) as opened:
            n = len(opened)
    else:
        n = len(calochallenge.read_energies(file.path))
    if n == 0:
        msg = f"{file.path} holds no showers; make it again."
        raise ShowerFileError(msg)
    return n


def _dataset(voxels: CylinderVoxels) -> str:
    name = next(name for name, known in DATASETS.items() if known is voxels)
    return name.replace("dataset", "data set ")
