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

    from calozoo.evaluation.evaluate import Evaluation, EvaluationReport

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
      calozoo evaluate gen.h5 --reference dataset_2_2.hdf5

    If a file has the layout of the CaloChallenge, voxels of its data set 2 or 3 are compared, by
    the challenge's own figures.
    """
    if plots is None and is_given("suffix"):
        msg = "--format is that of the pictures; add --plots DIR, or leave it out."
        raise click.UsageError(msg)
    from calozoo.evaluation.voxels import are_voxels
    from calozoo.output_files import check_output_file, check_sources

    target = None if report in (None, "-") else Path(str(report))
    if target is not None:
        check_sources(target, [*generated, reference])
        check_output_file(target, overwrite=overwrite)
    if are_voxels([*generated, reference]):
        _refuse_options_of_cells()
        _print(
            _compared_voxels(
                generated,
                reference,
                classifier=not no_classifier,
                features=features,
                seed=seed,
                quiet=quiet,
            ),
            report,
            target,
            quiet=quiet,
        )
        return
    from calozoo.evaluation.evaluate import evaluate_files
    from calozoo_core.cores import available_cores

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
    drawn = 0 if plots is None else _draw(evaluations, plots, suffix)
    more = () if plots is None else (f"{drawn} pictures in {plots}",)
    _print([each.report for each in evaluations], report, target, more, quiet=quiet)


def _refuse_options_of_cells() -> None:
    """Refuse what means nothing to voxels.

    Raises:
        click.UsageError: If such an option is given.
    """
    for parameter, option in (
        ("place", "--place"),
        ("threshold", "--threshold"),
        ("plots", "--plots"),
        ("workers", "--workers"),
    ):
        if is_given(parameter):
            msg = f"{option} means nothing to voxels of the CaloChallenge; leave it out."
            raise click.UsageError(msg)


def _compared_voxels(
    generated: Sequence[Path],
    reference: Path,
    *,
    classifier: bool,
    features: bool,
    seed: int,
    quiet: bool,
) -> Sequence[EvaluationReport]:
    from calozoo.evaluation.voxels import evaluate_voxels

    with batch_progress(hidden=quiet) as progress:
        return evaluate_voxels(
            generated,
            reference,
            classifier=classifier,
            features=features,
            seed=seed,
            on_start=progress.start,
            on_batch=progress.advance,
            on_read=progress.close,
        )


def _print(
    reports: Sequence[EvaluationReport],
    report: str | None,
    target: Path | None,
    more: Sequence[str] = (),
    *,
    quiet: bool,
) -> None:
    """Print the tables, or JSON, and write the file that was asked for."""
    from calozoo.cli.evaluation_table import evaluation_text
    from calozoo.evaluation.evaluate import report_text, write_report

    if report == "-":
        click.echo(report_text(reports), nl=False)
    else:
        click.echo("\n\n".join(map(evaluation_text, reports)))
    if target is not None:
        write_report(target, reports)
    if not quiet:
        click.echo(_footer(reports, target, more), err=True)


def _draw(evaluations: Sequence[Evaluation], folder: Path, suffix: str) -> int:
    from calozoo.plotting import draw

    return len(draw(evaluations, folder, suffix))


def _footer(reports: Sequence[EvaluationReport], target: Path | None, more: Sequence[str]) -> str:
    first = reports[0]
    n = first.reference.n_showers + sum(each.generated.n_showers for each in reports)
    words = [f"{n} showers in {first.seconds:.1f} s, {first.peak_mb:.0f} MB"]
    if target is not None:
        words.append(f"figures in {target}")
    return "; ".join([*words, *more])
