"""`calozoo generate`: showers of a model, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from calozoo.cli.progress import progress_bar, readable_size
from calozoo.cli.stopping import stoppable

if TYPE_CHECKING:
    from calozoo.run import Written
    from calozoo_core.generator import Generator

__all__ = ["generate"]


@click.command()
@click.option("--model", required=True, metavar="NAME", help="architecture[.tag][@revision].")
@click.option(
    "--energy",
    required=True,
    metavar="GEV",
    help="50 | 10:100 (uniform) | log:1:1000 | 10,20,50 (in turn) | @FILE (one a row).",
)
@click.option(
    "--dir",
    "direction",
    default="0,0",
    show_default=True,
    metavar="DIR",
    help="THETA,PHI in degrees from the calorimeter normal | X,Y,Z | cone:60 (theta and phi "
    "uniform) | @FILE (one X,Y,Z a row).",
)
@click.option(
    "-n",
    "n",
    type=int,
    metavar="N",
    help="Number of showers; by default the rows of a @FILE, else one for each energy listed.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file, .h5.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Same seed, same showers, same bytes."
)
@click.option("--particle", help="PDG name; by default the model's own.")
@click.option("--extrapolate", is_flag=True, help="Go beyond what the model was trained on.")
@click.option(
    "--batch-size", type=int, metavar="N", help="Showers at a time; they do not depend on it."
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--threads", type=int, metavar="N", help="By default all cores.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the network's arithmetic; by default what the model measured best.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Use these instead: what `calozoo train` or `calozoo convert` wrote.",
)
@click.option("--offline", is_flag=True, help="Ask nothing of the network.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr but what goes wrong.")
@click.option("--json", "as_json", is_flag=True, help="Report on stdout, as one JSON object.")
def generate(
    model: str,
    energy: str,
    direction: str,
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
    offline: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate showers into an HDF5 file.

    \b
    calozoo generate --model caloclouds3 --energy 50 -n 100 --out showers.h5
    calozoo generate --model caloclouds3 --energy 10:100 --dir cone:40 -n 5000 --out showers.h5
    """
    from calozoo import catalog
    from calozoo.threads import use_threads

    use_threads(threads)  # before numpy is imported: its linear algebra asks only then
    from calozoo.request import make_source
    from calozoo.run import check_output, check_request, generate_to_file

    spec = catalog.find_model(catalog.split_revision(model)[0])
    particle = particle or spec.conditions.particles[0]
    source = make_source(energy, direction, n, seed=seed, particle=particle)
    check_request(spec, source, batch_size=batch_size, extrapolate=extrapolate)
    check_output(out, overwrite=overwrite)
    generator = catalog.load(
        model, device=device, precision=precision, offline=offline, folder=weights
    )
    if not quiet:
        click.echo(_header(generator), err=True)
    with stoppable() as stop_if_asked, progress_bar(len(source), hidden=quiet) as advance:

        def on_batch(n: int) -> None:
            advance(n)
            stop_if_asked()

        written = generate_to_file(
            generator,
            source,
            out,
            seed=seed,
            overwrite=overwrite,
            batch_size=batch_size,
            extrapolate=extrapolate,
            on_batch=on_batch,
        )
    if not quiet:
        click.echo(_footer(written), err=True)
    if as_json:
        click.echo(_report(generator, written, seed))


def _header(generator: Generator) -> str:
    from calozoo.threads import threads_in_use

    spec, threads = generator.spec, threads_in_use()
    cores = f"{threads} thread" if threads == 1 else f"{threads} threads"
    return f"{spec.name}  {spec.representation}  {generator.device}, {cores}, {generator.precision}"


def _footer(written: Written) -> str:
    showers = f"{written.n_showers} shower" + ("" if written.n_showers == 1 else "s")
    size = readable_size(written.n_bytes)
    return f"{written.path}  {showers}, {_readable_count(written.n_points)} points, {size}"


def _readable_count(n: int) -> str:
    if n < 10_000:
        return str(n)
    return f"{n / 1e3:.1f} k" if n < 999_950 else f"{n / 1e6:.1f} M"


def _report(generator: Generator, written: Written, seed: int) -> str:
    import json

    from calozoo.threads import threads_in_use

    spec = generator.spec
    report = {
        "model": spec.name,
        "representation": spec.representation,
        "detector": spec.detector,
        "device": generator.device,
        "threads": threads_in_use(),
        "precision": generator.precision,
        "seed": seed,
        "file": str(written.path),
        "showers": written.n_showers,
        "points": written.n_points,
        "bytes": written.n_bytes,
        "seconds": round(written.seconds, 3),
        "showers_per_second": round(written.n_showers / written.seconds, 1),
    }
    return json.dumps(report)
