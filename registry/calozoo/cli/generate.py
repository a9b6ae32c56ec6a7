"""`calozoo generate`: a file of generated showers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from calozoo.cli.completion import complete_detectors, complete_models, complete_sources
from calozoo.cli.options import (
    extrapolate_option,
    json_option,
    offline_option,
    overwrite_option,
    place_option,
    precision_option,
    quiet_option,
    seed_option,
    weights_option,
    workers_option,
)
from calozoo.cli.output import batch_progress, readable_size

if TYPE_CHECKING:
    from calozoo.generation.generate_file import GenerationResult
    from calozoo_core.generator import Generator

__all__ = ["generate"]


@click.command()
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="architecture[.tag][@revision] | hub:ORG/NAME[@REVISION].",
)
@click.option(
    "--energy",
    required=True,
    metavar="GEV",
    help="50 | 10:100 (uniform) | log:1:1000 | 10,20,50 (in turn) | @FILE (one a row, or .h5: "
    "the incident energies of its showers).",
)
@click.option(
    "--dir",
    "direction",
    metavar="DIR",
    help="THETA,PHI in degrees from the calorimeter normal | X,Y,Z | cone:60 (theta and phi "
    "uniform) | @FILE (one X,Y,Z a row, or .h5); by default 0,0. With --from-ip, in the "
    "detector's frame, THETA from the beam; by default all directions within the acceptance "
    "of the trigger.",
)
@click.option(
    "-n",
    "n",
    type=int,
    metavar="N",
    help="Number of showers; by default the rows of a @FILE, else one for each energy listed.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write, .h5.",
)
@overwrite_option()
@seed_option("Same seed, same showers, same bytes.")
@click.option(
    "--particle",
    metavar="PDG",
    help="PDG name of the incident particle, such as gamma or e-; by default the model's own.",
)
@extrapolate_option("the model")
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    help="Showers at a time; the showers do not depend on it.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Device of the network.",
)
@click.option(
    "--threads", type=int, metavar="N", help="Threads of the network; by default all cores."
)
@precision_option("Precision of the network; by default the model's own choice.")
@weights_option("Folder with other weights, written by `calozoo train` or `calozoo convert`.")
@workers_option("Processes of a model that simulates; the showers do not depend on it.")
@click.option(
    "--source",
    "fed_by",
    metavar="NAME|FILE.h5",
    shell_complete=complete_sources,
    help="Input of a model that transforms showers: another model, or a shower file.",
)
@click.option(
    "--detector",
    metavar="NAME|FILE.toml",
    shell_complete=complete_detectors,
    help="Another detector than the model's own, if the model can simulate it.",
)
@place_option("Place the showers into a detector with gaps, and write its hits beside the points.")
@click.option(
    "--position",
    metavar="POS",
    help="Entry point in it: X,Y,Z in mm on its face | random (of straight lines from the "
    "interaction point) | @FILE (one X,Y,Z a row, or .h5); by default random. Without "
    "--place for models whose own detector has a shape.",
)
@click.option(
    "--from-ip",
    is_flag=True,
    help="Incident particles fly straight from the interaction point, which gives their entry "
    "points and local directions.",
)
@click.option(
    "--threshold",
    "threshold_mev",
    type=float,
    metavar="MEV",
    help="Leave out hits with less energy; by default 0.1, half of what a muon leaves.",
)
@offline_option
@quiet_option
@json_option("Print a report as a JSON object.")
def generate(
    model: str,
    energy: str,
    direction: str | None,
    n: int | None,
    out: Path,
    overwrite: bool,
    seed: int,
    particle: str | None,
    extrapolate: bool,
    batch_size: int | None,
    device: str,
    threads: int | None,
    precision: Literal["float32", "bfloat16"] | None,
    weights: Path | None,
    workers: int | None,
    fed_by: str | None,
    detector: str | None,
    place: str | None,
    position: str | None,
    from_ip: bool,
    threshold_mev: float | None,
    offline: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate showers into an HDF5 file.

    \b
    Examples:
      calozoo generate --model caloclouds3 --energy 50 -n 100 --out showers.h5
      calozoo generate --model caloclouds3 --energy 10:100 --dir cone:40 -n 5000 --out showers.h5
      calozoo generate --model caloclouds3 --energy 50 -n 100 --place ild_siecal --out hits.h5
    """
    from calozoo import api
    from calozoo.generation.threads import use_threads
    from calozoo.models import names

    use_threads(threads)  # before numpy is imported: its linear algebra asks only then
    from calozoo.generation.generate_file import check_output, check_request, generate_to_file
    from calozoo.generation.parsing import make_source, make_source_from_ip

    spec = api.find_model(names.split_revision(model)[0], offline=offline)
    particle = particle or spec.conditions.particles[0]
    made_for = detector or spec.detector
    placement = placer = None
    if from_ip or any(option is not None for option in (place, position, threshold_mev)):
        from calozoo.generation.placement import find_hit_placer, find_placement

        placement = find_placement(spec.name, made_for, place, position, from_ip=from_ip)
        placer = find_hit_placer(spec.representation, made_for, place, placement, threshold_mev)
    if from_ip and placement is not None:
        source = make_source_from_ip(
            energy,
            direction,
            n,
            seed=seed,
            particle=particle,
            placement=placement,
            extrapolate=extrapolate,
        )
    else:
        source = make_source(
            energy,
            direction or "0,0",
            n,
            seed=seed,
            particle=particle,
            position=position or "random",
            placement=placement,
        )
    check_request(spec, source, batch_size=batch_size, extrapolate=extrapolate)
    check_output(out, overwrite=overwrite)
    options = {"workers": workers, "source": fed_by, "detector": detector}
    generator = api.load(
        model,
        device=device,
        precision=precision,
        offline=offline,
        weights=weights,
        **{name: value for name, value in options.items() if value is not None},
    )
    if not quiet:
        click.echo(_header(generator), err=True)
    with batch_progress(len(source), hidden=quiet) as progress:
        result = generate_to_file(
            generator,
            source,
            out,
            seed=seed,
            overwrite=overwrite,
            batch_size=batch_size,
            extrapolate=extrapolate,
            placer=placer,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(result), err=True)
    if as_json:
        click.echo(_report(generator, result, seed))


def _header(generator: Generator) -> str:
    from calozoo.generation.threads import threads_in_use

    spec, threads = generator.spec, threads_in_use()
    cores = f"{threads} thread" if threads == 1 else f"{threads} threads"
    return f"{spec.name}  {spec.representation}  {generator.device}, {cores}, {generator.precision}"


def _footer(result: GenerationResult) -> str:
    showers = f"{result.n_showers} shower" + ("" if result.n_showers == 1 else "s")
    size = readable_size(result.n_bytes)
    line = f"{result.path}  {showers}, {_readable_count(result.n_points)} points, {size}"
    placer = result.placer
    if placer is None:
        return line
    threshold = f" from {placer.threshold_mev:g} MeV" if placer.threshold_mev else ""
    return (
        f"{line}\n{placer.detector}  {_readable_count(placer.n_hits)} hits{threshold}, "
        f"{placer.lost_percent:.1f} % of the energy in gaps, "
        f"{_seconds(result.generation_seconds)} to generate, {_seconds(placer.seconds)} to place"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.3f} s"


def _readable_count(n: int) -> str:
    if n < 10_000:
        return str(n)
    return f"{n / 1e3:.1f} k" if n < 999_950 else f"{n / 1e6:.1f} M"


def _report(generator: Generator, result: GenerationResult, seed: int) -> str:
    import json

    from calozoo.generation.threads import threads_in_use

    spec = generator.spec
    report = {
        "model": spec.name,
        "representation": spec.representation,
        "detector": spec.detector,
        "device": generator.device,
        "threads": threads_in_use(),
        "precision": generator.precision,
        "seed": seed,
        "file": str(result.path),
        "showers": result.n_showers,
        "points": result.n_points,
        "bytes": result.n_bytes,
        "seconds": round(result.seconds, 3),
        "showers_per_second": round(result.n_showers / result.seconds, 1),
        "generation_seconds": round(result.generation_seconds, 3),
    }
    placer = result.placer
    if placer is not None:
        report |= {
            "hits_detector": placer.detector,
            "hits_threshold_mev": placer.threshold_mev,
            "hits": placer.n_hits,
            "gap_percent": round(placer.lost_percent, 3),
            "placement_seconds": round(placer.seconds, 3),
        }
    return json.dumps(report)
