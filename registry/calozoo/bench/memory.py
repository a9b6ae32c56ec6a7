"""Peak memory of a whole `calozoo generate`, as the operating system counts it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from calozoo_core.errors import CalozooError

__all__ = ["Memory", "measure_memory"]


class Memory(BaseModel):
    """Peak resident memory of one process.

    Arguments:
        n_showers: How many it made.
        peak_mb: Peak resident set, in 10^6 bytes.
        interpreter_mb: The same of a Python that does nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_showers: int
    peak_mb: float
    interpreter_mb: float


def measure_memory(model: str, n_showers: int = 1000) -> Memory:
    """Generate into a file in a process of its own, and ask what it took.

    Arguments:
        model: Name of the model.
        n_showers: How many, of 10 to 100 GeV.

    Raises:
        CalozooError: If the generation fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "showers.h5")
        command = [sys.executable, "-m", "calozoo", "generate", "--quiet", "--threads", "1"]
        command += ["--model", model, "--energy", "10:100", "-n", str(n_showers), "--out", out]
        peak = _peak_mb(command)
    return Memory(
        n_showers=n_showers,
        peak_mb=peak,
        interpreter_mb=_peak_mb([sys.executable, "-c", "pass"]),
    )


def _peak_mb(command: list[str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, *command], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        msg = f"`{' '.join(command[1:])}` failed with exit code {done.returncode}."
        raise CalozooError(msg)
    # Linux counts in 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(int(done.stdout) * unit / 1e6, 1)


# Until it has started its own program a process counts the memory of the one that forked it, which
# may be large; so a small one does the forking.
_WATCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
