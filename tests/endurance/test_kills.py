"""Generations and merges that are killed at random moments: a file is whole, or not there.

`CALOZOO_KILLS` says how many kills have to fall inside a run; one that comes after the end of the
run is checked too, and does not count.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from calozoo.cli import main

N_KILLS: Final = int(os.environ.get("CALOZOO_KILLS", "50"))

OLD: Final = b"what was there before"

N_SHARDS: Final = 10


def generate(out: Path) -> None:
    words = ["generate", "--model", "toy", "--energy", "50", "-n", "60", "--batch-size", "10"]
    assert main([*words, "--out", str(out), "--overwrite", "--quiet"]) == 0


def in_a_fork(out: Path) -> int:
    """Process that generates."""
    child = os.fork()
    if not child:
        try:
            generate(out)
            os._exit(0)
        finally:
            os._exit(1)
    return child


def merge_in_a_fork(plan: Path) -> int:
    """Process that merges."""
    child = os.fork()
    if not child:
        try:
            os._exit(main(["merge", str(plan), "--quiet"]))
        finally:
            os._exit(1)
    return child


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seconds_of(start: Callable[[], int]) -> float:
    """Duration of a process that is left alone."""
    begin = time.monotonic()
    _, status = os.waitpid(start(), 0)
    assert status == 0
    return time.monotonic() - begin


def is_hit(child: int, number: signal.Signals, delay: float) -> bool:
    """True if a signal that is sent after a delay ends a process before it is done."""
    time.sleep(delay)
    os.kill(child, number)
    _, status = os.waitpid(child, 0)
    return status != 0


def delays(seconds: float) -> Iterator[float]:
    """Random moments within a run, and a little after it."""
    rng = random.Random(7)
    while True:
        yield rng.uniform(0, 1.1 * seconds)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_generation_that_is_killed_leaves_what_was_there_or_the_whole_file(number, tmp_path):
    generate(tmp_path / "whole.h5")
    seconds = seconds_of(lambda: in_a_fork(tmp_path / "whole.h5"))
    whole, moments = sha256(tmp_path / "whole.h5"), delays(seconds)
    folder, n_sent, n_hit = tmp_path / "killed", 0, 0
    while n_hit < N_KILLS:
        folder.mkdir()
        out = folder / "s.h5"
        out.write_bytes(OLD)
        hit = is_hit(in_a_fork(out), number, next(moments))
        n_sent, n_hit = n_sent + 1, n_hit + hit
        assert out.read_bytes() == OLD or sha256(out) == whole
        if not hit:
            assert sha256(out) == whole
        if number == signal.SIGTERM:
            assert [path.name for path in folder.iterdir()] == ["s.h5"]
        generate(out)  # a part that SIGKILL left is no obstacle, and does not stay
        assert [path.name for path in folder.iterdir()] == ["s.h5"]
        assert sha256(out) == whole
        shutil.rmtree(folder)
        assert n_sent < 20 * N_KILLS
    print(f"{n_hit} of {n_sent} {number.name} fell inside the run")  # noqa: T201


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_merge_that_is_killed_loses_no_shard_and_the_next_one_ends_it(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    words = ["generate", "--model", "toy", "--energy", "2", "-n", "20", "--batch-size", "2"]
    asked = [*words, "--out", str(made / "s.h5"), "--plan", str(made / "s.plan.json"), "--quiet"]
    assert main([*asked, "--shards", str(N_SHARDS)]) == 0
    for number in range(1, N_SHARDS + 1):
        one = ["--shard", f"{number}/{N_SHARDS}", "--quiet"]
        assert main(["generate", "--plan", str(made / "s.plan.json"), *one]) == 0
    whole_folder = tmp_path / "whole"
    shutil.copytree(made, whole_folder)
    seconds = seconds_of(lambda: merge_in_a_fork(whole_folder / "s.plan.json"))
    whole, moments = sha256(whole_folder / "s.h5"), delays(seconds)
    folder, n_sent, n_hit = tmp_path / "killed", 0, 0
    while n_hit < N_KILLS:
        shutil.copytree(made, folder)
        hit = is_hit(merge_in_a_fork(folder / "s.plan.json"), signal.SIGKILL, next(moments))
        n_sent, n_hit = n_sent + 1, n_hit + hit
        out = folder / "s.h5"
        assert not out.exists() or sha256(out) == whole
        assert main(["merge", str(folder / "s.plan.json"), "--quiet"]) == 0
        assert sha256(out) == whole
        assert sorted(path.name for path in folder.iterdir()) == ["s.h5", "s.plan.json"]
        shutil.rmtree(folder)
        assert n_sent < 20 * N_KILLS
    print(f"{n_hit} of {n_sent} SIGKILL fell inside the run")  # noqa: T201
