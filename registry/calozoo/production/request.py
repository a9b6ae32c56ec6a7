"""Generation request: model, incident particles, seed and detector of a sample, as text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from calozoo import api
from calozoo.generation.parsing import is_shower_file, make_source, make_source_from_ip
from calozoo.models import names
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.particles import to_particle_name
from calozoo_core.strict_model import StrictModel

if TYPE_CHECKING:
    from calozoo.generation.incident_sources import IncidentSource
    from calozoo.generation.placement import HitPlacer

__all__ = ["GenerationRequest", "PreparedRequest"]

_STANDARD_INPUT = "@-"


class GenerationRequest(StrictModel):
    """All that decides which showers a sample holds; the options of `calozoo generate`, as text.

    Arguments:
        model: `architecture[.tag][@revision]`, or `hub:ORG/NAME[@REVISION]`.
        energy: Energies, as `generation.parsing.parse_energy` reads them.
        direction: Directions, likewise; None for straight in, or with `from_ip` for all directions
            of the trigger.
        n: Number of showers; None for the rows of a file, or the entries of a list.
        seed: Seed.
        particle: PDG name; None for the first that the model was trained on.
        extrapolate: Go beyond the conditions the model was trained on.
        batch_size: Showers at a time; None for what the model prefers.
        device: Device of the network.
        precision: Precision of the network; None for the model's own choice.
        runtime: Library that computes the network; None for the fastest that is installed.
        weights: Folder with other weights.
        source: What feeds a model that transforms showers: a model or a shower file.
        detector: Another detector than the model's own.
        place: Detector into which the showers are placed.
        position: Entry points in it, as `parse_position` reads them; None for random ones.
        from_ip: Incident particles fly straight from the interaction point.
        threshold_mev: Hits with less energy are left out; None for the default.
        options: What only this model takes, by name, such as `steps`.
    """

    # Any number may be written on the command line; `prepared` refuses those that make no sense.
    model_config = ConfigDict(allow_inf_nan=True)

    model: str
    energy: str
    direction: str | None = None
    n: int | None = None
    seed: int = 0
    particle: str | None = None
    extrapolate: bool = False
    batch_size: int | None = None
    device: str = "cpu"
    precision: Precision | None = None
    runtime: str | None = None
    weights: str | None = None
    source: str | None = None
    detector: str | None = None
    place: str | None = None
    position: str | None = None
    from_ip: bool = False
    threshold_mev: float | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def with_absolute_paths(self) -> GenerationRequest:
        """The request as a process in another folder has to write it.

        Raises:
            InputError: If a value comes from standard input, which only one process can read.
        """
        changed: dict[str, str | None] = {}
        for name in ("energy", "direction", "position"):
            value = getattr(self, name)
            if value == _STANDARD_INPUT:
                msg = f"Shards cannot share standard input; put the rows of {name} into a file."
                raise InputError(msg, argument=name)
            if value is not None and value.startswith("@"):
                changed[name] = f"@{Path(value[1:]).absolute()}"
        for name in ("weights", "source", "detector", "place"):
            value = getattr(self, name)
            if value is not None and (name == "weights" or _is_file(value)):
                changed[name] = str(Path(value).absolute())
        return self.model_copy(update=changed)

    def files(self) -> list[Path]:
        """Files that the request reads, apart from the weights."""
        listed = [v[1:] for v in (self.energy, self.direction, self.position) if v and v[0] == "@"]
        named = [v for v in (self.source, self.detector, self.place) if v and _is_file(v)]
        return sorted({Path(name) for name in (*listed, *named)})

    def prepared(self, *, offline: bool = False) -> PreparedRequest:
        """The request with its texts read and checked, before the model is loaded.

        Arguments:
            offline: Ask nothing of the network.

        Raises:
            CalozooError: If the request makes no sense, or a file cannot be read.
        """
        from calozoo.generation.generate_file import check_request

        spec = api.find_model(names.split_revision(self.model)[0], offline=offline)
        particle = to_particle_name(
            spec.conditions.particles[0] if self.particle is None else self.particle
        )
        made_for = self.detector or spec.detector
        placement = placer = None
        placed = (self.place, self.position, self.threshold_mev)
        if self.from_ip or any(option is not None for option in placed):
            from calozoo.generation.placement import find_hit_placer, find_placement

            placement = find_placement(
                spec.name, made_for, self.place, self.position, from_ip=self.from_ip
            )
            placer = find_hit_placer(
                spec.representation, made_for, self.place, placement, self.threshold_mev
            )
        if self.from_ip and placement is not None:
            source = make_source_from_ip(
                self.energy,
                self.direction,
                self.n,
                seed=self.seed,
                particle=particle,
                placement=placement,
                extrapolate=self.extrapolate,
            )
        else:
            source = make_source(
                self.energy,
                self.direction,
                self.n,
                seed=self.seed,
                particle=particle,
                position=self.position or "random",
                placement=placement,
            )
        check_request(spec, source, batch_size=self.batch_size, extrapolate=self.extrapolate)
        return PreparedRequest(spec, source, placer)

    def load(self, *, offline: bool = False, workers: int | None = None) -> Generator:
        """The model of the request, ready to generate.

        Arguments:
            offline: Use no network.
            workers: Processes of a model that simulates.

        Raises:
            InputError: If one of the model's own options is one that all models have.
            CalozooError: What `api.load` raises.
        """
        options: dict[str, Any] = {
            "device": self.device,
            "precision": self.precision,
            "offline": offline,
            "weights": self.weights,
            "workers": workers,
            "source": self.source,
            "detector": self.detector,
            "runtime": self.runtime,
        }
        common = sorted(self.options.keys() & {"name", *options})
        if common:
            msg = f"{common[0]} is not among the model's own options; give it by itself."
            raise InputError(msg, argument=common[0])
        given = {name: value for name, value in options.items() if value is not None}
        return api.load(self.model, **given, **self.options)


@dataclass(frozen=True)
class PreparedRequest:
    """Request with its texts read.

    Arguments:
        spec: The model.
        source: Incident particles.
        placer: Placement into a detector, if the request asks for hits.
    """

    spec: ModelSpec
    source: IncidentSource
    placer: HitPlacer | None


def _is_file(name: str) -> bool:
    return is_shower_file(name) or Path(name).suffix == ".toml"
