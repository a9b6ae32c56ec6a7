"""What is looked at in which shower files, decided and refused before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from calozoo.evaluation.accumulate import Look
from calozoo.evaluation.incident_spectra import Primaries, check_agreement, read_primaries
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError, ShowerFileError
from calozoo_core.io import ShowerFile
from calozoo_core.observables import LEVELS
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import sha256

__all__ = ["Plan", "Sample", "is_geant4", "plan_evaluation"]


class Sample(StrictModel):
    """A shower file, as it was when it was looked at.

    Arguments:
        file: Its name.
        sha256: Of its bytes.
        n_showers: Showers in it.
        generator: Who made them.
        seed: The seed they were made with.
        particle: PDG name of the primaries.
        representation: How finely deposits are merged.
        detector: The detector they were made for.
        cells: Where their cells came from: "hits" in the file, points "placed" into the readout, or
            points "merged" into cells of a detector without gaps.
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
class Plan:
    """What is looked at.

    Arguments:
        generated: The models' samples.
        reference: Geant4's.
        looks: How each file is looked at, the reference last.
        notes: What a reader should know, for each generated sample.
    """

    generated: tuple[Sample, ...]
    reference: Sample
    looks: tuple[Look, ...]
    notes: tuple[tuple[str, ...], ...]


def plan_evaluation(
    generated: Sequence[Path], reference: Path, place: str | None, threshold_mev: float, seed: int
) -> Plan:
    """Open the files, see whether they can be compared, and decide whose cells are looked at.

    Arguments:
        generated: Shower files of models.
        reference: One of Geant4.
        place: Detector into which all are put, if anybody said.
        threshold_mev: Cells with less are left out.
        seed: Of the grids of cells, where there is no detector with gaps.

    Raises:
        ShowerFileError: If a file is missing, damaged or empty.
        DetectorError: If the detectors cannot be compared, or there is no such detector.
        InputError: If the primaries differ, or the files seem to be swapped.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(ShowerFile(path)) for path in (*generated, reference)]
        for file in files:
            if len(file) == 0:
                msg = f"{file.path} holds no showers; make it again."
                raise ShowerFileError(msg)
        *mine, truth = files
        for file in mine:
            _check_order(file, truth)
        readout = _readout(files, None if place is None else load_detector(place))
        looks = [_look(file, readout, threshold_mev, seed, place) for file in files]
        *looks, last = _with_levels(looks, files)
        primaries = [read_primaries(file) for file in files]
        samples = [_sample(file, look) for file, look in zip(files, [*looks, last], strict=True)]
    notes = [
        (
            *check_agreement(one, primaries[-1]),
            *_remarks(one, sample, samples[-1], primaries[-1], is_placed=readout is not None),
        )
        for one, sample in zip(primaries[:-1], samples[:-1], strict=True)
    ]
    return Plan(tuple(samples[:-1]), samples[-1], (*looks, last), tuple(notes))


def _check_order(generated: ShowerFile, reference: ShowerFile) -> None:
    if is_geant4(generated.generator) and not is_geant4(reference.generator):
        msg = (
            f"{generated.path} was made by Geant4 and {reference.path}, the --reference, by "
            f"{reference.generator}; give them the other way round."
        )
        raise InputError(msg)


def is_geant4(generator: str) -> bool:
    """Whether these showers are the truth that others are measured against."""
    return generator.partition(".")[0].partition(" ")[0].lower() == "geant4"


def _readout(files: Sequence[ShowerFile], place: Detector | None) -> Detector | None:
    """Whose cells are looked at; None for cells without gaps."""
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
                "add --place DETECTOR to put them into one."
            )
            raise DetectorError(msg)
    return None


def _look(
    file: ShowerFile,
    readout: Detector | None,
    threshold_mev: float,
    seed: int,
    place: str | None,
) -> Look:
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
            f"--place {name}."
        )
        raise InputError(msg)
    return Look(
        path=file.path,
        detector=own or load_detector(file.detector),
        readout=readout,
        use_hits=use_hits,
        threshold_mev=threshold_mev,
        seed=seed,
    )


def _with_levels(looks: Sequence[Look], files: Sequence[ShowerFile]) -> list[Look]:
    """Points are looked at only where both sides have the same ones."""
    kinds = [(file.representation, file.detector) for file in files]
    *mine, theirs = [
        replace(look, levels=LEVELS if kind == kinds[-1] else LEVELS[1:])
        for look, kind in zip(looks, kinds, strict=True)
    ]
    return [*mine, theirs if kinds[-1] in kinds[:-1] else replace(theirs, levels=LEVELS[1:])]


def _sample(file: ShowerFile, look: Look) -> Sample:
    cells: Literal["hits", "placed", "merged"] = "merged" if look.readout is None else "placed"
    return Sample(
        file=file.path.name,
        sha256=sha256(file.path),
        n_showers=len(file),
        generator=file.generator,
        seed=file.seed,
        particle=file.particle,
        representation=file.representation,
        detector=file.detector,
        cells="hits" if look.use_hits else cells,
    )


def _remarks(
    mine: Primaries, sample: Sample, reference: Sample, theirs: Primaries, *, is_placed: bool
) -> list[str]:
    remarks = []
    if not is_geant4(reference.generator):
        remarks.append(f"The reference was made by {reference.generator}, not by Geant4.")
    if sample.sha256 == reference.sha256:
        remarks.append(f"{sample.file} and {reference.file} are the same file.")
    if is_placed and mine.positions_differ(theirs):
        remarks.append(
            f"The showers of {sample.file} enter elsewhere than those of {reference.file}; gaps "
            "may lie differently in them."
        )
    return remarks
