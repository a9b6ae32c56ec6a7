"""`calozoo evaluate`: comparison of generated showers with those of Geant4."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import (
    is_given,
    overwrite_option,
    place_option,
    quiet_option,
    seed_option,
    workers_option,
)
from calozoo.cli.output import batch_progress

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
    help="Showers of Geant4, of incident particles with the same energies and directions.",
)
@place_option(
    "Place the points of all files into this detector and compare its cells; by default the "
    "hits in the files, or the detector of REF if it has gaps, or cells without gaps."
)
@click.option(
    "--threshold",
    type=float,
    default=0.1,
    show_default=True,
    metavar="MEV",
    help="Leave out cells with less energy.",
)
@click.option("--features", is_flag=True, help="Also the distances FPD and KPD.")
@click.option("--no-classifier", is_flag=True, help="Leave out the AUC, which takes minutes.")
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
    help="Format of the pictures.",
)
@click.option(
    "--json",
    "report",
    metavar="F",
    help="Write all figures, binnings and versions to this file; - for stdout, in place of the "
    "table.",
)
@overwrite_option()
@seed_option("Seed of the grids of cells.")
@workers_option("Processes; by default all cores.")
@quiet_option
def evaluate(
    generated: tuple[Path, ...],
    reference: Path,
    place: str | None,
    threshold: float,
    features: bool,
    no_classifier: bool,
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
    if plots is None and is_given("suffix"):
        msg = "--format is that of the pictures; add --plots DIR, or leave it out."
        raise click.UsageError(msg)
    from calozoo.cli.evaluation_table import evaluation_text
    from calozoo.evaluation.evaluate import (
        evaluate_files,
        report_text,
        write_report,
    )
    from calozoo.output_files import check_output_file, check_sources
    from calozoo_core.cores import available_cores

    target = None if report in (None, "-") else Path(str(report))
    if target is not None:
        check_sources(target, [*generated, reference])
        check_output_file(target, overwrite=overwrite)
    if plots is not None:
        from calozoo.plotting import check_folder

        check_folder(plots)
    with batch_progress(hidden=quiet) as progress:
        evaluations = evaluate_files(
            generated,
            reference,
            place=place,
            threshold_mev=threshold,
            classifier=not no_classifier,
            features=features,
            seed=seed,
            workers=workers or available_cores(),
            on_start=progress.start,
            on_batch=progress.advance,
            on_read=progress.close,
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
