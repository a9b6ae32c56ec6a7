"""`calozoo generate`: a file of generated showers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from calozoo.cli.completion import complete_detectors, complete_models, complete_sources
from calozoo.cli.options import (
    batch_size_option,
    device_option,
    extrapolate_option,
    is_given,
    json_option,
    offline_option,
    overwrite_option,
    place_option,
    precision_option,
    quiet_option,
    seed_option,
    threads_option,
    weights_option,
    workers_option,
)
from calozoo.cli.output import batch_progress, counted, readable_size
from calozoo.cli.production import ProductionOptions, production_options, run_production
from calozoo_core.errors import InputError
from calozoo_core.runtime import RUNTIMES

if TYPE_CHECKING:
    from calozoo.generation.generate_file import GenerationResult
    from calozoo.production.request import GenerationRequest
    from calozoo_core.generator import Generator

__all__ = ["generate"]

BESIDE_A_PLAN = (
    "plan",
    "shard",
    "shards",
    "resume",
    "jobs",
    "executor",
    "cluster",
    "cluster_options",
    "scheduler",
    "overwrite",
    "threads",
    "workers",
    "offline",
    "quiet",
    "as_json",
)
"""Options that may stand beside a plan, which has all others in it."""


@click.command()
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=complete_models,
    help="architecture[.tag][@revision] | hub:ORG/NAME[@REVISION] | mlflow:NAME@ALIAS | "
    "mlflow:NAME@VERSION.",
)
@click.option(
    "--energy",
    metavar="GEV",
    help="50 | 10:100 (uniform) | log:1:1000 | 10,20,50 (in turn) | @FILE (one a row, as text or "
    ".npy; @- is stdin; or .h5: the incident energies of its showers). A table with the columns "
    "energy,theta,phi or energy,x,y,z gives the directions, too.",
)
@click.option(
    "--dir",
    "direction",
    metavar="DIR",
    help="THETA,PHI in degrees from the calorimeter normal | X,Y,Z | cone:60 (theta and phi "
    "uniform) | @FILE (one THETA,PHI or X,Y,Z a row, or .h5); by default 0,0. With --from-ip, "
    "in the detector's frame, THETA from the beam; by default all directions within the acceptance "
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
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write, .h5.",
)
@overwrite_option()
@seed_option("Same seed, same showers, same bytes.")
@click.option(
    "--particle",
    metavar="PDG",
    help="PDG name or number of the incident particle, such as gamma, e- or 22; by default the "
    "model's own.",
)
@extrapolate_option("the model")
@batch_size_option("Showers at a time; the showers do not depend on it.")
@device_option("Device of the network; cuda needs torch.")
@threads_option
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="Library that computes the network; by default the fastest that is installed.",
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
@click.option(
    "-o",
    "--option",
    "words",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model's own, such as steps=4 of calodream.",
)
@production_options
@offline_option
@quiet_option
@json_option("Print a report as a JSON object.")
@click.pass_context
def generate(
    context: click.Context,
    model: str | None,
    energy: str | None,
    direction: str | None,
    n: int | None,
    out: Path | None,
    overwrite: bool,
    seed: int,
    particle: str | None,
    extrapolate: bool,
    batch_size: int | None,
    device: str,
    threads: int | None,
    runtime: str | None,
    precision: Literal["float32", "bfloat16"] | None,
    weights: Path | None,
    workers: int | None,
    fed_by: str | None,
    detector: str | None,
    place: str | None,
    position: str | None,
    from_ip: bool,
    threshold_mev: float | None,
    words: tuple[str, ...],
    resume: bool,
    jobs: int | None,
    executor: str | None,
    cluster: str | None,
    cluster_options: tuple[str, ...],
    scheduler: str | None,
    plan: Path | None,
    shards: int | None,
    shard: str | None,
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
      calozoo generate --model caloclouds3 --energy 50 -n 1000000 --jobs 8 --out showers.h5
    """
    from calozoo.generation.threads import use_threads

    use_threads(threads)  # before numpy is imported: its linear algebra asks only then
    from calozoo.production.request import GenerationRequest
    from calozoo.training import parse_options

    options = ProductionOptions(
        plan=plan,
        shards=shards,
        shard=shard,
        resume=resume,
        jobs=jobs,
        executor=executor,
        cluster=cluster,
        scheduler=scheduler,
        cluster_options=cluster_options,
        offline=offline,
        workers=workers,
        threads=threads,
        overwrite=overwrite,
        quiet=quiet,
        as_json=as_json,
    )
    request = None
    if model is not None and energy is not None and out is not None:
        request = GenerationRequest(
            model=model,
            energy=energy,
            direction=direction,
            n=n,
            seed=seed,
            particle=particle,
            extrapolate=extrapolate,
            batch_size=batch_size,
            device=device,
            precision=precision,
            runtime=runtime,
            weights=None if weights is None else str(weights),
            source=fed_by,
            detector=detector,
            place=place,
            position=position,
            from_ip=from_ip,
            threshold_mev=threshold_mev,
            options=parse_options(words),
        )
    else:
        _check_plan_alone(context, plan)
    if options.is_asked:
        run_production(request, out, options)
        return
    assert request is not None
    assert out is not None
    _generate_at_once(request, out, options)


def _check_plan_alone(context: click.Context, plan: Path | None) -> None:
    """Refuse a request that is not complete: all of it is given, or the plan has it."""
    parameters = {parameter.name: parameter for parameter in context.command.params}
    given = {name: option for name, option in parameters.items() if is_given(str(name))}
    if plan is None or {"model", "energy"} & given.keys():
        missing = next(name for name in ("model", "energy", "out") if name not in given)
        raise click.MissingParameter(ctx=context, param=parameters[missing])
    beside = next((p for name, p in given.items() if name not in BESIDE_A_PLAN), None)
    if beside is not None:
        msg = f"{plan} says what is generated; leave out {beside.opts[0]}, or give --model too."
        raise InputError(msg)


def _generate_at_once(request: GenerationRequest, out: Path, options: ProductionOptions) -> None:
    from calozoo.generation.generate_file import check_output, generate_to_file
    from calozoo.output_files import check_sources

    overwrite, quiet, seed = options.overwrite, options.quiet, request.seed
    prepared = request.prepared(offline=options.offline)
    check_sources(out, request.files())
    check_output(out, overwrite=overwrite)
    generator = request.load(offline=options.offline, workers=options.workers)
    if not quiet:
        click.echo(_header(generator), err=True)
        if options.threads is not None and options.threads > generator.threads:
            click.echo(_note_on_threads(generator, options.threads), err=True)
    with batch_progress(len(prepared.source), hidden=quiet) as progress:
        result = generate_to_file(
            generator,
            prepared.source,
            out,
            seed=seed,
            overwrite=overwrite,
            batch_size=request.batch_size,
            extrapolate=request.extrapolate,
            placer=prepared.placer,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(result), err=True)
    if options.as_json:
        click.echo(_report(generator, result, seed))


def _header(generator: Generator) -> str:
    spec, threads = generator.spec, generator.threads
    return (
        f"{spec.name}  {spec.representation}  {generator.device}, {counted(threads, 'thread')}, "
        f"{generator.precision}"
    )


def _note_on_threads(generator: Generator, asked: int) -> str:
    """Message for a person whose threads a model has no use for."""
    uses = f"{generator.spec.name} uses {counted(generator.threads, 'thread')}, not {asked}"
    if generator.device != "cpu":
        return f"note: {uses}: {generator.device} computes its showers."
    return f"note: {uses}; --jobs {asked} shares its showers among {asked} processes."


def _footer(result: GenerationResult) -> str:
    showers, size = counted(result.n_showers, "shower"), readable_size(result.n_bytes)
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

    spec = generator.spec
    report = {
        "model": spec.name,
        "representation": spec.representation,
        "detector": spec.detector,
        "device": generator.device,
        "threads": generator.threads,
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
