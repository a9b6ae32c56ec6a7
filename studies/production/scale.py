"""Cost of productions by their size: time, memory and bytes of shards and of merging.

    python -m studies.production.scale OUT.json --n 1000 --n 1000000 --jobs 1 --jobs 2

Each pair of a number of showers and a number of workers is a production of `toy.ild-photon` at
1 GeV in shards of about 10,000 showers: its plan, its shards by `--jobs` workers, and its merging
in a process of its own. A production that was stopped is continued by the same command, and what is
in OUT.json is not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from calozoo.production.executors import LocalExecutor, produce
from calozoo.production.plan import Plan, make_plan, write_plan
from calozoo.production.request import GenerationRequest
from calozoo.production.shards import ShardFolder
from calozoo_core.io.atomic import write_atomic

__all__ = ["measure"]

SHARD_SHOWERS: Final = 10_048  # 157 batches of 64
POLL_SECONDS: Final = 1.0


def measure(n: int, jobs: int, folder: Path) -> dict[str, Any]:
    """Figures of one production.

    Arguments:
        n: Number of showers.
        jobs: Number of workers.
        folder: Scratch folder, which keeps the shards of a production that is stopped.
    """
    request = GenerationRequest(model="toy", energy="1", direction="cone:40", n=n, seed=1)
    path, out = folder / f"{n}-{jobs}.plan.json", folder / f"{n}-{jobs}.h5"
    plan = write_plan(make_plan(request, out, path, n_shards=-(-n // SHARD_SHOWERS)), path)
    missing = _n_showers(plan, ShardFolder(path, plan).missing())
    with PeakMemory("calozoo.production.worker") as workers:
        start = time.perf_counter()
        failures = produce(path, plan, LocalExecutor(jobs), lambda _: None)
        seconds = time.perf_counter() - start
    assert not failures
    shards = ShardFolder(path, plan)
    records = [shards.record(number) for number in range(1, len(plan.shards) + 1)]
    made = [record for record in records if record is not None]
    with PeakMemory("calozoo merge") as merger:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "calozoo", "merge", str(path), "--quiet"], check=True)
        merge_seconds = time.perf_counter() - start
    figures = {
        "showers": n,
        "workers": jobs,
        "shards": len(plan.shards),
        "generated_in_this_run": missing,
        "seconds": round(seconds, 2),
        "ms_per_shower": round(1e3 * sum(record.seconds for record in made) / n, 4),
        "cpu_ms_per_shower": round(1e3 * sum(record.cpu_seconds for record in made) / n, 4),
        "worker_peak_mb": workers.peak_mb,
        "merge_seconds": round(merge_seconds, 2),
        "merge_peak_mb": merger.peak_mb,
        "bytes": out.stat().st_size,
    }
    out.unlink()
    path.unlink()
    return figures


class PeakMemory:
    """Largest resident memory of the processes whose command holds a text, while the block runs."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(POLL_SECONDS):
            for process in Path("/proc").glob("[0-9]*"):
                self.peak_mb = max(self.peak_mb, self._peak_of(process))

    def _peak_of(self, process: Path) -> float:
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if self._command not in words:
                return 0.0
            status = (process / "status").read_text()
        except OSError:
            return 0.0
        lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return round(int(lines[0].split()[1]) / 1024, 1) if lines else 0.0


def _n_showers(plan: Plan, numbers: list[int]) -> int:
    return sum(stop - first for first, stop in map(plan.range_of, numbers))


def main() -> None:
    """Measure what is missing in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, action="append", required=True)
    parser.add_argument("--jobs", type=int, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/production"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found = json.loads(given.out.read_text()) if given.out.exists() else []
    for n in given.n:
        for jobs in given.jobs:
            if not any((one["showers"], one["workers"]) == (n, jobs) for one in found):
                found.append(measure(n, jobs, given.work))
                write_atomic(given.out, json.dumps(found, indent=2) + "\n")
    print(given.out.read_text(), end="")  # noqa: T201


if __name__ == "__main__":
    main()
