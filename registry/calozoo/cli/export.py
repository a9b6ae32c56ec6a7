"""`calozoo export`: showers or models in the file format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_sources
from calozoo.cli.options import (
    json_option,
    offline_option,
    overwrite_option,
    quiet_option,
    weights_option,
)
from calozoo.cli.output import batch_progress, counted, readable_size
from calozoo_core.errors import InputError

if TYPE_CHECKING:
    from calozoo.export.model_file import ModelExport
    from calozoo_core.io import Exported

__all__ = ["export"]

SHOWER_OPTIONS = ("grid", "voxels", "bin", "sampling_fraction", "threshold")
MODEL_OPTIONS = ("interface", "opset", "given", "weights")
LIBRARY_OPTIONS = ("energy", "direction", "n", "seed", "grid", "weights")


@click.command(short_help="Write showers or a model in the format of another program.")
@click.argument("source", metavar="SHOWERS|MODEL", shell_complete=complete_sources)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="FORMAT",
    help="Of showers: ddml | calochallenge | root; of simulated events: root | edm4hep; by default "
    "what the name of OUT tells. Of a model: ddml (TorchScript) | onnx | pt2 | par04 | library (of "
    "new showers, for DDML).",
)
@click.option(
    "--grid",
    metavar="NXxNY",
    help="Showers or library, ddml: a plain grid of the detector's cells about the entry point, "
    "such as 30x30; by default the grid that DDML's own library reader expects.",
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
@click.option(
    "--interface",
    metavar="NAME",
    help="Model: what goes in and comes out, ddml-points | ddml-x9 | par04; by default the first "
    "that model and target share.",
)
@click.option(
    "--opset", type=int, metavar="N", help="Model, onnx: version of the operators; by default 20."
)
@click.option(
    "--given",
    is_flag=True,
    help="Model, onnx and pt2: random numbers are inputs of the file, for programs with their own.",
)
@weights_option("Model: folder with other weights, written by `calozoo train`.")
@click.option("--energy", metavar="GEV", help="library: incident energies, as `generate` has them.")
@click.option("--dir", "direction", metavar="DIR", help="library: directions, likewise.")
@click.option("-n", "n", type=int, metavar="N", help="library: number of showers.")
@click.option(
    "--seed", type=int, metavar="N", help="library: same seed, same showers; 0 if left out."
)
@offline_option
@overwrite_option()
@quiet_option
@json_option("Print a report as a JSON object.")
def export(
    source: str,
    out: Path,
    to: str | None,
    offline: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write SHOWERS, a file of showers or of events, or MODEL to OUT for another program.

    A model becomes a file that runs without calozoo. Beside OUT are written OUT.json, which says
    what it is, and for DDML the steering of ddsim, which is printed too. `calozoo verify OUT` tells
    later whether it was changed.

    \b
    Examples:
      calozoo export showers.h5 showers.root
      calozoo export showers.h5 library.h5 --to ddml
      calozoo export hits.h5 events.root --to edm4hep
      calozoo export showers.h5 voxels.h5 --to calochallenge --voxels 16x9x4.65
      calozoo export caloclouds3.ild-photon photons.pt --to ddml
      calozoo export caloclouds3.ild-photon photons.onnx --to onnx
    """
    from calozoo.generation.parsing import is_shower_file

    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if is_shower_file(source) or Path(source).is_file():
        _refuse_others(given, SHOWER_OPTIONS, "shower files")
        to = "ddml" if to == "library" else to
        _export_showers(Path(source), out, to, given, overwrite, quiet, as_json)
    elif to == "library":
        _refuse_others(given, LIBRARY_OPTIONS, "libraries")
        _export_library(source, out, given, offline, overwrite, quiet, as_json)
    else:
        _refuse_others(given, MODEL_OPTIONS, "models")
        _export_model(source, out, to, given, offline, overwrite, quiet, as_json)


def _refuse_others(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in known:
            msg = f"{name} means nothing for {what}; leave it out."
            raise InputError(msg, argument=name)


def _export_showers(
    showers: Path,
    out: Path,
    to: str | None,
    options: dict[str, Any],
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from calozoo.export.formats import export_file, format_of
    from calozoo_core.io.events import is_event_file

    what = "event" if is_event_file(showers) else "shower"
    with batch_progress(hidden=quiet, unit=f"{what}s") as progress:
        exported = export_file(
            showers,
            out,
            to,
            **options,
            overwrite=overwrite,
            on_start=progress.start,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(out, exported, what), err=True)
    if as_json:
        click.echo(_report(out, format_of(out, to), exported, what))


def _export_library(
    model: str,
    out: Path,
    options: dict[str, Any],
    offline: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from calozoo.export.library import export_library

    with batch_progress(hidden=quiet) as progress:
        exported = export_library(
            model,
            out,
            **options,
            offline=offline,
            overwrite=overwrite,
            on_start=progress.start,
            on_batch=progress.advance,
        )
    if not quiet:
        click.echo(_footer(out, exported), err=True)
    if as_json:
        click.echo(_report(out, "library", exported))


def _export_model(
    model: str,
    out: Path,
    to: str | None,
    options: dict[str, Any],
    offline: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from calozoo.export.model_file import export_model

    exported = export_model(model, out, to, **options, offline=offline, overwrite=overwrite)
    if not quiet:
        click.echo(_model_footer(exported), err=True)
    if as_json:
        click.echo(exported.record.model_dump_json(indent=2))
    elif exported.steering is not None:
        click.echo(exported.steering, nl=False)


def _model_footer(exported: ModelExport) -> str:
    record = exported.record
    size = readable_size(record.bytes)
    return f"{exported.path}  {record.model} as {record.interface}, {record.format}, {size}"


def _footer(out: Path, exported: Exported, what: str = "shower") -> str:
    words = [counted(exported.n_showers, what), readable_size(out.stat().st_size)]
    lost = {"outside": exported.outside_mev, "below the threshold": exported.below_threshold_mev}
    for where, energy in lost.items():
        if energy > 0:
            words.append(f"{100 * energy / exported.visible_mev:.2g} % of the energy {where}")
    return f"{out}  {', '.join(words)}"


def _report(out: Path, to: str, exported: Exported, what: str = "shower") -> str:
    import json

    report = {
        "file": str(out),
        "format": to,
        f"{what}s": exported.n_showers,
        "bytes": out.stat().st_size,
        "visible_mev": exported.visible_mev,
        "outside_mev": exported.outside_mev,
        "below_threshold_mev": exported.below_threshold_mev,
    }
    return json.dumps(report)
