"""Asks a process of its own how reading a file ends; see fuzz_worker.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import fuzz_worker

__all__ = ["MOST_BYTES", "Answer", "Worker"]

MOST_BYTES = 200_000_000
"""More than this no small file may take, whatever it claims: some chunks, and what parses them."""


class Answer(NamedTuple):
    """How reading ended, and the most memory it took, in bytes."""

    outcome: str
    bytes: int

    @property
    def is_fine(self) -> bool:
        """A good object or one sentence, in bounded memory."""
        return self.outcome in ("good", "refused") and self.bytes < MOST_BYTES


class Worker:
    """A process that reads files of one kind; a new one takes over when one dies.

    Arguments:
        kind: One of `fuzz_worker.READERS`.
        path: Where it looks for each file.
    """

    def __init__(self, kind: str, path: Path) -> None:
        self.path = path
        self._command = [sys.executable, "-W", "ignore", fuzz_worker.__file__, kind]
        self._process: subprocess.Popen[str] | None = None

    def read(self, content: bytes) -> Answer:
        """Let it read a file with this content."""
        self.path.write_bytes(content)
        return self.read_there()

    def read_there(self) -> Answer:
        """Let it read what lies at its path."""
        if self._process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(self._command, text=True, **pipes)
        self._process.stdin.write(f"{self.path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if line:
            return Answer(**json.loads(line))
        code = self._process.wait()
        self.close()
        return Answer(f"died of {signal.Signals(-code).name if code < 0 else code}", 0)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None
