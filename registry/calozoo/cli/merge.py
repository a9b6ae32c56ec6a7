"""`calozoo merge`: one file of the shards of a plan."""

from __future__ import annotations

from pathlib import Path

import click

from calozoo.cli.options import json_option, overwrite_option, quiet_option
from calozoo.cli.output import batch_progress, readable_size

__all__ = ["merge"]


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@overwrite_option()
@click.option("--keep-shards", is_flag=True, help="Leave the shards in their folder.")
@quiet_option
@json_option()
def merge(plan: Path, overwrite: bool, keep_shards: bool, quiet: bool, as_json: bool) -> None:
    """Merge the shards of PLAN into the file that it names.

    Each shard is compared with its sha256 first; if one is missing, nothing is written. The file
    has the bytes of the one that a single process writes.

    \b
    Examples:
      calozoo merge showers.plan.json
    """
    from calozoo.production.merge import merge_shards, merged_file
    from calozoo.production.plan import read_plan

    content = read_plan(plan)
    with batch_progress(content.n_showers, hidden=quiet) as progress:
        done = merge_shards(
            plan,
            content,
            overwrite=overwrite,
            keep_shards=keep_shards,
            on_batch=progress.advance,
        )
    if not quiet:
        size, out = readable_size(done.bytes), merged_file(plan, content)
        click.echo(f"{out}  {done.showers} showers, {done.points} points, {size}", err=True)
    if as_json:
        click.echo(done.model_dump_json())
