"""Signals that stop a command: Ctrl-C, a closed terminal, and the warnings of batch systems."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import click

from calozoo_core.errors import CalozooError

__all__ = ["STOP_SIGNALS", "StoppedError", "raised", "stop_message", "stoppable"]

STOP_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")
    if hasattr(signal, name)  # Windows has the first two
)
"""SIGUSR1 and SIGXCPU are what batch systems send before the time of a job is up."""


class StoppedError(CalozooError):
    """A signal stopped the command, which has a message of its own for it."""

    exit_code = 130


Handler = Callable[[int, FrameType | None], Any]
Setting = Handler | int | None


@contextmanager
def _handled(handler: Handler, *, other_than: tuple[int, ...] = ()) -> Iterator[dict[int, Setting]]:
    """Have a handler for all signals that stop a command; afterwards the handlers from before.

    It yields these, by number of the signal, so that others can be put in their place.

    Signals that were ignored on the way in, as SIGHUP is under nohup, stay ignored. Threads other
    than the main one get no signals, so there it does nothing.

    Arguments:
        handler: Called as handlers of `signal.signal` are.
        other_than: Signals that are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    found = {n: signal.getsignal(n) for n in STOP_SIGNALS if n not in other_than}
    afterwards: dict[int, Setting] = {
        n: old for n, old in found.items() if old not in (None, signal.SIG_IGN)
    }
    for number in afterwards:
        signal.signal(number, handler)
    try:
        yield afterwards
    finally:
        for number, old in afterwards.items():
            signal.signal(number, old)


@contextmanager
def raised(*, ends_program: bool = False) -> Iterator[None]:
    """Have the signals raise KeyboardInterrupt, as Ctrl-C does, with the name of the signal.

    The first that comes does; those that follow would cut the cleaning after it short.

    Arguments:
        ends_program: `True` if the program ends with this block: once it is stopped, further
            signals are ignored, since they would end it without its message and exit code.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt(signal.Signals(number).name)

    with _handled(interrupt, other_than=(signal.SIGINT,)) as afterwards:
        try:
            yield
        except (click.Abort, KeyboardInterrupt, StoppedError):
            if ends_program and afterwards:
                afterwards.update(dict.fromkeys([*afterwards, signal.SIGINT], signal.SIG_IGN))
            raise


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
