"""`calozoo list`, `info`, `search` and `pull`: models, their properties and their weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option, offline_option
from calozoo.cli.output import aligned, readable_size

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo.models.index import IndexEntry
    from calozoo.models.weights import Pulled
    from calozoo_core.generator import ModelSpec

__all__ = ["info", "list_models", "pull", "search"]

HEADINGS = ("NAME", "POINTS", "DETECTOR", "ENERGY", "ANGLE", "WHERE", "SUMMARY")


@click.command("list", short_help="List the models there are.")
@click.argument("pattern", required=False, shell_complete=complete_models)
@click.option("--installed", is_flag=True, help="Leave out models whose plugin is not installed.")
@json_option("Print a JSON array.")
def list_models(pattern: str | None, installed: bool, as_json: bool) -> None:
    """List the models there are, or those whose name matches PATTERN.

    PATTERN matches as file names do in a shell; a bare architecture means all its tags. Models of
    the index whose plugin is not installed are listed with what to type. Exit code 2 if none is.

    \b
    Examples:
      calozoo list
      calozoo list 'calo*' --json
    """
    from calozoo.models import discovery, names
    from calozoo_core.errors import ModelNameError

    owners = discovery.registered()
    here = [owners[spec.name] for spec in names.list_models(pattern)]
    absent = [] if installed else names.list_absent(pattern)
    if as_json:
        rows = [*map(_installed_json, here), *map(_absent_json, absent)]
        click.echo(json.dumps(rows, indent=2))
        return
    if not here and not absent:
        among = "installed model" if installed else "model"
        msg = f"no {among} matches '{pattern}'; `calozoo list` shows all."
        if pattern is None:
            msg = f"there is no {among}; type `pip install calozoo-toy`."
        raise ModelNameError(msg)
    idle = {discovery.canonical(failure.distribution) for failure in discovery.failures()}
    table = [HEADINGS, *map(_installed_row, here)]
    table += [_absent_row(one, discovery.canonical(one.distribution) in idle) for one in absent]
    click.echo(aligned(table))


@click.command(short_help="Show all that is known of a model.")
@click.argument("model", shell_complete=complete_models)
@json_option()
def info(model: str, as_json: bool) -> None:
    """Show all that is known of MODEL, without loading or fetching it.

    \b
    Examples:
      calozoo info caloclouds3
      calozoo info caloclouds3.ild-photon-cells --json
    """
    from calozoo import api
    from calozoo.models import names
    from calozoo.models.index import read_index

    registration = api.find(names.split_revision(model)[0], offline=True)
    weights = _weights(model)
    entry = read_index().get(registration.spec.name)
    if as_json:
        published = None if entry is None else _hub(entry)
        report = _installed_json(registration) | {"weights_found": weights, "hub": published}
        click.echo(json.dumps(report, indent=2))
        return
    rows = [*_description(registration), ("weights", _weights_text(weights))]
    if entry is not None and entry.repo is not None:
        commit = entry.revision[:12] if entry.revision else "nothing published yet"
        rows.append(("on the Hub", f"{entry.repo} ({commit})"))
    click.echo(aligned(rows))


def _installed_row(registration: Registration) -> tuple[str, ...]:
    spec = registration.spec
    where = f"{registration.distribution} {registration.version}"
    ranges = (_energy(spec), _theta(spec))
    return (spec.name, spec.representation, spec.detector, *ranges, where, spec.summary)


def _absent_row(entry: IndexEntry, idle: bool) -> tuple[str, ...]:
    """The row of a model whose plugin is not installed, or cannot be used."""
    where = "not used: calozoo plugins" if idle else f"pip install {entry.distribution}"
    return (entry.name, "-", "-", "-", "-", where, entry.summary)


def _installed_json(registration: Registration) -> dict[str, Any]:
    owner = {"distribution": registration.distribution, "version": registration.version}
    return {"installed": True} | owner | registration.spec.model_dump(mode="json")


def _absent_json(entry: IndexEntry) -> dict[str, Any]:
    owner = {"distribution": entry.distribution, "version": entry.version}
    return {"installed": False} | owner | {"name": entry.name, "summary": entry.summary}


def _description(registration: Registration) -> list[tuple[str, str]]:
    spec = registration.spec
    rows = [
        ("name", spec.name),
        *([("also called", ", ".join(spec.aliases))] if spec.aliases else []),
        ("summary", spec.summary),
        ("points", spec.representation),
        ("detector", spec.detector),
        ("particles", ", ".join(spec.conditions.particles)),
        ("energy", _energy(spec)),
        ("angle", f"{_theta(spec)} from the normal"),
        ("plugin", f"{registration.distribution} {registration.version}"),
        ("code", spec.factory),
        *([("fed by", spec.source)] if spec.source else []),
        ("trained by", spec.trainer or "nothing: it needs no training"),
        ("licence", spec.license),
    ]
    labels = ["papers", *[""] * len(spec.papers)]
    return [*rows, *zip(labels, spec.papers, strict=False)]


def _weights(model: str) -> dict[str, Any]:
    """The weights of a model on this machine, or the error that there are none."""
    from calozoo import api
    from calozoo_core.errors import CalozooError

    try:
        found = api.pull(model, offline=True)
    except CalozooError as error:
        return {"error": str(error)}
    return found.as_dict()


def _weights_text(weights: dict[str, Any]) -> str:
    if "error" in weights:
        return f"not here: {weights['error']}"
    if weights["folder"] is None:
        return str(weights["source"])
    return f"{readable_size(weights['bytes'])}, {weights['source']}"


def _hub(entry: IndexEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", include={"repo", "revision", "sha256"})


def _energy(spec: ModelSpec) -> str:
    low, high = spec.conditions.energy_gev
    return f"{low:g} GeV" if low == high else f"{low:g}-{high:g} GeV"


def _theta(spec: ModelSpec) -> str:
    low, high = spec.conditions.theta_deg
    return f"{low:g} deg" if low == high else f"{low:g}-{high:g} deg"


@click.command(short_help="Find models by what is said of them.")
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@click.option(
    "--hub", "ask_hub", is_flag=True, help="Ask the Hub, too, for what is tagged calozoo."
)
@json_option("Print a JSON array.")
def search(words: tuple[str, ...], ask_hub: bool, as_json: bool) -> None:
    """Find models by their name, summary, detector, particles, licence or paper.

    All words of TEXT must occur, in any case and order. Installed models and those of the index are
    searched; each line says what to type next. Exit code 1 if there is none.

    \b
    Examples:
      calozoo search photon
      calozoo search ild gan --json
      calozoo search 2511.01460
      calozoo search calorimeter --hub
    """
    from calozoo.models.search import search as find
    from calozoo.models.search import search_hub
    from calozoo_core.errors import CalozooError

    text = " ".join(words)
    found = find(text)
    if ask_hub:
        from calozoo.hub import Hub
        from calozoo.hub.cache import default_cache

        found += search_hub(text, Hub(default_cache()))
    if as_json:
        click.echo(json.dumps([asdict(match) for match in found], indent=2))
        return
    if not found:
        further = "" if ask_hub else ", and --hub asks the Hub"
        msg = f"no model matches '{text}'; `calozoo list` shows all models{further}."
        raise CalozooError(msg)
    rows = [(match.name, match.where, match.next, match.summary) for match in found]
    click.echo(aligned([("NAME", "WHERE", "TYPE NEXT", "SUMMARY"), *rows]))


@click.command(short_help="Get a model's weights, and check them.")
@click.argument("model", metavar="MODEL[@REVISION]", shell_complete=complete_models)
@offline_option
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Copy the checked files here too.",
)
@json_option()
def pull(model: str, offline: bool, folder: Path | None, as_json: bool) -> None:
    """Get a model's weights, check them, and say where they came from.

    They are looked for in the Hugging Face cache, then in the plugin itself, then on the Hub. What
    is downloaded stays in the Hugging Face cache; HF_HOME says where that is.

    hub:ORG/NAME means the weights in that repository of the Hub, whether or not any index knows it.
    The plugin they were made for has to be installed. The main branch is taken if no revision is
    named, and its commit is printed. Exit code 1 if they cannot be had or are damaged.

    \b
    Examples:
      calozoo pull caloclouds3
      calozoo pull caloclouds3@v1.0 --dir weights
      calozoo pull hub:my-lab/photons@v1.0
    """
    from calozoo import api

    pulled = api.pull(model, offline=offline)
    if folder is not None:
        pulled = pulled.copy_to(folder)
    if as_json:
        click.echo(json.dumps({"model": pulled.model} | pulled.as_dict(), indent=2))
    else:
        click.echo(_summary(pulled))
    if pulled.note:
        click.echo(f"calozoo: {pulled.note}", err=True)


def _summary(pulled: Pulled) -> str:
    lines = [f"{pulled.model}  {pulled.source}"]
    for file in pulled.files:
        place = pulled.folder / file.name if pulled.folder else file.name
        lines.append(f"  {place}  {readable_size(file.size)}  sha256 {file.sha256[:12]}")
    return "\n".join(lines)
