"""`calozoo status`: how far a production is, what failed, and what to type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import json_option
from calozoo.cli.output import aligned, readable_size

if TYPE_CHECKING:
    from calozoo.production.status import ProductionStatus

__all__ = ["status"]

SHOWN_FAILURES = 10


@click.command(short_help="Show which shards of PLAN are done, running or missing.")
@click.argument("plan", type=click.Path(path_type=Path))
@json_option()
def status(plan: Path, as_json: bool) -> None:
    """Show which shards of PLAN are done, running or missing, and why.

    \b
    Examples:
      calozoo status showers.plan.json
    """
    from calozoo.production.errors import ProductionError
    from calozoo.production.plan import read_plan
    from calozoo.production.status import production_status
    from calozoo.production.submission import queue_states

    content, silent = read_plan(plan), None
    try:
        in_queue = {} if content.merged is not None else queue_states(plan, content)
    except ProductionError as error:  # the files tell what they can
        in_queue, silent = {}, error
    found = production_status(plan, content, in_queue)
    click.echo(json.dumps(_report(found)) if as_json else _text(plan, found))
    if silent is not None:
        raise silent


def _text(path: Path, found: ProductionStatus) -> str:
    from calozoo.production.merge import merged_file, number_ranges

    plan = found.plan
    lines = [f"{path}  {plan.n_showers} showers of {plan.request.model}, {len(plan.shards)} shards"]
    if found.merged is not None:
        size = readable_size(found.merged.bytes)
        return f"{lines[0]}\n{merged_file(path, plan)}  {found.merged.showers} showers, {size}"
    rate = found.seconds_per_shower
    made = readable_size(sum(record.bytes for record in found.done))
    speed = "" if rate is None else f", {made}, {1e3 * rate:.3g} ms a shower"
    running = [f"{number} on {host}" for number, host in found.running]
    rows = [
        ("done", str(len(found.done)), f"{found.n_done} showers{speed}"),
        ("running", str(len(running)), ", ".join(running)),
        ("waiting", str(len(found.waiting)), number_ranges(list(found.waiting))),
        ("held", str(len(found.held)), number_ranges(list(found.held))),
        ("failed", str(len(found.failed)), number_ranges([f.number for f in found.failed])),
        ("missing", str(len(found.missing)), number_ranges(list(found.missing))),
    ]
    lines.append(aligned([row for row in rows if row[0] not in ("waiting", "held") or row[2]]))
    lines += [
        f"shard {failure.number} (showers {failure.first} to {failure.stop - 1}) failed "
        f"{failure.attempts} times, on {failure.host}: {failure.error}"
        for failure in found.failed[:SHOWN_FAILURES]
    ]
    if found.to_do:
        lines.append(f"calozoo generate --plan {path}  makes what is missing here")
        lines.append(f"calozoo submit slurm {path}  sends it to a batch system")
    elif len(found.done) == len(plan.shards):
        lines.append(f"calozoo merge {path}  joins the shards")
    return "\n".join(lines)


def _report(found: ProductionStatus) -> dict[str, object]:
    return {
        "showers": found.plan.n_showers,
        "shards": len(found.plan.shards),
        "done": [record.number for record in found.done],
        "running": [{"shard": number, "host": host} for number, host in found.running],
        "waiting": list(found.waiting),
        "held": list(found.held),
        "failed": [failure.model_dump() for failure in found.failed],
        "missing": list(found.missing),
        "seconds_per_shower": found.seconds_per_shower,
        "merged": None if found.merged is None else found.merged.model_dump(),
    }
