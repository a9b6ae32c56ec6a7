"""Measurements of Geant4's hits that calozoo brings, so that a comparison needs no Geant4.

A file of arrays `measured/SAMPLE.safetensors` has what the photon finder made of a sample by two
seeds; `measured/tau-events.h5` has the primaries of the tau events, which Pythia made. Photon pairs
are made anew, and compared by their hash. `python -m studies.events.keep_truth` writes the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from calozoo.physics.digests import primaries_digest
from calozoo.physics.measurement_arrays import Arrays
from calozoo.physics.results import KeptSample, PhysicsSample
from calozoo.physics.sample_store import Sample
from calozoo.reconstruction.parameters import parameters_digest
from calozoo_core.errors import CalozooError
from calozoo_core.events import Events
from calozoo_core.io.array_file import read_array_file, write_array_file
from calozoo_core.io.events import read_events
from calozoo_core.strict_model import StrictModel

__all__ = [
    "TAU_EVENTS",
    "KeptDescription",
    "KeptPart",
    "KeptTruth",
    "TruthChoice",
    "Whole",
    "choose_truth",
    "kept_tau_events",
    "measured_folder",
    "truth_sentence",
]

Whole = Callable[[int], Events | None]
"""Maker of the first n events of a sample; None if they cannot be made."""

TAU_EVENTS = "tau-events.h5"
_PREFIXES = ("truth.", "again.")


class KeptPart(StrictModel):
    """Events that were simulated, and measured, together.

    Arguments:
        n_events: Number of events.
        hits_sha256: Hash of the hits of each seed.
        packages: Versions of what made them.
    """

    n_events: int = Field(gt=0)
    hits_sha256: tuple[str, str]
    packages: dict[str, str]


class KeptDescription(StrictModel):
    """Description of measurements that are kept.

    Arguments:
        format: What the file is.
        version: Version of its arrays.
        sample: Name of the sample.
        truth: Simulation that it is of.
        seeds: Seeds of the simulation, the truth's and that of its repetition.
        parts: Parts of the sample, one after the other.
        primaries_sha256: Hash of the primaries of all events.
        parameters_sha256: Hash of the parameters of the photon finder and of the pi0 finder.
    """

    format: Literal["calozoo-physics-truth"] = "calozoo-physics-truth"
    version: Literal[2] = 2
    sample: str
    truth: str
    seeds: tuple[int, int]
    parts: tuple[KeptPart, ...] = Field(min_length=1)
    primaries_sha256: str
    parameters_sha256: str

    @property
    def n_events(self) -> int:
        """Number of events of all parts."""
        return sum(part.n_events for part in self.parts)

    @property
    def packages(self) -> dict[str, str]:
        """Versions of what made the last part."""
        return self.parts[-1].packages

    @property
    def truth_sha256(self) -> str:
        """Hash of the truth's hits: of its only part, or of the hashes of several."""
        hashes = [part.hits_sha256[0] for part in self.parts]
        return (
            hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        )


@dataclass(frozen=True, eq=False)
class KeptTruth:
    """Measurements of a sample by Geant4 with two seeds.

    Arguments:
        description: What they are of.
        seeds: Arrays of the truth and of its repetition.
    """

    description: KeptDescription
    seeds: tuple[Arrays, Arrays]

    @classmethod
    def read(cls, sample: str, folder: Path | None = None) -> KeptTruth | None:
        """Measurements of a sample that are kept; None if there are none.

        Arguments:
            sample: Name of the sample.
            folder: Folder of the measurements; None for those that calozoo brings.

        Raises:
            CalozooError: If the file is damaged, or another one.
        """
        path = _path(folder or measured_folder(), sample)
        if not path.exists():
            return None
        repair = "install calozoo again, or add simulate_truth=True"
        try:
            arrays, text = read_array_file(path)
            description = KeptDescription.model_validate_json(text)
        except CalozooError as error:
            msg = f"{str(error).rstrip('.')}; {repair}."
            raise CalozooError(msg, argument="simulate_truth=True") from error
        except ValidationError as error:
            msg = f"{path} does not hold measurements of this version of calozoo; {repair}."
            raise CalozooError(msg, argument="simulate_truth=True") from error
        if description.sample != sample:
            msg = f"{path} is of the sample {description.sample}; {repair}."
            raise CalozooError(msg, argument="simulate_truth=True")
        truth, again = (
            {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            for prefix in _PREFIXES
        )
        return cls(description, (truth, again))

    def write(self, folder: Path) -> Path:
        """Write them into a folder.

        Arguments:
            folder: The folder.

        Returns:
            The file.

        Raises:
            OSError: If it cannot be written.
        """
        path = _path(folder, self.description.sample)
        arrays = {
            prefix + name: array
            for prefix, seed in zip(_PREFIXES, self.seeds, strict=True)
            for name, array in seed.items()
        }
        write_array_file(path, arrays, self.description.model_dump_json())
        return path

    def described(self, sample: Sample) -> PhysicsSample:
        """Description of the first events of the kept sample.

        Arguments:
            sample: These events.
        """
        return PhysicsSample(
            n_events=len(sample.events),
            primaries_sha256=primaries_digest(sample.events),
            truth_sha256=self.description.truth_sha256,
            kept=KeptSample(n_events=self.description.n_events, packages=self.description.packages),
        )


@dataclass(frozen=True)
class TruthChoice:
    """Choice of where Geant4's part of a sample comes from.

    Arguments:
        sample: Name of the sample.
        kept: Measurements that calozoo brings; None if Geant4's hits are needed.
        reason: Clause on why they are; empty if they were asked for.
    """

    sample: str
    kept: KeptTruth | None
    reason: str = ""


def choose_truth(sample: Sample, whole: Whole) -> TruthChoice:
    """Measurements that calozoo brings, if they are of these events and parameters.

    Arguments:
        sample: The sample.
        whole: Maker of the first n events of the whole sample, of which these are the first.

    Raises:
        CalozooError: If the file is damaged.
    """
    kept = KeptTruth.read(sample.name)
    n = len(sample.events)
    if kept is None:
        return TruthChoice(sample.name, None, "no measurements come with calozoo")
    there = kept.description
    if n > there.n_events:
        reason = f"only {there.n_events} of {n} events come with calozoo"
    elif there.parameters_sha256 != parameters_digest():
        reason = "calozoo's were found with other parameters"
    elif not _is_beginning(sample.events, whole(there.n_events), there.primaries_sha256):
        reason = "calozoo's are of other events"
    else:
        return TruthChoice(sample.name, kept)
    return TruthChoice(sample.name, None, reason)


def truth_sentence(choices: Sequence[TruthChoice], folder: Path) -> str:
    """Sentence on where Geant4's part of each sample comes from.

    Arguments:
        choices: Choices of all samples.
        folder: Folder of the simulated samples.

    Example:
        >>> truth_sentence([TruthChoice("tau", None, "of other events")], Path("work"))
        "Geant4's hits of tau (of other events) are simulated, or reused from work."
    """
    brought = [choice.sample for choice in choices if choice.kept is not None]
    needed = [
        f"{choice.sample} ({choice.reason})" if choice.reason else choice.sample
        for choice in choices
        if choice.kept is None
    ]
    clauses = []
    if brought:
        clauses.append(f"Geant4's measurements of {', '.join(brought)} come with calozoo")
    if needed:
        hits = f"Geant4's hits of {', '.join(needed)}"
        clauses.append(f"{hits} are simulated, or reused from {folder}")
    return "; ".join(clauses) + "."


def kept_tau_events() -> Events | None:
    """Tau events that calozoo brings; None if there are none.

    Raises:
        ShowerFileError: If the file is damaged.
    """
    path = measured_folder() / TAU_EVENTS
    return read_events(path) if path.exists() else None


def measured_folder() -> Path:
    """Folder of the measurements that calozoo brings."""
    return Path(str(files("calozoo.physics"))) / "measured"


def _path(folder: Path, sample: str) -> Path:
    return folder / f"{sample}.safetensors"


def _is_beginning(events: Events, whole: Events | None, digest: str) -> bool:
    """True if events are the first of a sample with this hash."""
    if whole is None:
        return False
    first = primaries_digest(whole[: len(events)])
    return primaries_digest(whole) == digest and primaries_digest(events) == first
