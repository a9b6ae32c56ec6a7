"""Generations and merges that are killed at random moments: a file is whole, or not there.

`CALOZOO_KILLS` says how many.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Final

import pytest

from calozoo.cli import main

N_KILLS: Final = int(os.environ.get("CALOZOO_KILLS", "50"))

OLD: Final = b"what was there before"


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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_generation_that_is_killed_leaves_what_was_there_or_the_whole_file(number, tmp_path):
    generate(tmp_path / "whole.h5")
    start = time.monotonic()
    os.waitpid(in_a_fork(tmp_path / "whole.h5"), 0)
    seconds = time.monotonic() - start
    whole, rng = sha256(tmp_path / "whole.h5"), random.Random(7)
    n_killed = 0
    for attempt in range(N_KILLS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        out = folder / "s.h5"
        out.write_bytes(OLD)
        child = in_a_fork(out)
        time.sleep(rng.uniform(0, 1.2 * seconds))
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        n_killed += status != 0
        assert out.read_bytes() == OLD or sha256(out) == whole
        if status == 0:
            assert sha256(out) == whole
        if number == signal.SIGTERM:
            assert [path.name for path in folder.iterdir()] == ["s.h5"]
        generate(out)  # a part that SIGKILL left is no obstacle, and does not stay
        assert [path.name for path in folder.iterdir()] == ["s.h5"]
        assert sha256(out) == whole
    print(f"{n_killed} of {N_KILLS} were killed by {number.name} before they were done")  # noqa: T201
    assert n_killed > N_KILLS / 4


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_merge_that_is_killed_loses_no_shard_and_the_next_one_ends_it(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    words = ["generate", "--model", "toy", "--energy", "2", "-n", "40", "--batch-size", "2"]
    asked = [*words, "--out", str(made / "s.h5"), "--plan", str(made / "s.plan.json"), "--quiet"]
    assert main([*asked, "--shards", "20"]) == 0
    for number in range(1, 21):
        one = ["--shard", f"{number}/20", "--quiet"]
        assert main(["generate", "--plan", str(made / "s.plan.json"), *one]) == 0
    whole_folder = tmp_path / "whole"
    shutil.copytree(made, whole_folder)
    start = time.monotonic()
    os.waitpid(merge_in_a_fork(whole_folder / "s.plan.json"), 0)
    seconds = time.monotonic() - start
    whole, rng = sha256(whole_folder / "s.h5"), random.Random(7)
    n_killed = 0
    for attempt in range(N_KILLS):
        folder = tmp_path / str(attempt)
        shutil.copytree(made, folder)
        child = merge_in_a_fork(folder / "s.plan.json")
        time.sleep(rng.uniform(0, 1.2 * seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        n_killed += status != 0
        out = folder / "s.h5"
        assert not out.exists() or sha256(out) == whole
        assert main(["merge", str(folder / "s.plan.json"), "--quiet"]) == 0
        assert sha256(out) == whole
        assert sorted(path.name for path in folder.iterdir()) == ["s.h5", "s.plan.json"]
        shutil.rmtree(folder)
    print(f"{n_killed} of {N_KILLS} were killed before they were done")  # noqa: T201
    assert n_killed > N_KILLS / 4
