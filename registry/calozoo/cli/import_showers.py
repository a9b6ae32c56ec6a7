"""`calozoo import`: showers of another program's file as a shower file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_detectors
from calozoo.cli.options import json_option, overwrite_option, quiet_option
from calozoo.cli.output import batch_progress, counted, readable_size

if TYPE_CHECKING:
    from calozoo_core.io import ShowerWriter

__all__ = ["import_showers"]


@click.command("import", short_help="Read showers in the format of another program.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "from_format",
    required=True,
    metavar="FORMAT",
    help="calochallenge | par04 | ddml | root (as `calozoo export` writes it).",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write, .h5.",
)
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="Detector of the showers; calochallenge and par04: par04_siw by default.",
)
@click.option(
    "--particle",
    metavar="PDG",
    help="PDG name or number of the incident particle; calochallenge and par04: e- by default, "
    "ddml: gamma.",
)
@click.option(
    "--voxels",
    metavar="VOXELS",
    help="calochallenge and par04: dataset2 | dataset3 | ALPHAxRxMM (sectors, rings, their width) "
    "| FILE.xml (<Bins>).",
)
@click.option("--bin", metavar="NAME", help="calochallenge and par04: which <Bin> of FILE.xml.")
@click.option(
    "--sampling-fraction",
    type=float,
    metavar="F",
    help="calochallenge and par04: multiply voxels by this; by default 0.033 for the voxels of "
    "dataset2 and dataset3, else 1.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    help="calochallenge and par04: seed of the places of points in their voxels; by default 0.",
)
@click.option(
    "--grid",
    metavar="NXxNY",
    help="ddml: a plain grid of the detector's cells, such as 30x30; by default the grid that "
    "DDML's own library reader expects.",
)
@click.option("--energy", metavar="GEV", help="ddml: incident energies, as for `calozoo generate`.")
@click.option(
    "--dir", "direction", metavar="DIR", help="ddml: directions, likewise; by default 0,0."
)
@overwrite_option()
@quiet_option
@json_option("Print a report as a JSON object.")
def import_showers(
    file: Path,
    from_format: str,
    out: Path,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
    **options: str | float | None,
) -> None:
    """Write the showers in FILE, of another program, to a shower file.

    \b
    Examples:
      calozoo import dataset_2_1.hdf5 --from calochallenge --voxels dataset2 --out showers.h5
      calozoo import showers.root --from root --out showers.h5
      calozoo import library.h5 --from ddml --detector ild_siecal_regular --energy 50 --out s.h5
    """
    from calozoo.export.import_file import import_file

    with batch_progress(hidden=quiet) as progress:
        written = import_file(
            file,
            out,
            from_format,
            options=options,
            overwrite=overwrite,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(out, written), err=True)
    if as_json:
        click.echo(_report(out, from_format, written))


def _footer(out: Path, written: ShowerWriter) -> str:
    showers = counted(written.n_showers, "shower")
    return f"{out}  {showers}, {written.n_points} points, {readable_size(written.n_bytes)}"


def _report(out: Path, from_format: str, written: ShowerWriter) -> str:
    import json

    report = {
        "file": str(out),
        "format": from_format,
        "showers": written.n_showers,
        "points": written.n_points,
        "bytes": written.n_bytes,
    }
    return json.dumps(report)
