"""`calozoo evaluate`: how far showers are from Geant4's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_detectors
from calozoo.cli.progress import progress_bar
from calozoo.cli.signals import stoppable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calozoo.evaluation.evaluate import Evaluation

__all__ = ["evaluate"]


@click.command(short_help="Compare showers with those of Geant4.")
@click.argument(
    "generated", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="GEN..."
)
@click.option(
    "--reference",
    required=True,
    type=click.Path(path_type=Path),
    metavar="REF",
    help="Showers of Geant4, of primaries with the same energies and directions.",
)
@click.option(
    "--place",
    metavar="DETECTOR",
    shell_complete=complete_detectors,
    help="Put the points of all files into this detector and compare its cells; by default the "
    "hits in the files, or the detector of REF if it has gaps, or cells without gaps.",
)
@click.option(
    "--threshold",
    type=float,
    default=0.1,
    show_default=True,
    metavar="MEV",
    help="Leave out cells with less.",
)
@click.option("--features", is_flag=True, help="FPD, KPD and the AUC of a classifier, too; slower.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw every observable into this folder; pictures that are there are replaced.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "pdf", "svg"]),
    default="png",
    show_default=True,
    help="Of the pictures.",
)
@click.option(
    "--json",
    "report",
    metavar="F",
    help="Write all figures, binnings and versions to this file; - for stdout, in place of the "
    "table.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="Of the grids of cells."
)
@click.option("--workers", type=int, metavar="N", help="Processes; by default all cores.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr but what goes wrong.")
def evaluate(
    generated: tuple[Path, ...],
    reference: Path,
    place: str | None,
    threshold: float,
    features: bool,
    plots: Path | None,
    suffix: str,
    report: str | None,
    overwrite: bool,
    seed: int,
    workers: int | None,
    quiet: bool,
) -> None:
    """Compare GEN, showers of one model or of several, with those of Geant4.

    \b
    Examples:
      calozoo evaluate gen.h5 --reference g4.h5
      calozoo evaluate gen.h5 --reference g4.h5 --plots plots --json figures.json
      calozoo evaluate gen.h5 --reference g4.h5 --place ild_siecal
    """
    from calozoo.cli.evaluation_table import evaluation_text
    from calozoo.evaluation.evaluate import (
        check_report,
        evaluate_files,
        report_text,
        write_report,
    )
    from calozoo.generation.threads import cores

    target = None if report in (None, "-") else Path(str(report))
    if target is not None:
        check_report(target, overwrite=overwrite)
    if plots is not None:
        from calozoo.plotting import check_folder

        check_folder(plots)
    with ExitStack() as looking:
        stop_if_asked = looking.enter_context(stoppable())
        advance = [lambda n: None]

        def on_start(n: int) -> None:
            advance[0] = looking.enter_context(progress_bar(n, hidden=quiet))

        def on_batch(n: int) -> None:
            advance[0](n)
            stop_if_asked()

        evaluations = evaluate_files(
            generated,
            reference,
            place=place,
            threshold_mev=threshold,
            features=features,
            seed=seed,
            workers=workers or cores(),
            on_start=on_start,
            on_batch=on_batch,
            on_read=looking.close,
        )
    reports = [evaluation.report for evaluation in evaluations]
    if report == "-":
        click.echo(report_text(reports), nl=False)
    else:
        click.echo("\n\n".join(map(evaluation_text, reports)))
    if target is not None:
        write_report(target, reports)
    drawn = 0 if plots is None else _draw(evaluations, plots, suffix)
    if not quiet:
        click.echo(_footer(evaluations, target, plots, drawn), err=True)


def _draw(evaluations: Sequence[Evaluation], folder: Path, suffix: str) -> int:
    from calozoo.plotting import draw

    return len(draw(evaluations, folder, suffix))


def _footer(
    evaluations: Sequence[Evaluation], target: Path | None, plots: Path | None, drawn: int
) -> str:
    report = evaluations[0].report
    n = report.reference.n_showers + sum(e.report.generated.n_showers for e in evaluations)
    words = [f"{n} showers in {report.seconds:.1f} s, {report.peak_mb:.0f} MB"]
    if target is not None:
        words.append(f"figures in {target}")
    if plots is not None:
        words.append(f"{drawn} pictures in {plots}")
    return "; ".join(words)
