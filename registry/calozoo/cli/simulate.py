"""`calozoo simulate`: events, with a model at work inside a full simulation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from calozoo.cli.completion import complete_detectors, complete_models
from calozoo.cli.options import (
    batch_size_option,
    device_option,
    is_given,
    json_option,
    offline_option,
    overwrite_option,
    precision_option,
    quiet_option,
    seed_option,
    threads_option,
    weights_option,
    workers_option,
)
from calozoo.cli.output import batch_progress, readable_size
from calozoo.cli.signals import StoppedError
from calozoo_core.errors import InputError

if TYPE_CHECKING:
    from calozoo.events.request import EventCensus, EventRequest
    from calozoo.events.simulate import SimulationResult
    from calozoo.events.sources import EventSource
    from calozoo_core.placement import Placement

__all__ = ["simulate"]


@click.command()
@click.argument("events", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="Model for the particles that its trigger takes on the face of the calorimeter; or "
    "geant4, which simulates everything.",
)
@click.option(
    "--detector",
    required=True,
    metavar="NAME|FILE.toml",
    shell_complete=complete_detectors,
    help="Detector, such as ild_siecal.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of events and hits to write, .h5.",
)
@click.option(
    "--gun",
    metavar="PARTICLE:GEV",
    help="Events of a gun instead of EVENTS: gamma:50 | e-:5:100 (uniform) | gamma:10,20 (in turn) "
    "| 2xgamma:20 (two an event).",
)
@click.option(
    "-n",
    "n",
    type=int,
    metavar="N",
    help="Number of events; by default all of EVENTS, or one for each energy of the gun.",
)
@click.option(
    "--from-ip",
    is_flag=True,
    help="The gun shoots from the interaction point. It must say so, or give --vertex.",
)
@click.option("--vertex", metavar="X,Y,Z", help="Where the gun shoots from, in mm, global.")
@click.option(
    "--dir",
    "direction",
    metavar="THETA,PHI",
    help="Direction of the gun in degrees, THETA from the beam; by default all directions within "
    "the acceptance of the trigger.",
)
@overwrite_option()
@seed_option("Same seed, same events, same bytes.")
@click.option(
    "--least-energy",
    "least_energy_gev",
    type=float,
    metavar="GEV",
    help="Particles below it stay with Geant4; by default 5.",
)
@click.option(
    "--threshold",
    "threshold_mev",
    type=float,
    default=0.1,
    show_default=True,
    metavar="MEV",
    help="Leave out hits with less energy, summed over the event.",
)
@click.option(
    "--chunk",
    type=int,
    metavar="N",
    help="Events that are simulated, and kept for going on after a stop, together; by default 16. "
    "The hits do not depend on it.",
)
@batch_size_option("Showers of the model at a time; the hits do not depend on it.")
@device_option("Device of the network.")
@threads_option
@precision_option("Precision of the network; by default the model's own choice.")
@weights_option("Folder with other weights, written by `calozoo train` or `calozoo convert`.")
@workers_option("Processes of Geant4; the hits do not depend on it.")
@offline_option
@quiet_option
@json_option("Print a report as a JSON object.")
def simulate(
    events: Path | None,
    model: str,
    detector: str,
    out: Path,
    gun: str | None,
    n: int | None,
    from_ip: bool,
    vertex: str | None,
    direction: str | None,
    overwrite: bool,
    seed: int,
    least_energy_gev: float | None,
    threshold_mev: float,
    chunk: int | None,
    batch_size: int | None,
    device: str,
    threads: int | None,
    precision: Literal["float32", "bfloat16"] | None,
    weights: Path | None,
    workers: int | None,
    offline: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Simulate EVENTS with Geant4, and with a model in it.

    EVENTS is a file of HepMC3 (.hepmc, .hepmc3, .gz) or a native file of events (.h5). Each primary
    goes through Geant4 up to the face of the calorimeter; particles that the trigger accepts are
    stopped there and left to the model. Hits are summed over the event, then cut.

    A run that was stopped goes on where it was when the same command is given again.

    \b
    Examples:
      calozoo simulate --gun gamma:5:100 --from-ip -n 100 --model caloclouds3 \\
          --detector ild_siecal --out hits.h5
      calozoo simulate events.hepmc --model caloclouds3 --detector ild_siecal --out hits.h5
      calozoo simulate events.hepmc --model geant4 --detector ild_siecal --out truth.h5
    """
    from calozoo import api
    from calozoo.generation.threads import use_threads
    from calozoo.models import names

    use_threads(threads)  # before numpy is imported: its linear algebra asks only then
    from calozoo.events.request import (
        CHUNK,
        EventRequest,
        find_full_simulation,
        find_simulation_spec,
        make_trigger,
        model_digest,
    )
    from calozoo.events.simulate import check_output, simulate_to_file
    from calozoo.output_files import check_sources
    from calozoo_core.detector import load_detector
    from calozoo_core.placement import load_placement

    check_sources(out, [] if events is None else [events])
    check_output(out, overwrite=overwrite)
    name, revision = names.split_revision(model)
    spec = api.find_model(name, offline=offline)
    described = load_detector(detector)
    shot = _Gun(gun, n, seed, from_ip=from_ip, vertex=vertex, direction=direction)
    source = shot.source(events, load_placement(described))
    factory, is_full = find_full_simulation(spec)
    if is_full:
        spec = find_simulation_spec(name, described)
        _refuse_model_options(spec.name, revision)
    trigger = None if is_full else make_trigger(described, spec, least_energy_gev)
    request = EventRequest(source, spec, described, seed, threshold_mev, trigger)
    census = request.check_events()
    generator = None
    if not is_full:
        generator = api.load(
            model, device=device, precision=precision, weights=weights, offline=offline
        )
    if not quiet:
        click.echo(_header(request, census), err=True)
    with batch_progress(census.n_events, hidden=quiet, unit="events") as progress:
        try:
            result = simulate_to_file(
                request,
                out,
                simulation=lambda: factory.full_simulation(described, trigger, workers=workers),
                model=generator,
                model_digest=model_digest(spec, weights),
                overwrite=overwrite,
                batch_size=batch_size,
                chunk=CHUNK if chunk is None else chunk,
                on_events=progress.advance,
            )
        except KeyboardInterrupt as error:
            msg = _stopped(out)
            raise StoppedError(msg) from error
    if not quiet:
        click.echo(_footer(result), err=True)
    if as_json:
        click.echo(_report(request, result))


@dataclass(frozen=True)
class _Gun:
    """Options of the gun."""

    text: str | None
    n: int | None
    seed: int
    from_ip: bool
    vertex: str | None
    direction: str | None

    def source(self, events: Path | None, placement: Placement) -> EventSource:
        """Source of events: the gun, or the file.

        Raises:
            InputError: If both are given, or neither.
        """
        from calozoo.events.sources import find_source, parse_gun

        if (events is None) == (self.text is None):
            msg = "Give a file of EVENTS or a gun, such as gun='gamma:50', and not both."
            raise InputError(msg, argument="gun='gamma:50'")
        if events is not None:
            if self.from_ip or self.vertex is not None or self.direction is not None:
                msg = "from_ip=True, vertex and dir belong to the gun; EVENTS say where they start."
                raise InputError(msg, argument=("from_ip=True", "vertex", "dir"))
            return find_source(events, self.n)
        if self.from_ip == (self.vertex is not None):
            msg = "A gun needs a place: add from_ip=True, or vertex=X,Y,Z in mm, and not both."
            raise InputError(msg, argument=("from_ip=True", "vertex=X,Y,Z"))
        assert self.text is not None
        vertex = (0.0, 0.0, 0.0)
        if self.vertex is not None:
            x, y, z = _numbers(self.vertex, 3, "vertex", "X,Y,Z in mm, such as 0,0,100")
            vertex = x, y, z
        direction = None
        if self.direction is not None:
            theta, phi = _numbers(self.direction, 2, "direction", "THETA,PHI in degrees")
            direction = theta, phi
        elif self.vertex is not None:
            msg = "A gun beside the interaction point needs a direction, such as direction=90,90."
            raise InputError(msg, argument="direction=90,90")
        return parse_gun(
            self.text,
            n=self.n,
            seed=self.seed,
            placement=placement,
            direction_deg=direction,
            vertex=vertex,
        )


def _numbers(text: str, n: int, argument: str, words: str) -> list[float]:
    import math

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != n or not all(map(math.isfinite, values)):
        msg = f"Cannot read the {argument} {text!r}; write {words}."
        raise InputError(msg, argument=argument)
    return values


def _refuse_model_options(name: str, revision: str | None) -> None:
    if revision is not None:
        msg = f"{name} has no weights, and so no revisions; leave out '@{revision}'."
        raise InputError(msg)
    for option in ("weights", "precision", "least_energy_gev", "batch_size", "device", "threads"):
        if is_given(option):
            msg = f"{name} simulates everything and has no use for {option}; leave it out."
            raise InputError(msg, argument=option)


def _stopped(out: Path) -> str:
    parts = out.with_name(f"{out.name}.parts")
    if parts.exists():
        return f"stopped; finished events are kept in {parts}, and the same command goes on there."
    return "stopped; nothing half-written was left behind."


def _header(request: EventRequest, census: EventCensus) -> str:
    source = f"{census.n_events} events of {request.source.name}"
    lines = [f"{request.model.name} in {request.detector.name}  {source}"]
    missing = census.missing_physics(request.detector.physics)
    if missing is not None:
        lines.append(f"calozoo: {missing}")
    return "\n".join(lines)


def _footer(result: SimulationResult) -> str:
    kept = f" ({result.n_kept} of them kept from before)" if result.n_kept else ""
    size = readable_size(result.path.stat().st_size)
    return (
        f"{result.path}  {result.n_events} events{kept}, {result.n_hits} hits, {size}\n"
        f"the model simulated {result.n_taken} particles of {result.taken_gev:.4g} GeV in "
        f"{result.n_primaries} primaries, {result.seconds:.1f} s"
    )


def _report(request: EventRequest, result: SimulationResult) -> str:
    import json

    report = {
        "file": str(result.path),
        "model": request.model.name,
        "detector": request.detector.name,
        "seed": request.seed,
        "events": result.n_events,
        "kept": result.n_kept,
        "primaries": result.n_primaries,
        "taken": result.n_taken,
        "taken_gev": result.taken_gev,
        "hits": result.n_hits,
        "visible_mev": result.visible_mev,
        "seconds": round(result.seconds, 3),
    }
    return json.dumps(report)
