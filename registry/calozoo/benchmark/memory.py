"""Peak memory and start-up time of a `calozoo generate`, as the operating system counts them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from calozoo.benchmark.measurements import Memory
from calozoo_core.errors import CalozooError

__all__ = ["measure_memory", "peak_mb"]


def measure_memory(model: str, n_showers: int = 1000, folder: Path | None = None) -> Memory:
    """Peak memory and start-up time of a generation, run in a process of its own.

    Arguments:
        model: Name of the model.
        n_showers: Number of showers, of 10 to 100 GeV.
        folder: Folder of the weights; None for the model's own.

    Raises:
        CalozooError: If the generation fails.
    """
    _seconds_and_peak_mb(_command(model, 1, folder))  # brings its files into the disk cache
    startup, _ = _seconds_and_peak_mb(_command(model, 1, folder))
    _, peak = _seconds_and_peak_mb(_command(model, n_showers, folder))
    return Memory(
        n_showers=n_showers,
        peak_mb=peak,
        interpreter_mb=peak_mb([sys.executable, "-c", "pass"]),
        startup_s=round(startup, 3),
    )


def peak_mb(command: list[str]) -> float:
    """Peak memory of a command, in MB.

    Arguments:
        command: A program of Python, from the interpreter on.

    Raises:
        CalozooError: If the command fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["there was no message"])[-1]
        msg = f"`{' '.join(command[1:])}` failed with exit code {done.returncode}: {last}"
        raise CalozooError(msg)
    # Linux counts in 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(int(done.stdout) * unit / 1e6, 1)


def _command(model: str, n_showers: int, folder: Path | None) -> list[str]:
    command = [sys.executable, "-m", "calozoo", "generate", "--quiet", "--offline"]
    command += ["--threads", "1", "--model", model, "--energy", "10:100", "-n", str(n_showers)]
    return command if folder is None else [*command, "--weights", str(folder)]


def _seconds_and_peak_mb(command: list[str]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        peak = peak_mb([*command, "--out", str(Path(folder) / "showers.h5")])
        return perf_counter() - start, peak


# Until it has started its own program a process counts the memory of the one that forked it, which
# may be large; so a small one does the forking.
_WATCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
