"""`calozoo search`: models found by words of their description."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from calozoo.cli.options import json_option
from calozoo.cli.output import aligned

__all__ = ["search"]


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
