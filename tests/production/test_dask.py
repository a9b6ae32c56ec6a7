"""Shards by Dask: on this machine, and on a real SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from production.conftest import words
from production.slurm_cluster import missing_packages, slurm_cluster

from calozoo.production.dask_executor import DaskExecutor
from calozoo.production.errors import ProductionError
from calozoo.production.shards import ShardFolder

pytest.importorskip("distributed", reason="`pip install 'calozoo[dask]'` brings distributed")

DASK = ["--executor", "dask"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--cluster", "slurm"], "--cluster is for Dask; add --executor dask"),
        (["--scheduler", "tcp://a:1", "--executor", "local"], "--scheduler is for Dask"),
        ([*DASK, "--shard", "1/2"], "Dask shares out all shards"),
        ([*DASK, "--scheduler", "tcp://a:1", "--jobs", "2"], "has its own workers"),
        ([*DASK, "--cluster-option", "a=b"], "--cluster-option is for a batch system"),
    ],
)
def test_options_that_nothing_would_use_are_refused(tmp_path, typed, asked, said):
    code, _, err = typed(*words(out=str(tmp_path / "s.h5")), *asked)
    assert code == 2
    assert said in err
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_does_not_answer_is_said_in_one_sentence(small, monkeypatch):
    monkeypatch.setattr("calozoo.production.dask_executor._CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        executor = DaskExecutor(scheduler=address)
        with pytest.raises(ProductionError, match=f"No scheduler of Dask answers at {address}"):
            executor.run(ShardFolder(small.path, small.plan), [1], lambda _: None)


def workers_of_dask(folder):
    found = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True)
    spawned = [line for line in found.stdout.splitlines() if "spawn_main" in line]
    return [
        int(line.split()[0])
        for line in spawned
        if os.path.realpath(f"/proc/{line.split()[0]}/cwd") == str(folder)
    ]


@pytest.mark.slow
def test_dask_makes_the_same_file_also_when_a_worker_is_killed(tmp_path, single_run):
    slow = {"n": "4000", "batch_size": "2"}
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5", **slow), *DASK, "--jobs", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list((tmp_path / "s.shards").glob("0*.json")))
        (pid, *_) = workers_of_dask(tmp_path)
        os.kill(pid, signal.SIGKILL)
        said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    one = [sys.executable, "-m", "calozoo", *words(out="one.h5", **slow)]
    subprocess.run(one, cwd=tmp_path, check=True)
    assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


@pytest.mark.slow
def test_a_shard_that_always_fails_is_reported_by_dask_too(tmp_path):
    (tmp_path / "s.shards" / "00002.h5").mkdir(parents=True)  # nothing can take this name
    command = [*words(out="s.h5"), *DASK, "--jobs", "1", "--shards", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "calozoo", *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("calozoo: Shard 2 of 3 failed: 2 (showers 96 to 191): ")
    assert sorted(path.name for path in (tmp_path / "s.shards").glob("*[0-9].json")) == [
        "00001.json",
        "00003.json",
    ]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_packages()), reason=missing_packages())
def test_dask_on_slurm_replaces_a_job_that_is_cancelled(tmp_path):
    slow = {"n": "4000", "batch_size": "2"}
    with slurm_cluster(tmp_path / "slurm") as environment:
        environment |= {"OMP_NUM_THREADS": "1", "DASK_JOBQUEUE__SLURM__INTERFACE": "lo"}
        command = [*words(out="s.h5", **slow), *DASK, "--cluster", "slurm", "--jobs", "2"]
        with subprocess.Popen(
            [sys.executable, "-m", "calozoo", *command],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_for(lambda: list((tmp_path / "s.shards").glob("0*.json")), 300)
            jobs = queue(environment)
            subprocess.run(["scancel", jobs[0]], env=environment, check=True)
            wait_for(lambda: set(queue(environment)) - set(jobs) or process.poll() is not None, 200)
            said = process.communicate(timeout=600)[1]
        assert process.returncode == 0, said
        one = [sys.executable, "-m", "calozoo", *words(out="one.h5", **slow)]
        subprocess.run(one, cwd=tmp_path, check=True)
        assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


def queue(environment):
    done = subprocess.run(
        ["squeue", "-h", "-o", "%A"], env=environment, capture_output=True, text=True
    )
    return done.stdout.split()


def wait_for(there, seconds=120):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
