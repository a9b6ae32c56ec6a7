"""Reads what was damaged, in a process of its own, which a crash or an endless loop may take along.

It is started with the kind of file to read. Then it takes a path a line, and answers with a line of
JSON: how reading ended, in words, and the most memory that took, in bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.io._layout import fault, hit_fault
from calozoo_core.weights import read_config, read_tensors

__all__ = ["SHAPES", "SHAPE_TYPES", "Config", "main"]

ROOM_BYTES = 1 << 30
"""What reading may allocate before the system says no."""
SECONDS = 20
"""Of the processor, after which it is taken to have no end: a busy machine only takes longer."""

SECONDS_ASLEEP = 900
"""After which it is taken to wait for something that never comes."""

SHAPES = {"bias": (3,), "weight": (3, 2), "order": (4,)}
SHAPE_TYPES = {"order": "int64"}


class Config(BaseModel):
    """A configuration as models have them: sizes, texts, tables within."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

        widths: tuple[int, ...] = Field(default=(4, 5), max_length=16)
        spread: tuple[float, float] = (0.5, 1.5)

    width: int = Field(ge=1, le=1024)
    scale: float = Field(default=1.0, gt=0)
    fitted_on: str = "nothing"
    inner: Inner = Inner()


def read_showers(path: Path) -> None:
    """All of a shower file, run by run and whole."""
    with ShowerFile(path) as file:
        for run in file.runs(n_points=1000, n_showers=2):
            assert fault(file[run]) is None
        whole = file[:]
        assert len(whole) == len(file.incident()) == len(file)
        assert len(whole.energy) == file.n_points
        if file.hits_detector is not None:
            assert hit_fault(file.hits(), file.hits_detector) is None


def read_weights(path: Path) -> None:
    """The tensors of a model."""
    tensors = read_tensors(path.parent, SHAPES, SHAPE_TYPES)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == SHAPES
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def read_configuration(path: Path) -> None:
    """The configuration of a model."""
    found = read_config(path.parent, Config)
    assert found == Config.model_validate(found.model_dump())
    assert 1 <= found.width <= 1024
    assert 0 < found.scale < float("inf")


READERS = {"showers": read_showers, "tensors": read_weights, "config": read_configuration}


def outcome(read: object, path: Path) -> str:
    """How reading ended: "good", "refused", or what is wrong with the reader."""
    try:
        read(path)
    except CalozooError as error:
        message = str(error)
        is_sentence = message.isprintable() and message.endswith(".") and len(message) < 600
        return "refused" if is_sentence else f"refused with {message!r}"
    except BaseException as error:  # whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return "good"


def main(kind: str) -> None:
    """Answer for every path on stdin."""
    if kind == "tensors":
        import safetensors.torch  # noqa: F401  whose memory is not the file's fault
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (in_use + ROOM_BYTES,) * 2)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends a loop in the library as well
        signal.alarm(SECONDS_ASLEEP)
        ended = outcome(READERS[kind], Path(line.rstrip("\n")))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        answer = {"outcome": ended, "bytes": memory("VmHWM") - before}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def memory(name: str) -> int:
    """A line of what the system knows of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


if __name__ == "__main__":
    main(sys.argv[1])
