"""`calozoo benchmark`: fidelity, speed and size of models, in one run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from calozoo.cli.completion import complete_models, complete_sources
from calozoo.cli.options import (
    extrapolate_option,
    json_option,
    precision_option,
    quiet_option,
    seed_option,
    weights_option,
    workers_option,
)
from calozoo.cli.output import progress_bar
from calozoo_core.errors import CalozooError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calozoo.benchmark.measurements import Measurements

__all__ = ["benchmark"]

SHOWERS, ROUNDS = 300, 7
QUICK_SHOWERS, QUICK_ROUNDS = 20, 2


@click.command(short_help="Measure fidelity, speed and size of models.")
@click.argument("models", nargs=-1, metavar="MODEL...", shell_complete=complete_models)
@click.option(
    "--reference",
    default="geant4",
    show_default=True,
    metavar="NAME|FILE.h5",
    shell_complete=complete_sources,
    help="Simulation of the real detector, or a shower file with entry points, whose incident "
    "particles are used then.",
)
@click.option(
    "--make-reference",
    "reference_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.h5",
    help="File that the simulated reference is written to, from --work and what is missing there; "
    "its SHA-256 is printed. Without a MODEL nothing is measured.",
)
@click.option("--quick", is_flag=True, help="Few showers and rounds: minutes instead of hours.")
@click.option(
    "--showers",
    type=click.IntRange(min=2),
    metavar="N",
    help=f"Showers of each of ten energies; by default {SHOWERS}, with --quick {QUICK_SHOWERS}.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    metavar="R",
    help=f"Rounds of the timing; by default {ROUNDS}, with --quick {QUICK_ROUNDS}.",
)
@click.option("--points", is_flag=True, help="Compare points with Geant4's, too.")
@click.option("--no-speed", is_flag=True, help="Measure neither times nor memory.")
@click.option("--no-geant4", is_flag=True, help="Time the models without Geant4.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmark"),
    show_default=True,
    metavar="DIR",
    help="Folder for simulated showers, and for the checkpoints of a run that was stopped.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write MODEL/README.md and MODEL/measurements.json here.",
)
@precision_option("The only precision to measure; by default all that a model offers.")
@weights_option("Measure the model with the weights in this folder; by default with its own.")
@workers_option("Processes of Geant4; by default CALOZOO_G4WORKERS, or 1.")
@seed_option("Seed of the incident particles and of all showers.")
@extrapolate_option("a model")
@click.option(
    "--note",
    "notes",
    type=(str, str),
    multiple=True,
    metavar="MODEL TEXT",
    help="Note for a model's card; by default the notes of the card that is replaced.",
)
@quiet_option
@json_option("Print the measurements, as a JSON array.")
def benchmark(
    models: tuple[str, ...],
    reference: str,
    reference_file: Path | None,
    quick: bool,
    showers: int | None,
    repeats: int | None,
    points: bool,
    no_speed: bool,
    no_geant4: bool,
    work: Path,
    out: Path | None,
    precision: Literal["float32", "bfloat16"] | None,
    weights: Path | None,
    workers: int | None,
    seed: int,
    extrapolate: bool,
    notes: tuple[tuple[str, str], ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure fidelity, speed and size of each MODEL, and write its card.

    Photons of 10, 20, ... 100 GeV fly from the interaction point into the barrel of the real ILD
    calorimeter: the same for every model and for Geant4. A run that was stopped continues when the
    same command is typed again.

    \b
    Examples:
      calozoo benchmark caloclouds3 --quick
      calozoo benchmark caloclouds3 optimum.x9 --showers 300 --workers 2 --out cards
      calozoo benchmark --make-reference photons.h5
      calozoo benchmark caloclouds3 --reference photons.h5 --out cards
    """
    if not models and reference_file is None:
        msg = "Missing argument 'MODEL...'."
        raise click.UsageError(msg)
    if no_speed and repeats is not None:
        msg = "--repeats is of the timing, which --no-speed leaves out; leave out one of them."
        raise click.UsageError(msg)
    from calozoo.generation.threads import use_threads

    use_threads(1)  # before numpy is imported; times are taken in processes of their own
    from calozoo.benchmark.benchmark import Benchmark
    from calozoo.benchmark.request import BenchmarkRequest
    from calozoo.benchmark.speed import BUSY, load_average
    from calozoo.cards.card import write_card
    from calozoo.generation.parsing import is_shower_file

    default_showers, default_rounds = (QUICK_SHOWERS, QUICK_ROUNDS) if quick else (SHOWERS, ROUNDS)
    request = BenchmarkRequest(
        models=tuple(dict.fromkeys(models)),
        reference=Path(reference) if is_shower_file(reference) else reference,
        showers_per_energy=default_showers if showers is None else showers,
        rounds=0 if no_speed else (default_rounds if repeats is None else repeats),
        work=work,
        seed=seed,
        workers=workers,
        precision=precision,
        points=points,
        geant4=None if no_geant4 else "geant4",
        weights=weights,
        extrapolate=extrapolate,
        pictures=out,
    )

    def progress(title: str, n: int, unit: str) -> AbstractContextManager[Callable[[int], None]]:
        if not quiet:
            click.echo(title, err=True)
        return progress_bar(n, hidden=quiet, unit=unit)

    if reference_file is not None:
        only_reference = replace(request, models=(), weights=None)
        digest = Benchmark(only_reference, progress).make_reference(reference_file)
        click.echo(f"{digest}  {reference_file}", err=as_json)
        if not models:
            return
        request = replace(request, reference=reference_file)
    lines = _notes_by_model(notes, request.models)
    run = Benchmark(request, progress)
    load = load_average()
    if request.rounds and load > BUSY and not quiet:
        click.echo(
            f"calozoo: other programs are running (load average {load:.1f}), so the times below "
            "are not to be trusted.",
            err=True,
        )
    measured = []
    for found in run.run():
        measurements = _with_rest_of_card(found, lines, out, quiet=quiet)
        measured.append(measurements)
        if out is not None:
            place = write_card(out, measurements)
            if not quiet:
                click.echo(f"{place}  written", err=True)
    if as_json:
        click.echo("[" + ",\n".join(one.as_json().rstrip() for one in measured) + "]")
    else:
        from calozoo.cards.leaderboard import leaderboard
        from calozoo.cli.cards import leaderboard_text

        click.echo(leaderboard_text(leaderboard(measured)))


def _notes_by_model(
    notes: Sequence[tuple[str, str]], models: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Notes by the full name of the model they are about.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If the model is not measured.
    """
    from calozoo import api
    from calozoo.models import names

    measured = {api.find_model(names.split_revision(name)[0]).name for name in models}
    by_model: dict[str, tuple[str, ...]] = {}
    for model, note in notes:
        name = api.find_model(model).name
        if name not in measured:
            msg = f"A note is about {name}, which is not measured; name it, or leave the note out."
            raise InputError(msg)
        by_model[name] = (*by_model.get(name, ()), note)
    return by_model


def _with_rest_of_card(
    measurements: Measurements,
    notes: Mapping[str, tuple[str, ...]],
    cards: Path | None,
    *,
    quiet: bool,
) -> Measurements:
    """Measurements with what is not measured again: notes, and results of `calozoo physics`.

    Notes are those on their model, or of the card that they replace. Results of `calozoo physics`
    are of that card, and only if the weights are the same.
    """
    card = None if cards is None else _card(cards / measurements.spec.name)
    lines = notes.get(measurements.spec.name)
    if lines is None:
        lines = card.notes if card is not None else ()
    kept = () if card is None else card.physics_of(measurements.weights_sha256)
    if card is not None and len(kept) < len(card.physics) and not quiet:
        click.echo(
            f"calozoo: {measurements.spec.name} has other weights than the results of `calozoo "
            "physics` in its card, which are left out; run it again.",
            err=True,
        )
    return measurements.model_copy(update={"notes": lines, "physics": kept})


def _card(folder: Path) -> Measurements | None:
    from calozoo.benchmark.measurements import read_measurements
    from calozoo.cards.card import MEASUREMENTS

    try:
        return read_measurements(folder / MEASUREMENTS)
    except CalozooError:
        return None
