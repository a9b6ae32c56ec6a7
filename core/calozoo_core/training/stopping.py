"""Checkpoints in between, and the end of a training before its end: signals, and a time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import lightning
from lightning.pytorch.callbacks import Checkpoint

from calozoo_core.training.world import World

__all__ = ["LAST", "TIME_IS_UP", "StoppableCheckpoints", "deadline_of"]

LAST: Final = "last.ckpt"

SIGNALS: Final[tuple[int, ...]] = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")
    if hasattr(signal, name)  # Windows has the first two
)

TIME_IS_UP: Final = "the end of its time"
"""Reason of a stop at the time limit; a stop by a signal has the signal's name."""

SPARE_SECONDS: Final = 30.0
"""Time that is left before a time limit for the last checkpoint and for leaving."""


def deadline_of(minutes: float | None) -> float | None:
    """Time, as of `time.time`, at which a training that begins now has to be gone.

    Arguments:
        minutes: Minutes from now; None for no limit but that of a SLURM job around it.
    """
    ends = [] if minutes is None else [time.time() + 60 * minutes]
    job_end = os.environ.get("SLURM_JOB_END_TIME", "")
    if job_end.isdecimal():
        ends.append(float(job_end))
    return min(ends, default=None)


class StoppableCheckpoints(Checkpoint):
    """Checkpoints every few minutes, and a last one when the training has to stop.

    It has to stop at a signal (Ctrl-C, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU), and before its time
    limit. It does so after an optimiser step, with a checkpoint, so that nothing is lost; a second
    signal stops it at once. All processes of a training stop after the same step.

    Arguments:
        folder: Folder of the checkpoint, `last.ckpt`.
        minutes: Minutes from one checkpoint to the next.
        deadline: Time, as of `time.time`, at which the process has to be gone; None for none.
    """

    def __init__(self, folder: Path, minutes: float, deadline: float | None = None) -> None:
        self._file, self._seconds, self._deadline = folder / LAST, 60 * minutes, deadline
        self._saved = self._seen = time.monotonic()
        self._slowest = 0.0
        self._signal = 0
        self._handlers: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Context in whose end the handlers of signals are again those from before."""
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers = {}

    def on_train_start(self, *_: Any) -> None:
        """Listen to signals; lightning has its own handlers by now, which would end less well."""
        self._saved = self._seen = time.monotonic()
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is not None and before is not signal.SIG_IGN:  # as SIGHUP is under nohup
                self._handlers.setdefault(number, before)
                signal.signal(number, self._note)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Save after a step, if it is time, and stop, if that is asked for."""
        now = time.monotonic()
        self._slowest = max(self._slowest, now - self._seen)
        self._seen = now
        is_due = now - self._saved > self._seconds
        due, asked, late = World.current().largest(is_due, self._signal, self._is_late())
        loop = trainer.fit_loop.epoch_loop
        if loop.batch_idx + 1 >= trainer.num_training_batches:
            return  # a checkpoint follows the metrics, which this one would leave out
        if due or asked or late:
            trainer.save_checkpoint(self._file)
        _stop_if(asked, late)

    def on_train_epoch_start(self, *_: Any) -> None:
        """Stop after an epoch, whose checkpoint is written and whose figures are logged."""
        self.stop_if_asked()

    def stop_if_asked(self) -> None:
        """Stop here, if it has to.

        Raises:
            KeyboardInterrupt: If it has to, with the name of the signal or `TIME_IS_UP`.
        """
        asked, late = World.current().largest(self._signal, self._is_late())
        _stop_if(asked, late)

    def on_save_checkpoint(self, *_: Any) -> None:
        """Count the time to the next checkpoint from this one, whoever writes it."""
        self._saved = time.monotonic()

    def _is_late(self) -> bool:
        if self._deadline is None:
            return False
        return time.time() + SPARE_SECONDS + 2 * self._slowest > self._deadline

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._signal:
            raise KeyboardInterrupt(signal.Signals(number).name)
        self._signal = number


def _stop_if(asked: int, late: int) -> None:
    if asked:
        raise KeyboardInterrupt(signal.Signals(asked).name)
    if late:
        raise KeyboardInterrupt(TIME_IS_UP)
