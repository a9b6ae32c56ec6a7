"""`calozoo cache` and `calozoo rm`: pulled weights, to list, to remove, to prune."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.completion import complete_cached, complete_models
from calozoo.cli.options import dry_run_option, json_option
from calozoo.cli.output import aligned, counted, readable_size

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from calozoo.hub.cache_removal import Leftover
    from calozoo.models.cached_revisions import CachedRevision

__all__ = ["cache", "remove_revisions", "rm"]


@click.group()
def cache() -> None:
    """Look after the weights that were pulled.

    They are in the Hugging Face cache, which other programs use as well: HF_HOME says where it is.
    Only what is calozoo's is listed, and removed.

    \b
    Examples:
      calozoo cache list
      calozoo cache rm caloclouds3@v1.0
      calozoo cache prune --dry-run
    """


@cache.command("list", short_help="List the pulled revisions.")
@json_option()
def list_cache(as_json: bool) -> None:
    """List the pulled revisions: of which model, how large, when last used.

    A revision that is `pinned` is the one the index means; `half` says that a pull was stopped.

    \b
    Examples:
      calozoo cache list
      calozoo cache list --json
    """
    from calozoo.hub.cache import default_cache
    from calozoo.models.cached_revisions import find_repos, find_revisions, total_size

    place = default_cache()
    found = [revision for repo in find_repos(place) for revision in find_revisions(repo)]
    total = total_size(found)
    if as_json:
        rows = [revision.as_dict() for revision in found]
        click.echo(json.dumps({"cache": str(place), "bytes": total, "revisions": rows}, indent=2))
        return
    if not found:
        click.echo(f"nothing of calozoo's is in {place}; `calozoo pull MODEL` fills it.", err=True)
        return
    click.echo(aligned([("MODEL", "REVISION", "SIZE", "LAST USED", "STATE"), *map(_row, found)]))
    click.echo(f"{counted(len(found), 'revision')}, {readable_size(total)} in {place}", err=True)


@cache.command("rm", short_help="Remove revisions.")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME[@REVISION]...", shell_complete=complete_cached
)
@dry_run_option
@json_option()
def remove_from_cache(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Remove revisions: NAME is a model or a repository ORG/NAME, and means all its revisions.

    REVISION is a branch, a tag, or the beginning of a commit. A revision that is being pulled is
    left alone. Exit code 1 if there is no such revision.

    \b
    Examples:
      calozoo cache rm caloclouds3
      calozoo cache rm caloclouds3@v1.0 some-lab/our-model
    """
    remove_revisions(names, dry_run=dry_run, as_json=as_json)


@cache.command()
@dry_run_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask before removing.")
@json_option()
def prune(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove what nobody needs.

    That is revisions which neither the index nor a branch or tag refers to, and what stopped pulls
    and removals left behind: half-pulled revisions, broken-off downloads, files of no revision,
    locks. On a terminal you are asked first; elsewhere say --yes. Exit code 1 if you say no, or if
    something was left alone since another process is pulling it.

    \b
    Examples:
      calozoo cache prune --dry-run
      calozoo cache prune --yes
    """
    from calozoo.hub.cache import default_cache
    from calozoo.models import cached_revisions
    from calozoo_core.errors import CalozooError, HubError, InputError

    leftovers = cached_revisions.find_leftovers(default_cache())
    if not as_json and leftovers:
        click.echo(aligned(list(map(_leftover_row, leftovers))))
    report: dict[str, Any] = {"leftovers": [one.as_dict() for one in leftovers], "freed": 0}
    spared: list[str] = []
    if leftovers and not dry_run:
        if not (yes or sys.stdin.isatty()):
            msg = "Nobody can be asked here; add --yes to remove these, or --dry-run to look only."
            raise InputError(msg)
        if not yes and not click.confirm(f"Remove {_what(leftovers)}?", err=True):
            msg = "nothing was removed."
            raise CalozooError(msg)
        report["freed"], busy = cached_revisions.prune(leftovers)
        spared = [cached.repo for cached in busy]
    if as_json:
        click.echo(json.dumps(report | {"removed": not dry_run, "spared": spared}, indent=2))
    elif not leftovers:
        click.echo("nothing to prune", err=True)
    elif dry_run:
        click.echo(f"would remove {_what(leftovers)}", err=True)
    else:
        click.echo(f"{readable_size(report['freed'])} freed", err=True)
    if spared:
        msg = f"{', '.join(spared)}: being pulled, so left alone; prune again when that is done."
        raise HubError(msg)


def remove_revisions(names: Collection[str], *, dry_run: bool, as_json: bool) -> None:
    """Remove the revisions of these names from the cache, and print them.

    Arguments:
        names: Names as `find_named` takes them.
        dry_run: Remove nothing.
        as_json: Print JSON.

    Raises:
        CalozooError: If a name has no revisions in the cache, or one is being pulled.
    """
    from calozoo.models.cached_revisions import find_named, remove, total_size

    found = list(dict.fromkeys(revision for name in names for revision in find_named(name)))
    rows, total = [revision.as_dict() for revision in found], total_size(found)
    freed = 0 if dry_run else remove(found)
    if as_json:
        report = {"removed": not dry_run, "freed": freed, "revisions": rows}
        click.echo(json.dumps(report, indent=2))
        return
    for revision in found:
        click.echo(revision.name)
    size = readable_size(total if dry_run else freed)
    click.echo(f"would free up to {size}" if dry_run else f"{size} freed", err=True)


def _row(revision: CachedRevision) -> tuple[str, ...]:
    state = "half" if not revision.is_whole else "pinned" if revision.is_pinned else ""
    called = ", ".join([revision.commit[:12], *revision.refs])
    names = ", ".join(revision.models) or revision.cached.repo
    return names, called, readable_size(revision.size), _age(revision.used), state


def _age(when: datetime | None) -> str:
    """The time since then, as one number with its unit."""
    if when is None:
        return "-"
    seconds = max((datetime.now(UTC) - when).total_seconds(), 0)
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{counted(int(seconds // size), unit)} ago"
    return "just now"


def _leftover_row(leftover: Leftover) -> tuple[str, ...]:
    return leftover.what, readable_size(leftover.size), str(leftover.path)


def _what(leftovers: Sequence[Leftover]) -> str:
    size = sum(leftover.size for leftover in leftovers)
    return f"{counted(len(leftovers), 'leftover')}, {readable_size(size)}"


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
