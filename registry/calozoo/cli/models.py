"""`calozoo list` and `calozoo info`: the models and their properties, without loading any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option
from calozoo.cli.output import aligned

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo.models.index import IndexEntry
    from calozoo_core.generator import ModelSpec

__all__ = ["info", "list_models"]

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
    from calozoo.cli.output import readable_size

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
