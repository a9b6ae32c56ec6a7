"""`calozoo physics`: photon pairs and pi0 of tau decays, reconstructed, model against Geant4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import offline_option, overwrite_option, quiet_option, workers_option
from calozoo.cli.output import aligned, batch_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from calozoo.cli.output import BatchProgress
    from calozoo.physics.benchmark import PhysicsRun

__all__ = ["physics"]


@click.group()
def physics() -> None:
    """Compare models with Geant4 after a reconstruction.

    Photons only, found by calozoo's photon finder: ratios of a model to Geant4 can be set beside
    those of papers, absolute efficiencies cannot.

    \b
    Examples:
      calozoo physics pairs --model caloclouds3 --energy 5 -n 100 --work physics
      calozoo physics tau --model caloclouds3 -n 100 --work physics
    """


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Options of both benchmarks."""
    options: list[Any] = [
        click.option(
            "--model",
            "models",
            multiple=True,
            required=True,
            metavar="NAME",
            shell_complete=complete_models,
            help="Model to compare with Geant4; again for others.",
        ),
        click.option(
            "--work",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Folder of the simulated samples, which are kept, reused, and gone on with after "
            "a stop.",
        ),
        click.option(
            "--seeds",
            type=int,
            default=1,
            show_default=True,
            metavar="N",
            help="Seeds of each model.",
        ),
        click.option(
            "--floor/--no-floor",
            default=True,
            show_default=True,
            help="Compare Geant4 with itself, too.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Report to write, .json.",
        ),
        click.option(
            "--plot",
            "picture",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="PICTURE",
            help="Draw the curves or categories, as .png, .pdf or .svg.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the report, as JSON."),
        overwrite_option("a report"),
        workers_option("Processes of Geant4; the showers do not depend on it."),
        offline_option,
        quiet_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@physics.command()
@_shared
@click.option(
    "-n",
    "n",
    type=int,
    metavar="N",
    help="Pairs of each sample; by default 3000, 2000, 500 at 5, 20, 100 GeV, and 2000, 1500, 500 "
    "close ones.",
)
@click.option(
    "--energy",
    "energies",
    default="5,20,100",
    show_default=True,
    metavar="GEV",
    help="Energies of the photons, of 5, 20 and 100.",
)
def pairs(energies: str, **options: Any) -> None:
    """Photon pairs: distance from which two photons are found as two.

    \b
    Examples:
      calozoo physics pairs --model optimum.x1 --model optimum.x9 --work physics
      calozoo physics pairs --model caloclouds3 --energy 5 -n 100 --work physics --plot pairs.png
    """
    from calozoo.physics.benchmark import run_pairs
    from calozoo_core.errors import InputError

    try:
        numbers = tuple(int(text) for text in energies.split(","))
    except ValueError:
        msg = f"Cannot read the energies {energies!r}; write 5,20,100 or some of them."
        raise InputError(msg) from None
    picture, out = options.pop("picture"), options["out"]
    _check_out(out, options["overwrite"])
    with batch_progress(hidden=options["quiet"], unit="events") as progress:
        report, measurements = run_pairs(_run(progress, options), numbers)
    if picture is not None:
        from calozoo.plotting.physics import plot_pairs

        plot_pairs(measurements, picture)
    if options["as_json"]:
        click.echo(json.dumps(report))
    else:
        for energy, found in report["results"].items():
            click.echo(f"{energy}: {', '.join(f'{n} in {k}' for k, n in found['pairs'].items())}")
            click.echo(_table(found["models"]))
    _write(report, out)


@physics.command()
@_shared
@click.option("-n", "n", type=int, metavar="N", help="Selected tau events; by default 1000.")
@click.option(
    "--events",
    "events_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Selected events, a native file of photons on the face with their mothers; by default "
    "Pythia makes them (pip install 'calozoo[physics]').",
)
def tau(events_file: Path | None, **options: Any) -> None:
    """Pi0 of tau decays: number found, masses, energies and angles.

    \b
    Examples:
      calozoo physics tau --model caloclouds3 -n 100 --work physics --plot tau.png
    """
    from calozoo.physics.benchmark import run_taus

    picture, out = options.pop("picture"), options["out"]
    _check_out(out, options["overwrite"])
    with batch_progress(hidden=options["quiet"], unit="events") as progress:
        report, measurements = run_taus(_run(progress, options), events_file)
    if picture is not None:
        from calozoo.plotting.physics import plot_taus

        plot_taus(measurements, picture)
    found = report["results"]
    if options["as_json"]:
        click.echo(json.dumps(report))
    else:
        click.echo(f"{found['events']} events, {found['true_pi0']} true pi0")
        click.echo(_table(found["models"]))
    _write(report, out)


def _run(progress: BatchProgress, options: dict[str, Any]) -> PhysicsRun:
    from calozoo.physics.benchmark import PhysicsRun

    return PhysicsRun(
        tuple(options["models"]),
        options["work"],
        n=options["n"],
        seeds=options["seeds"],
        floor=options["floor"],
        workers=options["workers"],
        offline=options["offline"],
        on_start=progress.start,
        on_events=progress.advance,
    )


def _check_out(out: Path | None, overwrite: bool) -> None:
    from calozoo_core.errors import OutputExistsError

    if out is not None and out.exists() and not overwrite:
        msg = f"{out} is already there. Add overwrite=True to replace it."
        raise OutputExistsError(msg, argument="overwrite=True")


def _table(models: dict[str, dict[str, dict[str, float]]]) -> str:
    """Rows of the quantities: Geant4, then each model with the error of its difference."""
    names = list(models)
    rows = [("quantity", "geant4", *names)]
    for quantity, first in models[names[0]].items():
        truth = f"{first['truth']:.4g}" if "truth" in first else ""
        cells = []
        for name in names:
            entry = models[name][quantity]
            value = entry.get("model", entry.get("value", float("nan")))
            cells.append(f"{value:.4g} ± {entry['error']:.2g}")
        rows.append((quantity, truth, *cells))
    return aligned(rows)


def _write(report: dict[str, Any], out: Path | None) -> None:
    from calozoo_core.io.atomic import write_atomic

    if out is not None:
        write_atomic(out, json.dumps(report, indent=2) + "\n")
