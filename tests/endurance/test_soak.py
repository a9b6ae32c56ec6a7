"""A process that generates for a long time: memory, file descriptors and threads stay flat.

`CALOZOO_SOAK_CALLS` says how many calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Final

import pytest

N_CALLS: Final = int(os.environ.get("CALOZOO_SOAK_CALLS", "20000"))

SCRIPT = """
import gc, json, os, sys, threading, time
from pathlib import Path
import calozoo

def state():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE")
    return rss, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

n = int(sys.argv[1])
model = calozoo.load("toy")
start, states = time.monotonic(), []
for call in range(n):
    made = model.generate(energy=1 + call % 100, seed=call)
    assert len(made) == 1 and made.n_points[0] > 0
    if call % (n // 20) == n // 20 - 1:
        states.append(state())
print(json.dumps({"states": states, "seconds": time.monotonic() - start}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux knows of a process")
def test_memory_files_and_threads_of_a_process_stay_flat():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(N_CALLS)], capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    sizes, files, threads = zip(*found["states"], strict=True)
    # The first twentieth fills caches.
    growth = max(sizes[1:]) - sizes[1]
    words = f"{N_CALLS} calls in {found['seconds']:.0f} s, memory {sizes[1] / 1e6:.1f} MB"
    print(f"{words} and {growth / 1e6:+.1f} MB, {files[-1]} files, {threads[-1]} threads")  # noqa: T201
    assert growth < 5e6
    assert len(set(files)) == 1
    assert len(set(threads)) == 1
