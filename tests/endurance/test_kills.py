"""Generations that are killed at random moments: a file is whole, or not there.

`CALOZOO_KILLS` says how many.
"""

from __future__ import annotations

import hashlib
import os
import random
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
