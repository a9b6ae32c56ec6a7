"""Ctrl-C, and what a batch system sends instead."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from calozoo_core.errors import CalozooError

__all__ = ["StoppedError", "stoppable"]


class StoppedError(CalozooError):
    """Ctrl-C, where there is more to say of it than that nothing was left behind."""

    exit_code = 130


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Puts SIGINT and SIGTERM off to where it is safe to stop.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a destructor, of which HDF5
    runs many, it is lost, and a second one cuts the cleaning after the first short. So a signal is
    only noted here, and what this yields raises KeyboardInterrupt for it when it is called. Signals
    that were ignored on the way in, as under nohup, stay ignored.
    """
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    def stop_if_asked() -> None:
        if heard:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # gets no signals
        yield stop_if_asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    changed = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in changed:
        signal.signal(number, note)
    try:
        yield stop_if_asked
    finally:
        for number in changed:
            signal.signal(number, before[number])
