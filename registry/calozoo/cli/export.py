"""`calozoo export`: showers in the file format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import json_option, overwrite_option, quiet_option
from calozoo.cli.output import batch_progress, readable_size

if TYPE_CHECKING:
    from calozoo_core.io import Exported

__all__ = ["export"]


@click.command(short_help="Write showers in the format of another program.")
@click.argument("showers", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="FORMAT",
    help="ddml | calochallenge | root; by default what the name of OUT tells.",
)
@click.option(
    "--grid",
    metavar="NXxNY",
    help="ddml: a plain grid of the detector's cells about the entry point, such as 30x30; by "
    "default the grid that DDML's own library reader expects.",
)
@click.option(
    "--voxels",
    metavar="VOXELS",
    help="calochallenge: dataset2 | dataset3 | ALPHAxRxMM (sectors, rings, their width) | FILE.xml "
    "(<Bins>).",
)
@click.option("--bin", metavar="NAME", help="calochallenge: which <Bin> of FILE.xml.")
@click.option(
    "--sampling-fraction",
    type=float,
    metavar="F",
    help="calochallenge: divide deposits by this; by default 0.033 for dataset2 and dataset3, else "
    "1.",
)
@click.option(
    "--threshold",
    type=float,
    metavar="MEV",
    help="calochallenge: empty voxels below it; by default 0.01515 for dataset2 and dataset3, else "
    "0.",
)
@overwrite_option()
@quiet_option
@json_option("Print a report as a JSON object.")
def export(
    showers: Path,
    out: Path,
    to: str | None,
    grid: str | None,
    voxels: str | None,
    bin: str | None,
    sampling_fraction: float | None,
    threshold: float | None,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write SHOWERS, a shower file, to OUT in the format of another program.

    \b
    Examples:
      calozoo export showers.h5 showers.root
      calozoo export showers.h5 library.h5 --to ddml
      calozoo export showers.h5 voxels.h5 --to calochallenge --voxels 16x9x4.65
    """
    from calozoo.export.formats import export_file, format_of

    with batch_progress(hidden=quiet) as progress:
        exported = export_file(
            showers,
            out,
            to,
            grid=grid,
            voxels=voxels,
            bin=bin,
            sampling_fraction=sampling_fraction,
            threshold=threshold,
            overwrite=overwrite,
            on_start=progress.start,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(out, exported), err=True)
    if as_json:
        click.echo(_report(out, format_of(out, to), exported))


def _footer(out: Path, exported: Exported) -> str:
    showers = f"{exported.n_showers} shower" + ("" if exported.n_showers == 1 else "s")
    words = [showers, readable_size(out.stat().st_size)]
    lost = {"outside": exported.outside_mev, "below the threshold": exported.below_threshold_mev}
    for where, energy in lost.items():
        if energy > 0:
            words.append(f"{100 * energy / exported.visible_mev:.2g} % of the energy {where}")
    return f"{out}  {', '.join(words)}"


def _report(out: Path, to: str, exported: Exported) -> str:
    import json

    report = {
        "file": str(out),
        "format": to,
        "showers": exported.n_showers,
        "bytes": out.stat().st_size,
        "visible_mev": exported.visible_mev,
        "outside_mev": exported.outside_mev,
        "below_threshold_mev": exported.below_threshold_mev,
    }
    return json.dumps(report)
