"""Plan of an evaluation: which files can be compared, and which cells are read out of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from calozoo.evaluation.accumulate import FileReadout
from calozoo.evaluation.incident_spectra import (
    IncidentSpectrum,
    check_agreement,
    read_incident_spectrum,
)
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError, ShowerFileError
from calozoo_core.io import ShowerFile
from calozoo_core.observables import LEVELS
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import sha256

__all__ = ["EvaluationPlan", "SampleRecord", "is_geant4", "plan_evaluation"]


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
        cells: Source of the cells: "hits" in the file, points "placed" into the readout, or points
            "merged" into cells of a detector without gaps.
    """

    file: str
    sha256: str
    n_showers: int
    generator: str
    seed: str
    particle: str
    representation: str
    detector: str
    cells: Literal["hits", "placed", "merged"]


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
            _check_order(file, files[-1])
        readout = _readout(files, None if place is None else load_detector(place))
        readouts = _with_levels(
            [_file_readout(file, readout, threshold_mev, seed, place) for file in files], files
        )
        spectra = [read_incident_spectrum(file) for file in files]
        records = [_record(file, one) for file, one in zip(files, readouts, strict=True)]
    notes = [
        (
            *check_agreement(spectrum, spectra[-1]),
            *_remarks(spectrum, record, records[-1], spectra[-1], is_placed=readout is not None),
        )
        for spectrum, record in zip(spectra[:-1], records[:-1], strict=True)
    ]
    return EvaluationPlan(tuple(records[:-1]), records[-1], tuple(readouts), tuple(notes))


def _check_order(generated: ShowerFile, reference: ShowerFile) -> None:
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


def _with_levels(readouts: Sequence[FileReadout], files: Sequence[ShowerFile]) -> list[FileReadout]:
    """Readouts with the points of those files that have the same points as the reference."""
    *kinds, of_reference = [(file.representation, file.detector) for file in files]
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
