"""Shards and their merging: the bytes of a single run, in whatever order, by whomever."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import pytest
from production.conftest import command, ignore, is_clean, words

from calozoo.production.errors import ProductionError
from calozoo.production.executors import LocalExecutor, SerialExecutor, produce
from calozoo.production.merge import merge_shards, number_ranges
from calozoo.production.plan import make_plan, write_plan
from calozoo.production.shards import ShardMaker
from calozoo.production.status import production_status
from calozoo_core.errors import OutputExistsError


def make(small, *numbers):
    with ShardMaker(small.path, small.plan) as maker:
        return [maker.make(number) for number in numbers]


@pytest.mark.parametrize("n_shards", [1, 2, 5, 19])
def test_the_merged_file_has_the_bytes_of_a_single_run(tmp_path, request_, single_run, n_shards):
    path, out = tmp_path / "s.plan.json", tmp_path / "s.h5"
    plan = write_plan(make_plan(request_, out, path, n_shards=n_shards), path)
    assert produce(path, plan, SerialExecutor(), ignore) == []
    done = merge_shards(path, plan)
    assert out.read_bytes() == single_run
    assert (done.showers, done.bytes) == (300, len(single_run))
    assert is_clean(tmp_path, "s.h5", "s.plan.json")


def test_hits_and_entry_points_are_merged_too(tmp_path, run):
    asked = ["generate", "--model", "toy", "--energy", "10", "-n", "40", "--batch-size", "8"]
    asked += ["--place", "ild_siecal", "--from-ip", "--threshold", "0.2", "--quiet"]
    run(*asked, "--out", "one.h5", cwd=tmp_path)
    run(*asked, "--out", "two.h5", "--resume", "--shards", "3", cwd=tmp_path)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_shards_in_any_order_and_by_anybody_make_the_same_file(small, single_run):
    make(small, 4, 2)
    make(small, 5, 1, 3)
    merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run


def test_a_shard_that_is_there_is_kept(small):
    first = make(small, 2)
    written = small.folder.file(2).stat().st_mtime_ns
    assert make(small, 2) == first
    assert small.folder.file(2).stat().st_mtime_ns == written


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone", "no record", "half a record"])
def test_a_damaged_shard_is_made_again(small, harm):
    (record,) = make(small, 2)
    file = small.folder.file(2)
    content = file.read_bytes()
    if harm == "cut":
        file.write_bytes(content[:-100])
    elif harm == "flipped":
        file.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif harm == "gone":
        file.unlink()
    else:
        file.with_suffix(".json").write_text("" if harm == "no record" else '{"plan": "')
    assert small.folder.record(2, verify=True) is None
    (again,) = make(small, 2)
    assert again.sha256 == record.sha256
    assert file.read_bytes() == content


def test_a_gap_is_refused_and_nothing_is_written(small):
    make(small, 1, 3, 4)
    with pytest.raises(ProductionError, match=r"Shards 2,5 are missing.*calozoo generate --plan"):
        merge_shards(small.path, small.plan)
    assert not small.out.exists()


def test_a_shard_of_another_plan_is_refused(small):
    make(small, 1, 2, 3, 4, 5)
    path = small.folder.file(3).with_suffix(".json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"plan": "0" * 64}))
    with pytest.raises(ProductionError, match=r"00003\.json is of a shard of another plan"):
        merge_shards(small.path, small.plan)
    with pytest.raises(ProductionError, match="of another plan"):
        produce(small.path, small.plan, SerialExecutor(), ignore)


def test_a_shard_with_the_record_of_another_is_made_again(small, single_run):
    make(small, 1, 2, 3, 4, 5)
    for suffix in (".h5", ".json"):
        shutil.copy(
            small.folder.file(1).with_suffix(suffix), small.folder.file(2).with_suffix(suffix)
        )
    assert small.folder.missing() == [2]
    assert produce(small.path, small.plan, SerialExecutor(), ignore) == []
    merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run


def test_a_shard_that_fails_twice_is_made_the_third_time(small, monkeypatch, single_run):
    tries = fail(monkeypatch, number=2, times=2)
    assert produce(small.path, small.plan, SerialExecutor(), ignore) == []
    assert tries == [2, 2, 2]
    assert production_status(small.path, small.plan).failed == ()
    merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run


def test_a_shard_that_always_fails_is_reported_and_the_others_are_made(small, monkeypatch):
    tries = fail(monkeypatch, number=2, times=99)
    (failure,) = produce(small.path, small.plan, SerialExecutor(), ignore)
    assert tries == [2, 2, 2]
    assert (failure.number, failure.first, failure.stop) == (2, *small.plan.shards[1])
    assert failure.error == "ValueError: the network exploded"
    assert failure.attempts == 3
    assert small.folder.missing() == [2]


def test_the_command_line_says_which_shard_failed_and_what_to_type(small, monkeypatch, typed):
    fail(monkeypatch, number=2, times=99)
    code, out, err = typed("generate", "--plan", str(small.path), "--quiet")
    assert (code, out) == (1, "")
    first, stop = small.plan.shards[1]
    assert err.startswith(f"calozoo: Shard 2 of 5 failed: 2 (showers {first} to {stop - 1}): ")
    assert "ValueError: the network exploded. The others are kept; `calozoo generate --plan" in err
    code, out, err = typed("status", str(small.path))
    assert code == 0
    assert f"shard 2 (showers {first} to {stop - 1}) failed 3 times" in out
    monkeypatch.undo()
    assert typed("generate", "--plan", str(small.path), "--quiet")[0] == 0
    assert small.out.exists()


def fail(monkeypatch, number, times):
    """Have a shard fail so many times; the list of the tries."""
    tries = []
    real = ShardMaker.make

    def make(self, asked, on_batch=None):
        if asked == number:
            tries.append(asked)
            if len(tries) <= times:
                msg = "the network exploded"
                raise ValueError(msg)
        return real(self, asked, on_batch)

    monkeypatch.setattr(ShardMaker, "make", make)
    return tries


def test_several_processes_make_the_same_file(small, single_run):
    done = []
    assert produce(small.path, small.plan, LocalExecutor(2), done.append) == []
    assert sum(done) == 300
    merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run


def test_a_worker_that_is_killed_is_replaced(small, single_run):
    killed = []

    def kill_once(_):
        if not killed:
            killed.extend(children("calozoo.production.worker")[:1])
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    assert produce(small.path, small.plan, LocalExecutor(2), kill_once) == []
    assert killed
    merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == single_run


def children(name):
    """Processes of ours that run this module."""
    found = subprocess.run(
        ["ps", "-wwo", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if name in line]


def test_workers_that_cannot_start_say_why(small, monkeypatch):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-nothing")
    with pytest.raises(ProductionError, match=r"No worker can be started: toy\.ild-photon is not"):
        produce(small.path, small.plan, LocalExecutor(2), ignore)


def test_a_file_that_was_there_is_not_taken_for_the_merged_one(small, single_run):
    produce(small.path, small.plan, SerialExecutor(), ignore)
    other = words(out=str(small.out), seed="8")
    command(*other)
    before = small.out.read_bytes()
    with pytest.raises(OutputExistsError):
        merge_shards(small.path, small.plan)
    assert small.out.read_bytes() == before


def test_a_finished_run_is_not_made_again_and_another_needs_overwrite(tmp_path, typed, single_run):
    out = str(tmp_path / "s.h5")
    asked = [*words(out=out), "--resume"]
    assert typed(*asked)[0] == 0
    written = (tmp_path / "s.h5").stat().st_mtime_ns
    assert typed(*asked)[0] == 0
    assert (tmp_path / "s.h5").stat().st_mtime_ns == written
    other = [*words(out=out, seed="8"), "--resume"]
    code, _, err = typed(*other)
    assert code == 1
    assert "--overwrite" in err
    assert (tmp_path / "s.h5").read_bytes() == single_run
    assert typed(*other, "--overwrite")[0] == 0
    assert (tmp_path / "s.h5").read_bytes() != single_run


def test_a_file_that_was_there_before_is_not_touched(tmp_path, typed):
    (tmp_path / "s.h5").write_text("mine")
    code, _, err = typed(*words(out=str(tmp_path / "s.h5")), "--resume")
    assert code == 1
    assert "already there" in err
    assert is_clean(tmp_path, "s.h5")


def test_a_plan_alone_has_all_of_the_request(small, typed, single_run):
    plan = str(small.path)
    for number in range(1, 6):
        assert typed("generate", "--plan", plan, "--shard", f"{number}/5", "--quiet")[0] == 0
    assert typed("merge", plan, "--quiet", "--keep-shards")[0] == 0
    assert small.out.read_bytes() == single_run
    assert small.folder.missing() == []
    code, _, err = typed("generate", "--plan", plan, "--dir", "0,0")
    assert code == 2
    assert err == f"calozoo: {plan} says what is generated; leave out --dir, or give --model too.\n"


def test_shards_of_a_request_need_no_plan_beforehand(tmp_path, typed, single_run):
    out = str(tmp_path / "s.h5")
    for number in (2, 1, 3):
        assert typed(*words(out=out), "--shard", f"{number}/3")[0] == 0
    assert typed("merge", str(tmp_path / "s.plan.json"), "--quiet")[0] == 0
    assert (tmp_path / "s.h5").read_bytes() == single_run


def test_numbers_are_listed_as_runs():
    assert number_ranges([]) == ""
    assert number_ranges([7]) == "7"
    assert number_ranges([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
