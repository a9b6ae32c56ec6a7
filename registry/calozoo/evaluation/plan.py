"""Plan of an evaluation: which files can be compared, incidents alike, and which cells to read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from calozoo.evaluation.accumulate import FileReadout
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.observables import LEVELS
from calozoo_core.representation import PointKind, is_finer
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import FloatArray
from calozoo_core.weights import sha256

__all__ = [
    "EvaluationPlan",
    "IncidentSpectrum",
    "SampleRecord",
    "check_agreement",
    "check_order",
    "is_geant4",
    "kolmogorov_distance",
    "plan_evaluation",
    "read_incident_spectrum",
]


class SampleRecord(StrictModel):
    """Record of a shower file that was evaluated.

    Arguments:
        file: Name of the file.
        sha256: Hash of the file.
        n_showers: Number of showers.
        generator: Generator of the showers.
        seed: Seed of the generation.
        particle: PDG name of the incident particles.
        representation: Representation of the points.
        detector: Detector the showers were made for.
        cells: Source of the cells: "hits" in the file, points "placed" into the readout, points
            "merged" into cells of a detector without gaps, or "voxels" of the CaloChallenge.
    """

    file: str
    sha256: str
    n_showers: int
    generator: str
    seed: str
    particle: str
    representation: str
    detector: str
    cells: Literal["hits", "placed", "merged", "voxels"]


@dataclass(frozen=True)
class EvaluationPlan:
    """Plan of an evaluation.

    Arguments:
        generated: Records of the models' samples.
        reference: Record of the reference.
        readouts: Readout of each file, the reference last.
        notes: Remarks for the reader, for each generated sample.
    """

    generated: tuple[SampleRecord, ...]
    reference: SampleRecord
    readouts: tuple[FileReadout, ...]
    notes: tuple[tuple[str, ...], ...]


def plan_evaluation(
    generated: Sequence[Path], reference: Path, place: str | None, threshold_mev: float, seed: int
) -> EvaluationPlan:
    """Plan the evaluation of some files: check that they can be compared, and choose the readout.

    Arguments:
        generated: Shower files of models.
        reference: Shower file of Geant4.
        place: Detector that all showers are placed into; None to choose it by the files.
        threshold_mev: Energy below which cells are left out.
        seed: Seed of the grids of cells, where there is no detector with gaps.

    Raises:
        ShowerFileError: If a file is missing, damaged or empty.
        DetectorError: If the detectors cannot be compared, or there is no such detector.
        InputError: If the incident particles differ, or the files seem to be swapped.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(ShowerFile(path)) for path in (*generated, reference)]
        for file in files:
            if len(file) == 0:
                msg = f"{file.path} holds no showers; make it again."
                raise ShowerFileError(msg)
        for file in files[:-1]:
            check_order(file, files[-1])
        readout = _readout(files, None if place is None else load_detector(place))
        readouts = [_file_readout(file, readout, threshold_mev, seed, place) for file in files]
        readouts = _with_levels(_merged_like_the_last(readouts, files), files)
        spectra = [read_incident_spectrum(file) for file in files]
        records = [_record(file, one) for file, one in zip(files, readouts, strict=True)]
    notes = [
        (
            *check_agreement(spectrum, spectra[-1]),
            *_remarks(spectrum, record, records[-1], spectra[-1], is_placed=readout is not None),
            *_merging_remark(record, one),
        )
        for spectrum, record, one in zip(spectra[:-1], records[:-1], readouts[:-1], strict=True)
    ]
    return EvaluationPlan(tuple(records[:-1]), records[-1], tuple(readouts), tuple(notes))


def check_order(generated: ShowerFile, reference: ShowerFile) -> None:
    """Refuse files that seem to be swapped.

    Raises:
        InputError: If the generated one was made by Geant4, and the reference was not.
    """
    if is_geant4(generated.generator) and not is_geant4(reference.generator):
        msg = (
            f"{generated.path} was made by Geant4 and {reference.path}, the reference, by "
            f"{reference.generator}; give them the other way round."
        )
        raise InputError(msg)


def is_geant4(generator: str) -> bool:
    """True if a generator is Geant4, by its name."""
    return generator.partition(".")[0].partition(" ")[0].lower() == "geant4"


def _readout(files: Sequence[ShowerFile], place: Detector | None) -> Detector | None:
    """Detector whose cells are read out; None for cells without gaps."""
    if place is not None:
        return place
    with_hits = {file.hits_detector for file in files}
    if len(with_hits) == 1 and (name := with_hits.pop()) is not None:
        return load_detector(name)
    own = load_detector(files[-1].detector)
    if own.barrel or own.endcap or own.cylinder:
        return own
    for file in files:
        if file.detector != own.name:
            msg = (
                f"{file.path} holds showers in {file.detector} and {files[-1].path} in {own.name}; "
                "add place=DETECTOR to put them into one."
            )
            raise DetectorError(msg, argument="place=DETECTOR")
    return None


def _file_readout(
    file: ShowerFile,
    readout: Detector | None,
    threshold_mev: float,
    seed: int,
    place: str | None,
) -> FileReadout:
    name = None if readout is None else readout.name
    # A detector of one's own is known by the file it was read from only.
    own = readout if readout is not None and file.detector == name else None
    use_hits = (
        place is None
        and readout is not None
        and file.hits_detector == name
        and file.hits_threshold_mev <= threshold_mev
    )
    if readout is not None and not use_hits and file.incident(slice(0, 1)).position is None:
        msg = (
            f"{file.path} does not say where its showers enter {name}; generate them with "
            f"`calozoo generate --place {name}`."
        )
        raise InputError(msg)
    return FileReadout(
        path=file.path,
        detector=own or load_detector(file.detector),
        readout=readout,
        use_hits=use_hits,
        threshold_mev=threshold_mev,
        seed=seed,
    )


def _merged_like_the_last(
    readouts: Sequence[FileReadout], files: Sequence[ShowerFile]
) -> list[FileReadout]:
    """Readouts that merge points which are finer than those of the reference.

    A point carries all the energy of its square into one cell, so coarser points have fewer small
    cells, also if all else is equal. Hits are as they are.
    """
    reference = files[-1]
    if readouts[-1].use_hits:
        return list(readouts)
    return [
        replace(readout, merge_to=reference.representation)
        if file.detector == reference.detector
        and not readout.use_hits
        and is_finer(file.representation, reference.representation)
        else readout
        for readout, file in zip(readouts, files, strict=True)
    ]


def _with_levels(readouts: Sequence[FileReadout], files: Sequence[ShowerFile]) -> list[FileReadout]:
    """Readouts with the points of those files that have the same points as the reference."""
    *kinds, of_reference = (
        PointKind(readout.merge_to or file.representation, file.detector)
        for readout, file in zip(readouts, files, strict=True)
    )
    have_points = [kind == of_reference for kind in kinds]
    return [
        replace(readout, levels=LEVELS if has_points else LEVELS[1:])
        for readout, has_points in zip(readouts, [*have_points, any(have_points)], strict=True)
    ]


def _record(file: ShowerFile, readout: FileReadout) -> SampleRecord:
    cells: Literal["hits", "placed", "merged"] = "merged" if readout.readout is None else "placed"
    return SampleRecord(
        file=file.path.name,
        sha256=sha256(file.path),
        n_showers=len(file),
        generator=file.generator,
        seed=file.seed,
        particle=file.particle,
        representation=file.representation,
        detector=file.detector,
        cells="hits" if readout.use_hits else cells,
    )


def _remarks(
    spectrum: IncidentSpectrum,
    record: SampleRecord,
    reference: SampleRecord,
    of_reference: IncidentSpectrum,
    *,
    is_placed: bool,
) -> list[str]:
    remarks = []
    if not is_geant4(reference.generator):
        remarks.append(f"The reference was made by {reference.generator}, not by Geant4.")
    if record.sha256 == reference.sha256:
        remarks.append(f"{record.file} and {reference.file} are the same file.")
    if is_placed and spectrum.positions_differ(of_reference):
        remarks.append(
            f"The showers of {record.file} enter elsewhere than those of {reference.file}; gaps "
            "may lie differently in them."
        )
    return remarks


def _merging_remark(record: SampleRecord, readout: FileReadout) -> list[str]:
    if readout.merge_to is None:
        return []
    points = f"The {record.representation} points of {record.file}"
    return [f"{points} were merged to {readout.merge_to}, as the reference has them."]


MOST = 100_000
"""Particles that are compared, evenly spread over the file: memory does not grow with it."""

AT_ONCE = 10_000

LARGEST_DISTANCE = 0.1
"""Kolmogorov distance above which figures would show little but the difference of spectra."""


@dataclass(frozen=True, eq=False)
class IncidentSpectrum:
    """Energies, directions and entry points of the incident particles of a file.

    Arguments:
        name: Name of the file.
        particle: PDG name.
        incident: The particles, thinned out evenly if they are very many.
    """

    name: str
    particle: str
    incident: Incident

    @property
    def columns(self) -> dict[str, FloatArray]:
        """Quantities that must be distributed alike, by name, each of shape (n,)."""
        direction = self.incident.direction.astype(np.float64)
        return {
            "energies": self.incident.energy.astype(np.float64),
            "directions along x'": direction[:, 0],
            "directions along y'": direction[:, 1],
        }

    def positions_differ(self, other: IncidentSpectrum) -> bool:
        """True if the entry points are distributed differently."""
        here, there = self.incident.position, other.incident.position
        if here is None or there is None:
            return here is not there
        return not all(kolmogorov_distance(here[:, k], there[:, k])[1] for k in range(3))


def read_incident_spectrum(file: ShowerFile) -> IncidentSpectrum:
    """Incident particles of a shower file, thinned out evenly if they are very many.

    Raises:
        ShowerFileError: If the file is damaged.
    """
    step = max(1, -(-len(file) // MOST))
    parts = []
    for start in range(0, len(file), AT_ONCE):
        part = file.incident(slice(start, start + AT_ONCE))
        parts.append(part[np.arange(-start % step, len(part), step)])
    return IncidentSpectrum(file.path.name, file.particle, Incident.concatenate(parts))


def check_agreement(generated: IncidentSpectrum, reference: IncidentSpectrum) -> list[str]:
    """Notes on the differences between the incident particles of two samples.

    Arguments:
        generated: Incident particles of a model's sample.
        reference: Incident particles of Geant4's.

    Raises:
        InputError: If they differ so far that no figure would mean anything.
    """
    if generated.particle != reference.particle:
        msg = (
            f"{generated.name} holds showers of {generated.particle} and {reference.name} of "
            f"{reference.particle}; compare showers of the same particle."
        )
        raise InputError(msg)
    notes = []
    for what, mine in generated.columns.items():
        theirs = reference.columns[what]
        distance, is_chance = kolmogorov_distance(mine, theirs)
        if is_chance:
            continue
        if distance > LARGEST_DISTANCE:
            msg = (
                f"The {what} of the incident particles differ: {_range(mine, what)} in "
                f"{generated.name}, {_range(theirs, what)} in {reference.name}; generate for the "
                "same particles, "
                f"with `calozoo generate --energy @{reference.name} --dir @{reference.name}`."
            )
            raise InputError(msg)
        notes.append(
            f"The {what} of the incident particles of {generated.name} are not quite those of "
            f"{reference.name} (Kolmogorov distance {distance:.2g}); figures include that."
        )
    return notes


def kolmogorov_distance(one: FloatArray, other: FloatArray) -> tuple[float, bool]:
    """Kolmogorov distance of two samples, and whether chance explains it.

    Chance does not explain a distance with a p-value below 0.001.

    Example:
        >>> kolmogorov_distance(np.arange(1000.0), np.arange(1000.0) + 5)
        (0.005, True)
        >>> kolmogorov_distance(np.full(1000, 50.0), np.linspace(10, 100, 1000))[1]
        False
    """
    places = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(v), places, side="right") / len(v) for v in (one, other)]
    distance = float(np.abs(below[0] - below[1]).max())
    n, m = len(one), len(other)
    threshold = np.sqrt(-np.log(1e-3 / 2) / 2 * (n + m) / (n * m))
    return round(distance, 6), bool(distance <= threshold)


def _range(values: FloatArray, what: str) -> str:
    unit = " GeV" if what == "energies" else ""
    low, mean, high = (f"{v:.3g}" for v in (values.min(), values.mean(), values.max()))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit} (mean {mean})"
