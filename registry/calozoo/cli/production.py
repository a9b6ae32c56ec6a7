"""Options of `calozoo generate` for many showers, and what they do: plans, shards and workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import combined
from calozoo.cli.output import batch_progress, readable_size
from calozoo.cli.signals import StoppedError
from calozoo_core.cores import check_processes
from calozoo_core.errors import InputError

if TYPE_CHECKING:
    from calozoo.production.executors import Executor
    from calozoo.production.plan import Plan
    from calozoo.production.request import GenerationRequest
    from calozoo.production.shards import ShardFailure

__all__ = ["ProductionOptions", "parse_shard", "production_options", "run_production"]

SHOWN_FAILURES = 5


@dataclass(frozen=True)
class ProductionOptions:
    """Options of a production.

    Arguments:
        plan: File of the plan; None for the one beside the merged file.
        shards: Number of shards of a new plan.
        shard: A single shard to make, as `K/N`.
        resume: Make the shards in this process.
        jobs: Number of processes.
        executor: "local" or "dask"; None for this process.
        cluster: Where Dask starts workers.
        scheduler: Address of a scheduler of Dask.
        cluster_options: Lines for the batch system that runs workers of Dask.
        offline: Use no network.
        workers: Processes of a model that simulates.
        threads: Threads of each process.
        overwrite: Replace the merged file.
        quiet: Print no messages.
        as_json: Print a report.
    """

    plan: Path | None
    shards: int | None
    shard: str | None
    resume: bool
    jobs: int | None
    executor: str | None
    cluster: str | None
    scheduler: str | None
    cluster_options: tuple[str, ...]
    offline: bool
    workers: int | None
    threads: int | None
    overwrite: bool
    quiet: bool
    as_json: bool

    @property
    def is_asked(self) -> bool:
        """True if there is a plan at all."""
        dask = (self.executor, self.cluster, self.scheduler, self.cluster_options)
        return any((self.plan, self.shards, self.shard, self.resume, self.jobs, *dask))


production_options = combined(
    click.option(
        "--resume",
        is_flag=True,
        help="Generate in shards beside FILE, and go on where the same command was stopped.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Generate in shards with N processes of one thread each; resumable, too.",
    ),
    click.option(
        "--executor",
        type=click.Choice(["local", "dask"]),
        help="Who makes the shards: processes of this machine, or workers of Dask.",
    ),
    click.option(
        "--cluster",
        type=click.Choice(["local", "slurm", "htcondor"]),
        help="Where Dask starts the N workers of --jobs; by default local.",
    ),
    click.option(
        "--cluster-option",
        "cluster_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="A line for the batch system that runs them, such as account=physics.",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A scheduler of Dask that runs already, such as tcp://host:8786.",
    ),
    click.option(
        "--plan",
        type=click.Path(path_type=Path),
        metavar="PLAN.json",
        help="Plan of the shards: alone with a request, only write it; alone, make what is "
        "missing of it, and merge.",
    ),
    click.option(
        "--shards",
        type=click.IntRange(min=1),
        metavar="N",
        help="Shards of a new plan; by default 100, or one a batch.",
    ),
    click.option(
        "--shard",
        metavar="K/N",
        help="Make shard K of N only, from 1/1; `calozoo merge` joins all of them.",
    ),
)
"""Options of `calozoo generate` that make shards, from `--resume` to `--shard`."""


def parse_shard(text: str) -> tuple[int, int]:
    """Number of a shard, and the number of all shards, from `K/N`.

    Raises:
        InputError: If it is not that, or K is not from 1 to N.

    Example:
        >>> parse_shard("3/100")
        (3, 100)
    """
    number, slash, total = text.partition("/")
    if not slash or not number.isdecimal() or not total.isdecimal():
        msg = f"Cannot read the shard {text!r}; write K/N, such as 3/100."
        raise InputError(msg)
    if not 1 <= int(number) <= int(total):
        msg = f"There is no shard {text}; write K/N with K from 1 to N."
        raise InputError(msg)
    return int(number), int(total)


def run_production(
    request: GenerationRequest | None, out: Path | None, options: ProductionOptions
) -> None:
    """Write a plan, make one of its shards, or make all that are missing and merge them.

    Arguments:
        request: What is generated; None for that of the plan.
        out: The merged file; None for that of the plan.
        options: How.
    """
    from calozoo.production.plan import default_plan_path

    shard = None if options.shard is None else parse_shard(options.shard)
    _check_executor(options)
    if options.plan is not None:
        path = options.plan
    else:
        assert out is not None
        path = default_plan_path(out)
    if out is not None and path.absolute() == out.absolute():
        msg = f"{path} cannot be the plan and the showers; give one of them another name."
        raise InputError(msg)
    makes = shard or options.resume or options.jobs or options.executor
    is_only_plan = not makes and request is not None
    plan = _opened_plan(path, request, out, options, shard, is_only_plan=is_only_plan)
    if is_only_plan:
        _say_plan(path, plan, options)
    elif shard is not None:
        _make_shard(path, plan, shard[0], options)
    else:
        _make_all(path, plan, options)


def _opened_plan(
    path: Path,
    request: GenerationRequest | None,
    out: Path | None,
    options: ProductionOptions,
    shard: tuple[int, int] | None,
    *,
    is_only_plan: bool,
) -> Plan:
    """The plan of the file, or of the request, which is written to the file."""
    from calozoo.generation.generate_file import check_output
    from calozoo.output_files import check_sources
    from calozoo.production.merge import merged_file
    from calozoo.production.plan import make_plan, read_plan, write_plan
    from calozoo.production.shards import ShardFolder

    asked = shard[1] if shard is not None else options.shards
    there = read_plan(path) if request is None or path.exists() else None
    if request is None:
        assert there is not None
        if asked is not None and asked != len(there.shards):
            msg = f"{path} has {len(there.shards)} shards, not {asked}."
            raise InputError(msg)
        return there
    assert out is not None
    if shard is not None and options.shards not in (None, shard[1]):
        msg = f"--shard {options.shard} and --shards {options.shards} do not agree; leave one out."
        raise InputError(msg)
    if there is not None and request.batch_size is None:
        request = request.model_copy(update={"batch_size": there.batch_size})
    n_shards = asked or (None if there is None else len(there.shards))
    check_sources(out, request.files())
    if there is None or (there.merged is None and ShardFolder(path, there).missing()):
        check_output(out, overwrite=options.overwrite)  # later, it may be the merged file
    plan = make_plan(request, out, path, n_shards=n_shards, offline=options.offline)
    if there is not None and there.merged is not None and there.difference(plan) is not None:
        check_output(merged_file(path, there), overwrite=options.overwrite)
        path.unlink()  # the plan of a file that is whole and is to be replaced
    return write_plan(plan, path)


def _say_plan(path: Path, plan: Plan, options: ProductionOptions) -> None:
    if not options.quiet:
        click.echo(_title(path, plan), err=True)
        for line in (
            f"calozoo generate --plan {path} --jobs 4",
            f"calozoo generate --plan {path} --shard 1/{len(plan.shards)}",
            f"calozoo submit slurm {path}",
        ):
            click.echo(f"  {line}", err=True)
    if options.as_json:
        click.echo(json.dumps({"plan": str(path), "shards": len(plan.shards)}))
    else:
        click.echo(path)


def _make_shard(path: Path, plan: Plan, number: int, options: ProductionOptions) -> None:
    from calozoo.production.executors import one_line
    from calozoo.production.shards import ShardFolder, ShardMaker

    first, stop = plan.range_of(number)
    folder = ShardFolder(path, plan)
    folder.check_owner()
    with batch_progress(stop - first, hidden=options.quiet) as progress:
        try:
            with ShardMaker(path, plan, offline=options.offline, workers=options.workers) as maker:
                record = maker.make(number, progress.advance)
        except KeyboardInterrupt:
            msg = f"stopped; the same command makes shard {number} again."
            raise StoppedError(msg) from None
        except Exception as error:
            folder.note_failure(number, one_line(error))
            raise
    if not options.quiet:
        size = readable_size(record.bytes)
        click.echo(f"{folder.file(number)}  {stop - first} showers, {size}", err=True)
    if options.as_json:
        click.echo(record.model_dump_json())


def _make_all(path: Path, plan: Plan, options: ProductionOptions) -> None:
    from time import perf_counter

    from calozoo.production.executors import produce
    from calozoo.production.merge import merge_shards, merged_file, whole_record
    from calozoo.production.shards import check_plan

    out = merged_file(path, plan)
    start = perf_counter()
    try:
        if whole_record(path, plan) is None:
            check_plan(plan, path, offline=options.offline)
            with batch_progress(plan.n_showers, hidden=options.quiet) as progress:
                failures = produce(path, plan, _executor(options), progress.advance)
            if failures:
                raise _failed(path, plan, failures)
        with batch_progress(hidden=True) as progress:
            done = merge_shards(path, plan, overwrite=options.overwrite, on_batch=progress.advance)
    except KeyboardInterrupt:
        msg = f"stopped; the same command goes on, and `calozoo status {path}` says from where."
        raise StoppedError(msg) from None
    seconds = perf_counter() - start
    if not options.quiet:
        size = readable_size(done.bytes)
        click.echo(f"{out}  {done.showers} showers, {done.points} points, {size}", err=True)
    if options.as_json:
        report = {
            "model": plan.request.model,
            "plan": str(path),
            "shards": len(plan.shards),
            "seed": plan.request.seed,
            "file": str(out),
            "showers": done.showers,
            "points": done.points,
            "bytes": done.bytes,
            "sha256": done.sha256,
            "seconds": round(seconds, 3),
        }
        click.echo(json.dumps(report))


def _check_executor(options: ProductionOptions) -> None:
    """Refuse options of executors that nothing would use.

    Raises:
        InputError: If there are any.
    """
    if options.executor != "dask":
        for name, value in (
            ("--cluster", options.cluster),
            ("--scheduler", options.scheduler),
            ("--cluster-option", options.cluster_options),
        ):
            if value:
                msg = f"{name} is for Dask; add --executor dask, or leave it out."
                raise InputError(msg)
    elif options.shard is not None:
        msg = "Dask shares out all shards; leave out --shard, or --executor dask."
        raise InputError(msg)
    elif options.scheduler is not None and (options.cluster or options.jobs):
        msg = "A scheduler that runs has its own workers; leave out --cluster and --jobs."
        raise InputError(msg)
    if options.jobs is not None and options.cluster in (None, "local"):
        check_processes(options.jobs * (options.workers or 1), "jobs")
    if options.shard is not None and (options.jobs or options.executor):
        msg = "--shard makes one shard in this process; leave out --jobs and --executor local."
        raise InputError(msg)
    if options.cluster_options and options.cluster not in ("slurm", "htcondor"):
        msg = "--cluster-option is for a batch system; add --cluster slurm or --cluster htcondor."
        raise InputError(msg)


def _executor(options: ProductionOptions) -> Executor:
    if options.executor == "dask":
        from calozoo.production.array_job import parse_directives
        from calozoo.production.dask_executor import DaskExecutor

        return DaskExecutor(
            jobs=options.jobs or 1,
            cluster=options.cluster or "local",
            scheduler=options.scheduler,
            offline=options.offline,
            workers=options.workers,
            directives=parse_directives(options.cluster_options),
        )
    from calozoo.production.executors import LocalExecutor, SerialExecutor

    if options.jobs is None and options.executor is None:
        return SerialExecutor(offline=options.offline, workers=options.workers)
    return LocalExecutor(
        options.jobs or 1,
        threads=options.threads or 1,
        offline=options.offline,
        workers=options.workers,
    )


def _failed(path: Path, plan: Plan, failures: list[ShardFailure]) -> Exception:
    from calozoo.production.errors import ProductionError
    from calozoo.production.merge import number_ranges

    numbers = number_ranges([failure.number for failure in failures])
    lines = [
        f"{failure.number} (showers {failure.first} to {failure.stop - 1}): {failure.error}"
        for failure in failures[:SHOWN_FAILURES]
    ]
    more = len(failures) - len(lines)
    listed = "; ".join(lines) + (f"; and {more} more" if more else "")
    which = "Shard" if len(failures) == 1 else "Shards"
    msg = (
        f"{which} {numbers} of {len(plan.shards)} failed: {listed}. The others are kept; "
        f"`calozoo generate --plan {path}` makes what is missing."
    )
    return ProductionError(msg)


def _title(path: Path, plan: Plan) -> str:
    first, stop = plan.shards[0]
    return (
        f"{path}  {plan.n_showers} showers of {plan.request.model} in {len(plan.shards)} shards "
        f"of about {stop - first}"
    )
