"""`calozoo submit`: the missing shards of a plan as an array job of a batch system."""

from __future__ import annotations

import json
from pathlib import Path

import click

from calozoo.cli.options import json_option, offline_option, quiet_option

__all__ = ["submit"]


@click.command(short_help="Send the missing shards of PLAN to a batch system.")
@click.argument("system", type=click.Choice(["slurm", "htcondor"]))
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option(
    "--at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most shards that run at the same time.",
)
@click.option(
    "-o",
    "--option",
    "words",
    multiple=True,
    metavar="NAME=VALUE",
    help="A line for the batch system, such as account=physics; it replaces ours of that name.",
)
@click.option(
    "--setup",
    multiple=True,
    metavar="LINE",
    help="A line of shell before the command, such as 'module load gcc'; not for htcondor.",
)
@offline_option
@quiet_option
@json_option()
def submit(
    system: str,
    plan: Path,
    dry_run: bool,
    at_once: int | None,
    words: tuple[str, ...],
    setup: tuple[str, ...],
    offline: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Send the missing shards of PLAN to SYSTEM, slurm or htcondor, as an array job.

    Each shard gets one core and one thread. Time and memory are those of the shards that are there,
    or of a trial of ten seconds, with room to spare. Shards that are done, running or in the queue
    are left out, so that the same command sends again only what failed or was lost.

    \b
    Examples:
      calozoo submit slurm showers.plan.json --dry-run
      calozoo submit slurm showers.plan.json -o account=physics --at-once 200
    """
    if dry_run and as_json:
        msg = "--dry-run prints the scripts; leave out --json, or --dry-run."
        raise click.UsageError(msg)
    from calozoo.production.array_job import ArrayJob, measured_needs, parse_directives
    from calozoo.production.merge import number_ranges
    from calozoo.production.plan import read_plan
    from calozoo.production.shards import check_plan
    from calozoo.production.submission import SYSTEMS, shards_to_submit
    from calozoo.production.submission import submit as send

    content = read_plan(plan)
    directives = parse_directives(words)
    check_plan(content, plan, offline=offline)
    numbers = [] if content.merged is not None else shards_to_submit(plan, content)
    jobs: list[str] = []
    if numbers:
        needs = measured_needs(plan, content, offline=offline)
        batch_system = SYSTEMS[system]()
        job = ArrayJob(plan, content, numbers, needs, at_once, directives, setup)
        if dry_run:
            click.echo("\n".join(batch_system.scripts(job)), nl=False)
        else:
            jobs = send(job, batch_system)
        if not quiet:
            click.echo(
                f"{1e3 * needs.seconds_per_shower:.3g} ms a shower, by {needs.origin}; "
                f"{needs.wall_seconds // 60} minutes and {needs.memory_mb} MB asked for.",
                err=True,
            )
    if as_json:
        click.echo(json.dumps({"jobs": jobs, "shards": numbers}))
    elif not quiet and not (numbers and dry_run):
        listed = (
            f"shards {number_ranges(numbers)} sent as {', '.join(jobs)}"
            if numbers
            else ("nothing sent: all shards are done, running or in the queue")
        )
        click.echo(f"{plan}: {listed}; `calozoo status {plan}` says how far they are.", err=True)
