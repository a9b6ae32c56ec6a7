"""`calozoo completion`, and the completion of names in a shell."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.resources import files

import click
from click.shell_completion import CompletionItem, get_completion_class

from calozoo_core.errors import CalozooError

__all__ = [
    "complete_cached",
    "complete_cards",
    "complete_detectors",
    "complete_models",
    "complete_sources",
    "completion",
]

VARIABLE = "_CALOZOO_COMPLETE"
"""Environment variable by which a shell asks `calozoo` for completions."""

FILES = CompletionItem("", type="file")
"""Completion by files; the first of all, since bash forgets what comes before it."""


@click.command(short_help="Print the script that makes your shell complete names.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and names of models.

    Put the line for your shell where it reads it at its start: in ~/.bashrc or ~/.zshrc, or for
    fish into a file of its own. Bash must be 4.4 or newer.

    \b
    Examples:
      eval "$(calozoo completion bash)"
      eval "$(calozoo completion zsh)"
      calozoo completion fish > ~/.config/fish/completions/calozoo.fish
    """
    from calozoo.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "calozoo", VARIABLE).source())


def complete_models(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Models that are installed or known to the index, with their summaries."""
    return _starting_with(typed, _models())


def complete_sources(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Models, and files."""
    return [FILES, *_starting_with(typed, _models())]


def complete_cached(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Models in the cache, and each of their revisions."""
    from calozoo.hub.cache import default_cache
    from calozoo.models.cached_revisions import find_repos, find_revisions

    found = [revision for repo in find_repos(default_cache()) for revision in find_revisions(repo)]
    names = {one.name.partition("@")[0]: "all revisions" for one in found}
    return _starting_with(typed, names | {one.name: ", ".join(one.refs) for one in found})


def complete_cards(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Models of the cards that calozoo comes with."""
    folders = files("calozoo_cards").iterdir()
    return _starting_with(typed, {f.name: "" for f in folders if (f / "README.md").is_file()})


def complete_detectors(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Detectors that calozoo comes with, listed without numpy, and files."""
    found = (files("calozoo_core") / "detectors").iterdir()
    names = [file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml")]
    return [FILES, *_starting_with(typed, dict.fromkeys(names, ""))]


def _models() -> dict[str, str]:
    """Summary of every model by name; empty if models cannot be read: a shell shows no errors."""
    from calozoo.models import discovery
    from calozoo.models.index import read_index

    logging.getLogger(discovery.__name__).setLevel(logging.CRITICAL)
    try:
        known = {entry.name: entry.summary for entry in read_index().values()}
        return known | {name: one.spec.summary for name, one in discovery.registered().items()}
    except CalozooError:
        return {}


def _starting_with(typed: str, names: Mapping[str, str]) -> list[CompletionItem[str]]:
    return [
        CompletionItem(name, help=about or None)
        for name, about in sorted(names.items())
        if name.startswith(typed)
    ]
