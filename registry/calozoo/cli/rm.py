"""`calozoo rm`: removal of the pulled weights of models."""

from __future__ import annotations

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import dry_run_option, json_option

__all__ = ["rm"]


@click.command(short_help="Remove a model's pulled weights.")
@click.argument(
    "models", nargs=-1, required=True, metavar="MODEL...", shell_complete=complete_models
)
@dry_run_option
@json_option()
def rm(models: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Remove the weights of MODEL that were pulled, all revisions of them.

    The plugin stays, and so do weights that it brings itself: pip removes those. Exit code 1 if
    nothing was pulled.

    \b
    Examples:
      calozoo rm caloclouds3
      calozoo rm caloclouds3 3dgan --dry-run
    """
    from calozoo.cli.cache import remove_revisions
    from calozoo.models.names import split_revision
    from calozoo_core.errors import InputError

    for model in models:
        if split_revision(model)[1] is not None:
            msg = f"Here all revisions go; type `calozoo cache rm {model}` for this one."
            raise InputError(msg)
    stays = [sentence for sentence in map(_what_stays, models) if sentence]
    remove_revisions(models, dry_run=dry_run, as_json=as_json)
    for sentence in stays:
        click.echo(sentence, err=True)


def _what_stays(model: str) -> str:
    """A sentence on the plugin of a model, which stays installed; empty if it is not installed."""
    from calozoo.api import find
    from calozoo.models.weights import bundled_folder
    from calozoo_core.errors import CalozooError

    try:
        found = find(model)
    except CalozooError:  # its plugin is not installed, or cannot be used
        return ""
    owner = f"{found.distribution} {found.version}"
    command = f"`pip uninstall {found.distribution}`"
    if bundled_folder(found.spec) is None:
        return f"the plugin {owner} stays installed; {command} removes it"
    return f"the plugin {owner} stays, with the weights it brings; {command} removes both"
