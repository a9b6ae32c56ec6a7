"""Execution of a plan by Dask: workers on this machine, on a batch system, or of a scheduler.

Needs distributed and dask-jobqueue (`pip install 'calozoo[dask]'`).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from calozoo.production.array_job import measured_needs
from calozoo.production.errors import ProductionError
from calozoo.production.executors import MAX_ATTEMPTS, OnShard, one_line
from calozoo.production.plan import Plan, read_plan
from calozoo.production.shards import ShardFolder, ShardMaker
from calozoo.production.slurm import wall_time
from calozoo_core.cores import check_processes
from calozoo_core.errors import CalozooError

__all__ = ["CLUSTERS", "DaskExecutor"]

CLUSTERS: Final = ("local", "slurm", "htcondor")

_CONNECT_SECONDS: Final = 30
_FIRST_WORKER_SECONDS: Final = 600
_POLL_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 300
_LARGEST_WALL_SECONDS: Final = 4 * 3600
_PLUGIN: Final = "calozoo-shards"


@dataclass(frozen=True)
class DaskExecutor:
    """Shards as tasks of Dask, at most two a worker in flight.

    A task that raises is tried again twice; one whose worker dies is made anew elsewhere, where the
    record of a shard that was finished is found. Jobs of a batch system that end are replaced.

    Arguments:
        jobs: Number of workers, of one thread each.
        cluster: "local", "slurm" or "htcondor", if no scheduler is given.
        scheduler: Address of a scheduler that runs, as tcp://host:8786.
        offline: Use no network.
        workers: Processes that a model which simulates starts beside each.
        directives: Further lines for the batch system.
        setup: Lines of shell before a worker starts on the batch system.
    """

    jobs: int = 1
    cluster: str = "local"
    scheduler: str | None = None
    offline: bool = False
    workers: int | None = None
    directives: Mapping[str, str] = field(default_factory=dict)
    setup: Sequence[str] = ()

    def run(self, folder: ShardFolder, numbers: list[int], on_shard: OnShard) -> None:
        """Make these shards; one that fails is noted in the folder of the shards.

        Raises:
            ProductionError: If Dask is not installed, or no scheduler or worker answers.
        """
        if not numbers:
            return
        with self._client(folder.plan_path, folder.plan) as client:
            maker = _shard_plugin(folder.plan_path.absolute(), self.offline, self.workers)
            client.register_plugin(maker, name=_PLUGIN)
            self._wait_for_worker(client, on_shard)
            self._drive(client, folder, list(numbers), on_shard)

    def _drive(
        self, client: Any, folder: ShardFolder, numbers: list[int], on_shard: OnShard
    ) -> None:
        """Keep two shards a worker in flight until all are made."""
        plan = folder.plan
        in_flight: dict[int, Any] = {}
        try:
            while numbers or in_flight:
                n_workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
                while numbers and len(in_flight) < 2 * n_workers:
                    number = numbers.pop(0)
                    in_flight[number] = client.submit(
                        _make_shard,
                        number,
                        key=f"shard-{plan.identity[:12]}-{number}",
                        pure=False,
                        retries=MAX_ATTEMPTS - 1,
                    )
                time.sleep(_POLL_SECONDS)
                on_shard(0)
                for number, future in list(in_flight.items()):
                    if future.done():
                        del in_flight[number]
                        first, stop = plan.range_of(number)
                        if _note_error(future, folder, number):
                            on_shard(stop - first)
                        future.release()
        finally:
            client.cancel(list(in_flight.values()))

    @contextmanager
    def _client(self, path: Path, plan: Plan) -> Iterator[Any]:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            msg = "This needs distributed; `pip install 'calozoo[dask]'` brings it."
            raise ProductionError(msg) from error
        if self.scheduler is not None:
            try:
                client = Client(self.scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                msg = f"No scheduler of Dask answers at {self.scheduler}; is the address right?"
                raise ProductionError(msg) from error
            with client:
                yield client
            return
        with (
            self._started_cluster(path, plan) as cluster,
            Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False) as client,
        ):
            yield client

    def _started_cluster(self, path: Path, plan: Plan) -> Any:
        if self.cluster == "local":
            from distributed import LocalCluster

            check_processes(self.jobs, "jobs")
            return LocalCluster(
                n_workers=self.jobs,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,  # what a shard fails with is told once, in the end
                env={"OMP_NUM_THREADS": "1"},
            )
        try:
            import dask_jobqueue
        except ModuleNotFoundError as error:
            msg = "This needs dask-jobqueue; `pip install 'calozoo[dask]'` brings it."
            raise ProductionError(msg) from error
        kind = {"slurm": "SLURMCluster", "htcondor": "HTCondorCluster"}[self.cluster]
        cluster = getattr(dask_jobqueue, kind)(**self._job_options(path, plan))
        # A job that ends or is cancelled is replaced; `scale` would not do so.
        cluster.adapt(minimum_jobs=self.jobs, maximum_jobs=self.jobs)
        return cluster

    def _job_options(self, path: Path, plan: Plan) -> dict[str, Any]:
        """Arguments of the clusters of dask-jobqueue."""
        needs = measured_needs(path, plan, offline=self.offline)
        # A worker makes shard after shard: as long as one of them takes, or four hours.
        seconds = max(needs.wall_seconds, _LARGEST_WALL_SECONDS)
        logs = ShardFolder(path.absolute(), plan).path / "log"
        logs.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "cores": 1,
            "processes": 1,
            "memory": f"{needs.memory_mb}MB",
            "log_directory": str(logs),
            "python": sys.executable,
            "job_script_prologue": ["export OMP_NUM_THREADS=1", *self.setup],
            "worker_extra_args": [
                "--lifetime",
                f"{seconds - _LEAVE_SECONDS}s",
                "--lifetime-stagger",
                f"{_LEAVE_SECONDS // 2}s",
            ],
            "scheduler_options": {"dashboard_address": None},
            "silence_logs": "error",
        }
        if self.cluster == "htcondor":
            more = {"job_extra_directives": dict(self.directives)} if self.directives else {}
            return options | more | {"disk": "1GB"}
        lines = [f"--{name}={value}" for name, value in self.directives.items()]
        others = {"job_extra_directives": lines} if lines else {}
        return options | others | {"walltime": wall_time(seconds), "job_cpu": 1}

    def _wait_for_worker(self, client: Any, on_shard: OnShard) -> None:
        end = time.monotonic() + _FIRST_WORKER_SECONDS
        while not client.scheduler_info(n_workers=-1)["workers"]:
            if time.monotonic() > end:
                msg = (
                    f"No worker of Dask came within {_FIRST_WORKER_SECONDS} s; see whether the "
                    "batch system runs its jobs."
                )
                raise ProductionError(msg)
            on_shard(0)
            time.sleep(_POLL_SECONDS)


def _shard_plugin(path: Path, offline: bool, workers: int | None) -> Any:
    """Plugin of a worker, which loads the model of a plan when the first shard is asked for."""
    from distributed import WorkerPlugin

    class ShardPlugin(WorkerPlugin):  # type: ignore[misc]  # its package is not typed
        """Maker of shards of one plan, in a worker."""

        def __init__(self) -> None:
            self._maker: ShardMaker | None = None

        def make(self, number: int) -> None:
            """Make a shard."""
            if self._maker is None:
                _use_one_thread()
                plan = read_plan(path)
                self._maker = ShardMaker(path, plan, offline=offline, workers=workers)
            self._maker.make(number)

        def teardown(self, worker: Any) -> None:
            """Let go of the model."""
            if self._maker is not None:
                self._maker.generator.close()

    return ShardPlugin()


def _make_shard(number: int) -> int:
    """Task of Dask: one shard; its number when it is made."""
    from distributed import get_worker

    try:
        get_worker().plugins[_PLUGIN].make(number)
    except CalozooError as error:  # which need not survive being sent
        raise RuntimeError(str(error)) from None
    return number


def _use_one_thread() -> None:
    from calozoo.generation.threads import use_threads

    if "OMP_NUM_THREADS" not in os.environ:
        use_threads(1)


def _note_error(future: Any, folder: ShardFolder, number: int) -> bool:
    """True if a shard was made; if not, its error is noted."""
    if future.status == "finished":
        return True
    error = future.exception() if future.status == "error" else None
    text = "it was given up" if error is None else one_line(error)
    folder.note_failure(number, text.removeprefix("RuntimeError: "))
    return False
