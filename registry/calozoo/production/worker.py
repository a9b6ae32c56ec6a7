"""Worker process of a production: `python -m calozoo.production.worker PLAN OPTIONS`.

It loads the model of the plan, says `ready`, and then makes the shard of each number that it reads
from standard input, one a line; for each it prints a line of JSON with its error, or null. It stops
at the end of a batch when it is told to by SIGTERM, or when the process that started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType
from typing import TextIO

from calozoo.production.executors import one_line
from calozoo.production.plan import read_plan
from calozoo.production.shards import ShardMaker
from calozoo_core.errors import CalozooError

__all__ = ["main"]


class _Stop:
    """Request to stop, by a signal or by the end of the parent process."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._is_asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handler of a signal."""
        self._is_asked = True

    def check(self, _: int = 0) -> None:
        """Raise KeyboardInterrupt if there was a request."""
        if self._is_asked or os.getppid() != self._parent:
            raise KeyboardInterrupt


def main(arguments: list[str], replies: TextIO) -> int:
    """Make shards until standard input ends.

    Arguments:
        arguments: File of the plan, and options of `ShardMaker` in JSON.
        replies: Where the answers go.
    """
    path, options = Path(arguments[0]), json.loads(arguments[1])
    stop = _Stop()
    try:
        with ShardMaker(path, read_plan(path), **options) as maker:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop.ask)
            print("ready", file=replies, flush=True)
            for line in iter(sys.stdin.readline, ""):
                error = _error_of(maker, int(line), stop)
                print(json.dumps({"error": error}), file=replies, flush=True)
    except CalozooError as error:
        print(f"calozoo: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0


def _error_of(maker: ShardMaker, number: int, stop: _Stop) -> str | None:
    try:
        maker.make(number, stop.check)
    except Exception as error:
        return one_line(error)
    return None


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # what a library prints is no answer
        sys.exit(main(sys.argv[1:], sys.__stdout__ or sys.stdout))
