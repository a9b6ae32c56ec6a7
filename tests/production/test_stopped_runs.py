"""Runs that are stopped, killed or out of room: the same command goes on, and no shower is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from production.conftest import command, ignore, is_clean, words

from calozoo.production.executors import SerialExecutor, produce
from calozoo.production.merge import merge_shards
from calozoo.production.plan import read_plan


@pytest.mark.parametrize(
    ("number", "how"),
    [
        (signal.SIGTERM, ["--resume"]),
        (signal.SIGUSR1, ["--resume"]),
        (signal.SIGKILL, ["--resume"]),
        (signal.SIGINT, ["--jobs", "2"]),
        (signal.SIGKILL, ["--jobs", "2"]),
    ],
)
def test_a_run_that_was_stopped_goes_on_with_the_same_command(tmp_path, single_run, how, number):
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5"), *how]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list((tmp_path / "s.shards").glob("0*.json")))
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert said.startswith("calozoo: stopped; the same command goes on, and `calozoo status ")
        assert not list((tmp_path / "s.shards").glob("*.part"))
    assert not (tmp_path / "s.h5").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.h5").read_bytes() == single_run
    assert is_clean(tmp_path, "s.h5", "s.plan.json")


def wait_for(there, seconds=60):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@pytest.mark.parametrize("step", ["mark_merged", "ShardFolder.remove"])
def test_a_merge_that_was_stopped_after_it_named_the_file_is_ended_by_the_next(
    small, single_run, monkeypatch, step
):
    produce(small.path, small.plan, SerialExecutor(), ignore)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"calozoo.production.merge.{step}", stop)
        with pytest.raises(KeyboardInterrupt):
            merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run
    command(*words(out=str(small.out)), "--plan", str(small.path), "--jobs", "1")
    assert read_plan(small.path).merged is not None
    assert small.out.read_bytes() == single_run
    assert is_clean(small.path.parent, "s.h5", "s.plan.json")


def test_two_drivers_share_a_plan_and_both_end_well(tmp_path, single_run):
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5"), "--resume"]
    drivers = [
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [driver.communicate(timeout=120)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0, 0], said
    assert (tmp_path / "s.h5").read_bytes() == single_run
    assert is_clean(tmp_path, "s.h5", "s.plan.json")


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk; skips where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("a small disk can only be mounted by root")
        return folder

    yield mount
    os.chdir(tmp_path)  # a disk that somebody stands on cannot be taken away
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", [["--resume"], ["--plan", "s.plan.json"], ["--shard", "1/3"]])
def test_a_read_only_disk_is_refused_in_one_sentence(disk, typed, monkeypatch, how):
    monkeypatch.chdir(disk("ro"))
    code, _, err = typed(*words(out="s.h5"), *how)
    assert code == 1
    assert (
        err == "calozoo: s.h5 cannot be written: read-only file system; give another file name.\n"
    )


def test_a_full_disk_in_the_middle_is_reported_and_costs_no_shower(disk, single_run):
    folder = disk("size=2m")
    ballast = folder / "ballast"
    ballast.write_bytes(bytes((2 << 20) - len(single_run) // 2))
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5"), "--resume", "--shards", "5"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no space left" in done.stderr.lower()
    assert done.stderr.count("\n") == 1
    assert not list(folder.rglob("*.part"))
    assert not (folder / "s.h5").exists()
    assert list((folder / "s.shards").glob("*.h5"))
    ballast.unlink()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "s.h5").read_bytes() == single_run


def test_a_disk_without_room_for_a_note_is_named_all_the_same(disk):
    folder = disk("size=512k")
    (folder / "ballast").write_bytes(bytes(127 * 4096))  # leaves a page, which the plan takes
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5"), "--jobs", "2"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert "it is missing" not in done.stderr


@pytest.mark.slow
def test_fifty_kills_at_random_moments_cost_no_shower(tmp_path, single_run):
    command = [sys.executable, "-m", "calozoo", *words(out="s.h5"), "--jobs", "2"]
    chance = random.Random(3)
    began = time.perf_counter()
    subprocess.run(command, cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    longest = time.perf_counter() - began
    remove_all(tmp_path)
    kills = 0
    while kills < 50:
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.1, longest))
            is_driver = chance.random() < 0.5
            pids = [process.pid] if is_driver else workers_of(process.pid)[:1]
            if process.poll() is None:  # a run that has ended cannot be killed any more
                for pid in pids:
                    with suppress(ProcessLookupError):  # nor can a worker
                        os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
                        kills += 1
            process.wait(timeout=120)
        if (tmp_path / "s.h5").exists():
            assert (tmp_path / "s.h5").read_bytes() == single_run
            remove_all(tmp_path)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.h5").read_bytes() == single_run
    assert is_clean(tmp_path, "s.h5", "s.plan.json")


def remove_all(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def workers_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]
