"""`calozoo physics`: photon pairs and pi0 of tau decays, reconstructed, model against Geant4."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import offline_option, overwrite_option, quiet_option, workers_option
from calozoo.cli.output import aligned, batch_progress
from calozoo.cli.signals import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from calozoo.cli.output import BatchProgress
    from calozoo.physics.options import PhysicsRun
    from calozoo.physics.results import PhysicsResult

__all__ = ["physics"]


@click.group()
def physics() -> None:
    """Compare models with Geant4 after a reconstruction.

    Photons only, found by calozoo's photon finder: ratios of a model to Geant4 can be set beside
    those of papers, absolute efficiencies cannot.

    \b
    Examples:
      calozoo physics pairs --model caloclouds3 --energy 5 -n 100 --work physics
      calozoo physics tau --model caloclouds3 -n 100 --work physics --out cards
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
            help="Seeds of each model, whose results are averaged.",
        ),
        click.option(
            "--floor/--no-floor",
            default=True,
            show_default=True,
            help="Compare Geant4 with itself, too.",
        ),
        click.option(
            "--simulate-truth",
            is_flag=True,
            help="Run Geant4 also where calozoo brings its measurements.",
        ),
        click.option(
            "--out",
            "cards",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            metavar="DIR",
            help="Put the results into the models' cards in this folder, which `calozoo benchmark "
            "--out` wrote.",
        ),
        click.option(
            "--report",
            "report_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write the results of all models here, as JSON.",
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
    metavar="N",
    help="Pairs of each sample, one number or one for each energy; by default 3000,2000,500 at "
    "5, 20, 100 GeV, and of close ones 2000,1500,500.",
)
@click.option(
    "--close",
    metavar="N",
    help="Close pairs, likewise; by default as many as -n says.",
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
      calozoo physics pairs --model caloclouds3 -n 1000,200,50 --seeds 3 --work physics --out cards
    """
    from calozoo.physics.benchmark import run_pairs

    picture, energy_list = options.pop("picture"), _integers(energies, "energies", "5,20,100")
    sizes, close = (
        () if text is None else _integers(text, "numbers", "1000,500,100")
        for text in (options["n"], options.pop("close"))
    )
    outputs = _Outputs.checked(options, picture)
    with _kept_chunks(options["work"]), _progress(options) as progress:
        results, measurements = run_pairs(_run(progress, options, sizes, close), energy_list)
    outputs.write(results)
    if picture is not None:
        from calozoo.plotting.physics import plot_pairs

        plot_pairs(measurements, picture)


@physics.command()
@_shared
@click.option("-n", "n", type=int, metavar="N", help="Selected tau events; by default 1000.")
@click.option(
    "--events",
    "events_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Selected events, a native file of photons on the face with their mothers; by default "
    "those that calozoo brings, and for more Pythia makes them (pip install 'calozoo[physics]').",
)
def tau(events_file: Path | None, **options: Any) -> None:
    """Pi0 of tau decays: number found, masses, energies and angles.

    \b
    Examples:
      calozoo physics tau --model caloclouds3 -n 100 --work physics --plot tau.png
    """
    from calozoo.physics.benchmark import run_taus

    picture = options.pop("picture")
    sizes = () if options["n"] is None else (options["n"],)
    outputs = _Outputs.checked(options, picture)
    with _kept_chunks(options["work"]), _progress(options) as progress:
        results, measurements = run_taus(_run(progress, options, sizes), events_file)
    outputs.write(results)
    if picture is not None:
        from calozoo.plotting.physics import plot_taus

        plot_taus(measurements, picture)


@dataclass(frozen=True)
class _Outputs:
    """Files and tables that a command writes and prints."""

    cards: Path | None
    report: Path | None
    as_json: bool
    quiet: bool

    @classmethod
    def checked(cls, options: dict[str, Any], picture: Path | None) -> _Outputs:
        """Outputs of a command, refused now rather than after hours."""
        from calozoo import api
        from calozoo.cards.card import check_cards
        from calozoo.output_files import check_output_file
        from calozoo.plotting.style import check_picture

        cards, report = options["cards"], options["report_file"]
        if report is not None:
            check_output_file(report, overwrite=options["overwrite"])
        if picture is not None:
            check_picture(picture)
            check_output_file(picture, overwrite=True)
        if cards is not None:
            models = [api.find_model(name).name for name in options["models"]]
            check_cards(cards, models)
        return cls(cards, report, options["as_json"], options["quiet"])

    def write(self, results: Mapping[str, PhysicsResult]) -> None:
        """Write the results into a report and cards, and print them."""
        from calozoo.cards.card import add_physics
        from calozoo_core.io.atomic import write_atomic

        content = {
            name: one.model_dump(mode="json", exclude_none=True) for name, one in results.items()
        }
        if self.report is not None:
            write_atomic(self.report, json.dumps(content, indent=1) + "\n")
        for name, result in results.items():
            if self.cards is not None and name != result.truth:
                place, gone = add_physics(self.cards, name, result)
                if not self.quiet:
                    click.echo(f"{place}  written{_without(gone)}", err=True)
        click.echo(json.dumps(content) if self.as_json else _table(results))


def _without(energies_gev: Sequence[float]) -> str:
    if not energies_gev:
        return ""
    named = " and ".join(f"{energy:g}" for energy in energies_gev)
    return f", without its pairs of {named} GeV, which were of other weights or another finder"


def _progress(options: dict[str, Any]) -> AbstractContextManager[BatchProgress]:
    return batch_progress(hidden=options["quiet"], unit="events")


@contextmanager
def _kept_chunks(work: Path) -> Iterator[None]:
    """Say where finished events are if the command is stopped."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not work.exists():
            raise
        msg = f"stopped; finished events are kept in {work}, and the same command goes on there."
        raise StoppedError(msg) from error


def _run(
    progress: BatchProgress,
    options: dict[str, Any],
    n: tuple[int, ...],
    n_close: tuple[int, ...] = (),
) -> PhysicsRun:
    from calozoo.physics.options import PhysicsRun

    def note(sentence: str) -> None:
        if not options["quiet"]:
            click.echo(sentence, err=True)

    return PhysicsRun(
        tuple(options["models"]),
        options["work"],
        n=n,
        n_close=n_close,
        seeds=options["seeds"],
        floor=options["floor"],
        simulate_truth=options["simulate_truth"],
        workers=options["workers"],
        offline=options["offline"],
        on_truth=note,
        on_start=progress.start,
        on_events=progress.advance,
    )


def _integers(text: str, what: str, example: str) -> tuple[int, ...]:
    from calozoo_core.errors import InputError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f"Cannot read the {what} {text!r}; write {example} or some of them."
        raise InputError(msg) from None


def _table(results: Mapping[str, PhysicsResult]) -> str:
    """Samples, and a row for each figure: Geant4's quantity, and the models' distances from it."""
    from calozoo.cards.metric_labels import label_with_unit, value_text
    from calozoo.physics.results import TITLES

    first = next(iter(results.values()))
    names = [name for name in results if name != first.truth]
    events = ", ".join(f"{s.n_events} in {name}" for name, s in first.samples.items())
    rows = [("minus geant4's, or divergence", "geant4", *names, "noise floor")]
    for number, figure in enumerate(results[names[0]].figures):
        same = [results[name].figures[number] for name in names]
        texts = ["-" if f.value is None else value_text(f.value, f.error, f.metric) for f in same]
        truth = "" if figure.reference_value is None else f"{figure.reference_value:.4g}"
        floor = ""
        if figure.noise_floor is not None:
            floor = value_text(figure.noise_floor, None, figure.metric)
        rows.append((label_with_unit(figure), truth, *texts, floor))
    return f"{TITLES[first.test]}: {events}\n{aligned(rows)}"
