"""`calozoo calibrate`: factors on a model's number of points and energy, fitted to Geant4."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import (
    json_option,
    overwrite_option,
    seed_option,
    weights_option,
    weights_out_option,
)
from calozoo.cli.output import aligned, batch_progress

if TYPE_CHECKING:
    from calozoo_core.weights.calibration import CalibrationRecord

__all__ = ["calibrate"]


@click.command(short_help="Make a model's points and energy agree with Geant4's.")
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--data",
    "data",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Showers of Geant4; give it several times for several files.",
)
@weights_option("Begin with the weights in this folder; by default with the model's own.")
@weights_out_option
@click.option(
    "--energy",
    type=float,
    default=50.0,
    show_default=True,
    metavar="GEV",
    help="Incident energy at which the visible energy is made to agree.",
)
@seed_option("Seed of the generated showers.")
@overwrite_option("weights")
@json_option()
def calibrate(
    model: str,
    data: tuple[Path, ...],
    weights: Path | None,
    out: Path,
    energy: float,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit the factors on MODEL's number of points and energy, and write new weights.

    \b
    Examples:
      calozoo calibrate caloclouds3.ild-photon --data g4.h5 --out calibrated
      calozoo generate --model caloclouds3.ild-photon --weights calibrated --energy 50 --out s.h5
    """
    from calozoo.evaluation import calibrate

    with batch_progress(hidden=True) as progress:
        factors, record = calibrate.calibrate(
            model,
            data,
            out,
            folder=weights,
            energy_gev=energy,
            seed=seed,
            overwrite=overwrite,
            on_showers=progress.advance,
        )
    if as_json:
        import json

        report = {"out": str(out), "factors": factors, "record": record.model_dump()}
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(_table(factors, record))
        click.echo(f"written to {out}", err=True)


def _table(factors: dict[str, float], record: CalibrationRecord) -> str:
    from calozoo_core.metrics.result import format_with_error

    labels = {
        "n_points": f"{record.compared} in a shower",
        "energy": f"visible energy at {record.energy_gev:g} GeV",
    }
    rows = [("MODEL / GEANT4", "BEFORE", "AFTER", "FACTOR")]
    for name, factor in factors.items():
        before, after = record.before[name], record.after[name]
        rows.append(
            (
                labels[name],
                format_with_error(before.value, before.error),
                format_with_error(after.value, after.error),
                f"{factor:.5f}",
            )
        )
    return aligned(rows)
