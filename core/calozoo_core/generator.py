"""Generators: models that make showers, each described by a `ModelSpec`.

A plugin needs `Generator` and, to register its models, `ModelSpec` and `Conditions`.
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from calozoo_core.errors import InputError
from calozoo_core.global_state import default_state
from calozoo_core.specs import PLUGIN_API, Conditions, ModelSpec, Precision, check_precision

# A list of models needs their specs and no arrays, so numpy is imported by what computes.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from calozoo_core.detector import Detector
    from calozoo_core.events import Events
    from calozoo_core.full_simulation import FaceTrigger, FullSimulation
    from calozoo_core.incident import Incident
    from calozoo_core.nn.exported import ExportedModel
    from calozoo_core.showers import Showers
    from calozoo_core.weights.calibration import CalibrationRecord

__all__ = ["PLUGIN_API", "Conditions", "Generator", "ModelSpec", "Precision", "check_precision"]


class Generator(ABC):
    """Makes showers for incident particles.

    A plugin derives from this, implements `load` and `sample`, and names its class in a ModelSpec.
    Everything a user asks for goes through `generate`, which checks the primaries against the
    model's conditions and calls `sample` batch by batch.

    `load`, `sample` and `sample_numbers` of every model run with the defaults of numpy and torch,
    and torch on one thread, whatever the caller set: see `calozoo_core.global_state`. Several
    threads may share a model, so `sample` changes nothing that belongs to it, or under a lock.

    Arguments:
        spec: The spec it was registered with.
        device: What it runs on.
        precision: What its arithmetic runs in.
    """

    #: Primaries a call of `sample` gets at most, unless the caller says otherwise.
    default_batch_size: ClassVar[int] = 64
    #: With `extrapolate=True`, `sample` gets primaries of any particle, and refuses or uses them.
    checks_particle: ClassVar[bool] = False
    #: Interfaces of `calozoo_core.nn.exported` that `exported` serves, the preferred one first.
    interfaces: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **named: Any) -> None:
        """Have what a model computes run with defaults of our own."""
        super().__init_subclass__(**named)
        for name in ("load", "sample", "sample_numbers"):
            own = vars(cls).get(name)
            if isinstance(own, classmethod):
                setattr(cls, name, classmethod(default_state()(own.__func__)))
            elif own is not None:
                setattr(cls, name, default_state()(own))

    def __init__(
        self, spec: ModelSpec, *, device: str = "cpu", precision: Precision = "float32"
    ) -> None:
        check_precision(precision)
        self.spec = spec
        self._device, self._precision = device, precision

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.spec.name}: {self.spec.kind}, "
            f"{self.precision} on {self.device}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and deep copy by the weights files, from which the copy is loaded again."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            folder = self._saved(Path(scratch))
            files = {path.name: path.read_bytes() for path in folder.iterdir()} if folder else None
        return _reloaded, (type(self), self.spec, files, self.load_options)

    def _saved(self, folder: Path) -> Path | None:
        """The folder with its weights in it; None if it has none."""
        if type(self).save is Generator.save:
            return None
        self.save(folder)
        return folder

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again.

        A model whose `load` takes more, or refuses one of these, overrides this.
        """
        return {"device": self._device, "precision": self._precision}

    def to(self, device: str) -> Self:
        """The model on another device; this one stays as it is.

        Arguments:
            device: A torch device, such as "cuda" or "cpu".

        Returns:
            A new generator; this one if it is on that device already.

        Raises:
            InputError: If the model does not run on the device, or it is not available here.
        """
        if str(device) == self.device:
            return self
        options: dict[str, Any] = {
            name: value.to(device) if isinstance(value, Generator) else value
            for name, value in self.load_options.items()
        }
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            moved = type(self).load(
                self.spec, self._saved(Path(scratch)), **options | {"device": str(device)}
            )
        assert isinstance(moved, type(self))
        return moved

    @classmethod
    @abstractmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> Generator:
        """Build the generator.

        A plugin may take further keyword arguments of these names, all of them optional: `workers`
        (a number of processes), `runtime` (the library that computes the networks), `detector` (a
        Detector other than the spec's), `source` (a Generator, or the path of a shower file, that
        feeds this one).

        Arguments:
            spec: The spec it was registered with.
            folder: Holds `config.json` and `model.safetensors`; None if the spec names no weights.
            device: A torch device.
            precision: Of the network's arithmetic; None for what the model measured best.

        Raises:
            WeightsError: If the files are damaged or do not fit.
            InputError: If the device or the precision is not to be had.
        """

    @abstractmethod
    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the whole sample.

        Shower number i must depend on its primary, `seed` and i alone, up to float rounding: draw
        its random numbers from `calozoo_core.random.stream(seed, i, ...)`.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            first: Number of the first of them in the whole sample.
        """

    def sample_numbers(self, incident: Incident, seed: int, numbers: NDArray[np.int64]) -> Showers:
        """As `sample`, for showers whose numbers need not follow one another.

        Whoever makes some showers of a sample again asks for them here. Runs of neighbours are
        sampled together; a model that can make any numbers together derives from
        `calozoo_core.numbered_generator.NumberedGenerator` and writes this instead of `sample`.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            numbers: Their numbers in the whole sample, shape (n,).
        """
        from calozoo_core.ragged import neighbour_runs
        from calozoo_core.showers import Showers

        return Showers.concatenate(
            [
                self.sample(incident[run], seed, int(numbers[run.start]))
                for run in neighbour_runs(numbers)
            ]
        )

    def save(self, folder: Path) -> None:
        """Write the `config.json` and `model.safetensors` it can be loaded from again.

        A model with weights overrides this; what it writes has the same bytes as what it read.

        Arguments:
            folder: Where to.

        Raises:
            WeightsError: If the folder cannot be written to.
            InputError: If the model has no weights.
        """
        msg = f"{self.spec.name} has no weights that could be saved in {folder}."
        raise InputError(msg)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write its weights, and a card that names the model, for `calozoo.from_pretrained`.

        A `README.md` that is there already stays as it is.

        Arguments:
            folder: Where to; made if it is not there.

        Raises:
            WeightsError: If the folder cannot be written to.
            InputError: If the model has no weights.
        """
        from calozoo_core.io.atomic import write_atomic

        self.save(Path(folder))
        card = Path(folder) / "README.md"
        if not card.exists():
            write_atomic(card, _card(self.spec))

    def calibrated(
        self, factors: Mapping[str, float], record: CalibrationRecord | None = None
    ) -> BaseModel:
        """Its configuration with other calibration factors; models without any keep this.

        Arguments:
            factors: What to multiply the factors that it has by: `n_points`, on the number of
                points of a shower, and `energy`, on its visible energy.
            record: What they were fitted on, to be kept in the configuration.

        Raises:
            InputError: If the model has no such factors.
        """
        msg = f"{self.spec.name} has no factors to calibrate; train it on these showers instead."
        raise InputError(msg)

    def exported(self, interface: str) -> ExportedModel:
        """Module that makes one shower in torch alone, for files that other programs run.

        A model that can be exported overrides this and lists its `interfaces`.

        Arguments:
            interface: One of `interfaces`.

        Returns:
            The module on the CPU, in float32, ready for inference.

        Raises:
            InputError: If the model does not serve the interface.
        """
        served = ", ".join(self.interfaces) or "no interface"
        msg = f"{self.spec.name} serves {served}, not {interface!r}."
        raise InputError(msg, argument="interface")

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Attributes that a file of its showers has beside the model and the seed."""
        return {}

    @property
    def precision(self) -> str:
        """The precision its arithmetic runs in, for people to read."""
        return self._precision

    @property
    def device(self) -> str:
        """The device it runs on, for people to read."""
        return self._device

    @classmethod
    def full_simulation(
        cls, detector: Detector, trigger: FaceTrigger | None = None, *, workers: int | None = None
    ) -> FullSimulation:
        """Full simulation of the primaries of events in a detector.

        A simulation such as Geant4 overrides this; models make showers only.

        Arguments:
            detector: The detector.
            trigger: Particles that are stopped on its face, for a model; None for none.
            workers: Number of processes; the deposits do not depend on it.

        Raises:
            InputError: If this is no full simulation.
            CalozooError: If this machine lacks what the simulation needs.
        """
        msg = f"{cls.__name__} simulates no events; a full simulation such as geant4 does."
        raise InputError(msg)

    @classmethod
    def impossible_primaries(cls, detector: Detector, events: Events) -> dict[int, str]:
        """Primaries of events that `full_simulation` would refuse; by default none.

        Arguments:
            detector: The detector.
            events: The events.

        Returns:
            By the row of the primary, a clause that goes on after its name, such as "starts outside
            the world".
        """
        del detector, events
        return {}

    @property
    def threads(self) -> int:
        """Number of threads it computes with, for people to read."""
        return 1

    @classmethod  # noqa: B027  most models need nothing else
    def check_machine(cls, spec: ModelSpec) -> None:
        """Make sure that this machine has what the model needs beside its packages and weights.

        Data files, or a program: `calozoo doctor` asks for them, without loading the model.

        Arguments:
            spec: The spec it was registered with.

        Raises:
            CalozooError: If something is missing; the message says how to get it.
        """

    def close(self) -> None:  # noqa: B027  most models hold nothing to let go of
        """Let go of the processes and files it holds, if any; it makes no more showers."""

    def batches(
        self,
        incident: Incident,
        *,
        seed: int = 0,
        first: int = 0,
        batch_size: int | None = None,
        extrapolate: bool = False,
    ) -> Iterator[Showers]:
        """Showers for these primaries, batch after batch, so that a large sample fits in memory.

        Arguments:
            incident: The primaries.
            seed: Same seed, same showers.
            first: Number of the first primary in the whole sample.
            batch_size: Primaries at a time; the showers do not depend on it.
            extrapolate: Go beyond the conditions the model was trained on.

        Raises:
            ConditionsError: If a primary lies outside the conditions and `extrapolate` is not set.
            InputError: If the seed or the batch size makes no sense.
        """
        from calozoo_core.incident import Incident, true_or_false, whole_number
        from calozoo_core.random import check_seed

        if not isinstance(incident, Incident):
            msg = (
                "The first argument is an Incident, which holds all primaries, not "
                f"{type(incident).__name__}; or give numbers by name: generate(energy=50, n=10)."
            )
            raise InputError(msg)
        seed, first = check_seed(seed), whole_number("first", first)
        size = self.default_batch_size if batch_size is None else batch_size
        size = whole_number("batch_size", size)
        if not true_or_false("extrapolate", extrapolate):
            self.spec.conditions.check(incident, self.spec.name)
        elif not self.checks_particle:
            self.spec.conditions.check_particle(incident.particle, self.spec.name)
        if size < 1:
            msg = f"A batch holds at least one shower, not {size}."
            raise InputError(msg)
        return (self.sample(part, seed, first + start) for start, part in incident.batches(size))

    def generate(
        self,
        incident: Incident | None = None,
        *,
        energy: ArrayLike | None = None,
        direction: ArrayLike | None = None,
        position: ArrayLike | None = None,
        particle: str | int | None = None,
        n: int | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        extrapolate: bool = False,
    ) -> Showers:
        """Showers for an Incident, or for an energy and a direction.

        Arguments:
            incident: The primaries; or leave it out and give `energy` and `direction`.
            energy: Kinetic energy at the face, in GeV: a number, or shape (n,).
            direction: Unit vector in the local frame, shape (3,) or (n, 3); by default (0, 0, 1),
                straight in.
            position: Where the primaries cross the face, in the detector's global frame, in mm,
                shape (3,) or (n, 3); models of gapless detectors do not need it.
            particle: PDG name, or the PDG's number; by default the first that the model was
                trained on.
            n: Number of showers; by default as many as energies or directions.
            seed: Same seed, same showers.
            batch_size: Primaries at a time; the showers do not depend on it.
            extrapolate: Go beyond the conditions the model was trained on.

        Raises:
            ConditionsError: If a primary lies outside the conditions and `extrapolate` is not set.
            InputError: If what is asked for makes no sense.
        """
        from calozoo_core.incident import incident_of
        from calozoo_core.showers import Showers

        if incident is None:
            particle = self.spec.conditions.particles[0] if particle is None else particle
            incident = incident_of(energy, direction, position, particle, n)
        elif any(value is not None for value in (energy, direction, position, particle, n)):
            msg = (
                "Give an Incident, or an energy, a direction, a position, a particle and a number "
                "of showers, not both."
            )
            raise InputError(msg)

        batches = list(
            self.batches(incident, seed=seed, batch_size=batch_size, extrapolate=extrapolate)
        )
        if not batches:  # as of an event of which a trigger takes nothing
            return Showers.without_points(incident, self.spec.representation, self.spec.detector)
        return Showers.concatenate(batches)


def _reloaded(
    factory: type[Generator], spec: ModelSpec, files: dict[str, bytes] | None, options: Any
) -> Generator:
    """A generator from the content of its weights files."""
    if files is None:
        return factory.load(spec, None, **options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        return factory.load(spec, Path(scratch), **options)


def _card(spec: ModelSpec) -> str:
    """Card that says which model weights are for, as a repository of the Hub has it."""
    papers = "".join(f"\n- {paper}" for paper in spec.papers)
    return f"""---
license: {spec.license.lower()}
library_name: calozoo
calozoo:
  model: {spec.name}
---

# {spec.name}

{spec.summary}

    model = calozoo.from_pretrained("FOLDER")
{papers}
"""
