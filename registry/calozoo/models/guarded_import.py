"""Loads a plugin where it cannot hang, end the process, or write where data goes.

This is against accidents. A plugin is code that its user installed, and runs with all their rights.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from calozoo_core.errors import InputError, PluginError

__all__ = ["SECONDS", "quarantine", "seconds_allowed"]

SECONDS: Final = 30.0
"""How long a plugin may take to be imported and to register its models."""

VARIABLE: Final = "CALOZOO_PLUGIN_SECONDS"


class _OverdueError(BaseException):
    """Time is up; not an Exception, since a plugin that catches those is to be stopped as well."""


def seconds_allowed(environ: Mapping[str, str]) -> float:
    """How long each plugin may take, as the environment says or by default.

    Raises:
        InputError: If what the environment says is not a number of seconds.
    """
    given = environ.get(VARIABLE) or str(SECONDS)
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        msg = f"{VARIABLE} is a number of seconds, not {given!r}; leave it unset for {SECONDS:g}."
        raise InputError(msg)
    return seconds


@contextmanager
def quarantine(seconds: float) -> Iterator[None]:
    """What runs in here must be done in time, must not end the process, and must write nothing.

    Arguments:
        seconds: How long it may take; only the main thread of a Unix process can be stopped.

    Raises:
        PluginError: If it is not done in time, calls `os._exit` or writes to stdout.
    """
    with _time_limit(seconds), _without_exit(), _silence():
        yield


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(_: int, __: FrameType | None) -> NoReturn:
        raise _OverdueError

    handler = signal.signal(signal.SIGALRM, stop)
    # Again each second, in case that it catches the first.
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    except _OverdueError:
        msg = f"it is not loaded after {seconds:g} s; {VARIABLE} gives it longer."
        raise PluginError(msg) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def _without_exit() -> Iterator[None]:
    really_exit, owner = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:  # a process that it forked, which must not go on as this one
            really_exit(status)
        msg = "it calls os._exit while it is loaded."
        raise PluginError(msg)

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = really_exit


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what is written to stdout, by Python or below it, away from there.

    Raises:
        PluginError: If anything was.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as kept:
        stdout, sys.stdout = sys.stdout, kept
        try:
            with _instead_of_stdout(kept.fileno()):
                yield
        finally:
            sys.stdout = stdout
        kept.flush()
        if os.fstat(kept.fileno()).st_size:
            msg = "it writes to stdout while it is loaded, which is for data."
            raise PluginError(msg)


@contextmanager
def _instead_of_stdout(descriptor: int) -> Iterator[None]:
    try:
        stdout = os.dup(1)
    except OSError:  # a process without one
        yield
        return
    try:
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        os.dup2(descriptor, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
