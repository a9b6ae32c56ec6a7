"""Signals that stop a command: Ctrl-C, a closed terminal, and the warnings of batch systems."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

__all__ = ["STOP_SIGNALS", "raised", "stop_message", "stoppable"]

STOP_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")
    if hasattr(signal, name)  # Windows has the first two
)
"""SIGUSR1 and SIGXCPU are what batch systems send before the time of a job is up."""

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def _handled(handler: Handler, *, other_than: tuple[int, ...] = ()) -> Iterator[None]:
    """Have a handler for all signals that stop a command; afterwards the handlers from before.

    Signals that were ignored on the way in, as SIGHUP is under nohup, stay ignored. Threads other
    than the main one get no signals, so there it does nothing.

    Arguments:
        handler: Called as handlers of `signal.signal` are.
        other_than: Signals that are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in STOP_SIGNALS if number not in other_than]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = [n for n, old in before.items() if old is not None and old is not signal.SIG_IGN]
    for number in changed:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])


@contextmanager
def raised() -> Iterator[None]:
    """Have the signals raise KeyboardInterrupt, as Ctrl-C does, with the name of the signal.

    The first that comes does; those that follow would cut the cleaning after it short.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt(signal.Signals(number).name)

    with _handled(interrupt, other_than=(signal.SIGINT,)):
        yield


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Signal handling of a command that is stopped only where that is safe.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a destructor, of which HDF5
    runs many, it is lost, and a second one cuts the cleaning after the first short. So a signal is
    only noted here, and what this yields raises KeyboardInterrupt for it when it is called.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    def stop_if_asked() -> None:
        if received:
            raise KeyboardInterrupt(signal.Signals(received[0]).name)

    with _handled(note):
        yield stop_if_asked


def stop_message(error: BaseException) -> str:
    """Message of a command that was stopped.

    Arguments:
        error: KeyboardInterrupt, with the name of the signal unless it was Ctrl-C, or what click
            makes of it.

    Example:
        >>> stop_message(KeyboardInterrupt("SIGHUP"))
        'stopped by SIGHUP; nothing half-written was left behind. Type the same command again.'
    """
    name = str(error.__cause__ or error)
    if name == "SIGINT" or not name.startswith("SIG"):
        return "stopped; nothing half-written was left behind."
    return f"stopped by {name}; nothing half-written was left behind. Type the same command again."
