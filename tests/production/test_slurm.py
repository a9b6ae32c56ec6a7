"""A production on a real SLURM: sent, killed, sent again, merged to the bytes of a single run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from production.conftest import words
from production.slurm_cluster import missing_packages, slurm_cluster

SLOW = {"n": "8000", "batch_size": "2"}
"""A request whose shards take seconds: each batch costs the file some milliseconds."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_packages()), reason=missing_packages()),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def typed_there(slurm, tmp_path):
    """Runs the command line where SLURM is."""

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "calozoo", *arguments],
            cwd=tmp_path,
            env=slurm,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


def status(typed_there):
    return json.loads(typed_there("status", "s.plan.json", "--json"))


def wait_until_idle(typed_there, seconds=240):
    end = time.monotonic() + seconds
    while True:
        now = status(typed_there)
        if not now["running"] and not now["waiting"]:
            return now
        assert time.monotonic() < end, now
        time.sleep(1)


def processes_of(plan):
    """Processes that make a shard of this plan, by the shard."""
    found = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True)
    lines = [line.split() for line in found.stdout.splitlines() if str(plan) in line]
    return {line[line.index("--shard") + 1]: int(line[0]) for line in lines if "--shard" in line}


def test_an_array_job_makes_the_bytes_of_a_single_run(typed_there, tmp_path, single_run):
    typed_there(*words(out="s.h5", plan="s.plan.json", shards="4"))
    script = typed_there("submit", "slurm", "s.plan.json", "--dry-run", "--quiet")
    assert "#SBATCH --array=1-4\n" in script
    assert status(typed_there)["missing"] == [1, 2, 3, 4]
    assert "shards 1-4 sent as" in typed_there("submit", "slurm", "s.plan.json", "--at-once", "2")
    now = status(typed_there)
    assert not now["missing"]
    assert "nothing sent" in typed_there("submit", "slurm", "s.plan.json")
    assert wait_until_idle(typed_there)["done"] == [1, 2, 3, 4]
    assert "calozoo merge s.plan.json" in typed_there("status", "s.plan.json")
    typed_there("merge", "s.plan.json", "--quiet")
    assert (tmp_path / "s.h5").read_bytes() == single_run


def test_killed_shards_are_sent_again_and_only_those(typed_there, tmp_path, slurm):
    big = words(out="s.h5", plan="s.plan.json", shards="4", **SLOW)
    typed_there(*big)
    typed_there("submit", "slurm", "s.plan.json")
    killed = kill_some(tmp_path / "s.plan.json", 1)
    now = wait_until_idle(typed_there)
    (lost,) = killed
    assert now["done"] == [n for n in (1, 2, 3, 4) if n != lost]
    assert now["missing"] == [lost]
    kept = {n: (tmp_path / f"s.shards/0000{n}.h5").stat().st_mtime_ns for n in now["done"]}
    script = typed_there("submit", "slurm", "s.plan.json", "--dry-run", "--quiet")
    assert f"#SBATCH --array={lost}\n" in script
    typed_there("submit", "slurm", "s.plan.json")
    assert wait_until_idle(typed_there)["done"] == [1, 2, 3, 4]
    for number, written in kept.items():
        assert (tmp_path / f"s.shards/0000{number}.h5").stat().st_mtime_ns == written
    typed_there("merge", "s.plan.json", "--quiet")
    typed_there(*words(out="one.h5", **SLOW))
    assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


def kill_some(plan, n, seconds=120):
    """Kill the processes of so many shards in the middle of their work; their numbers."""
    killed = []
    end = time.monotonic() + seconds
    while len(killed) < n:
        assert time.monotonic() < end, "no shard was being made"
        for shard, pid in processes_of(plan).items():
            number = int(shard.partition("/")[0])
            parts = plan.parent.glob(f"s.shards/{number:05}.*.part")
            if number not in killed and any(part.stat().st_size for part in parts):
                os.kill(pid, signal.SIGKILL)
                killed.append(number)
                if len(killed) == n:
                    break
        time.sleep(0.02)
    return killed


def test_a_shard_that_fails_says_why(typed_there, tmp_path):
    typed_there(*words(out="s.h5", plan="s.plan.json", shards="2"))
    (tmp_path / "s.shards").mkdir()
    (tmp_path / "s.shards" / "00002.h5").mkdir()  # nothing can take this name
    typed_there("submit", "slurm", "s.plan.json")
    now = wait_until_idle(typed_there)
    assert now["done"] == [1]
    (failure,) = now["failed"]
    assert (failure["number"], failure["first"], failure["stop"]) == (2, 144, 300)
    assert "directory" in failure["error"]
    assert "shard 2 (showers 144 to 299) failed 1 times" in typed_there("status", "s.plan.json")


def test_a_signal_before_the_end_of_the_time_leaves_nothing_half_written(
    typed_there, tmp_path, slurm
):
    typed_there(*words(out="s.h5", plan="s.plan.json", shards="2", **SLOW))
    typed_there("submit", "slurm", "s.plan.json")
    end = time.monotonic() + 120
    while not list((tmp_path / "s.shards").glob("*.part")):
        assert time.monotonic() < end
        time.sleep(0.1)
    subprocess.run(["scancel", "--batch", "--signal=TERM", "--user=root"], env=slurm, check=True)
    now = wait_until_idle(typed_there)
    assert now["missing"]
    assert not list((tmp_path / "s.shards").glob("*.part"))
    logs = "".join(path.read_text() for path in (tmp_path / "s.shards" / "log").iterdir())
    assert "calozoo: stopped; the same command makes shard" in logs


def test_fifty_kills_at_random_moments_cost_no_shower(typed_there, tmp_path, slurm):
    # Three times as many showers: where shards are made fast, most would end before their kill.
    long = SLOW | {"n": "24000"}
    typed_there(*words(out="s.h5", plan="s.plan.json", shards="20", **long))
    chance, kills = random.Random(5), 0
    end = time.monotonic() + 1500
    while True:
        now = status(typed_there)
        if len(now["done"]) == 20:
            break
        assert time.monotonic() < end, now
        if now["missing"] or now["failed"]:
            typed_there("submit", "slurm", "s.plan.json", "-o", "time=5", "--quiet")
        for pid in processes_of(tmp_path / "s.plan.json").values():
            if kills < 50 and chance.random() < 0.9:
                time.sleep(chance.uniform(0, 0.1))
                try:
                    os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
                    kills += 1
                except ProcessLookupError:
                    pass
    assert kills >= 20, kills
    typed_there("merge", "s.plan.json", "--quiet")
    typed_there(*words(out="one.h5", **long))
    assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["one.h5", "s.h5", "s.plan.json"]
