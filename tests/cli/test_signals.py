"""Signals that stop a command, wherever it is; nohup keeps it going."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from calozoo.cli.signals import STOP_SIGNALS, raised, stop_message, stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_command_that_writes_nothing_is_stopped_with_the_same_words(number):
    code = (
        "import sys, time; from calozoo import cli\n"
        "cli.cli.invoke = lambda _: (print('begun', flush=True), time.sleep(20))\n"
        "sys.exit(cli.main(['list']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    message = stop_message(KeyboardInterrupt(signal.Signals(number).name))
    assert errors.strip() == f"calozoo: {message}"
    assert process.returncode == 130


STOPPED = """
import os, sys
from calozoo import cli
from calozoo.cli.signals import STOP_SIGNALS, StoppedError

say = cli.click.echo

def more():
    for number in STOP_SIGNALS:
        os.kill(os.getpid(), number)

def say_among_signals(*words, **options):
    more()
    say(*words, **options)
    more()

def work(_):
    try:
        os.kill(os.getpid(), {number})
    except KeyboardInterrupt:
        {reaction}

cli.click.echo, cli.cli.invoke = say_among_signals, work
sys.argv[1:] = ["list"]
sys.exit(cli.main())
"""


@pytest.mark.parametrize("reaction", ["raise", "raise StoppedError('it stopped.')"])
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signals_after_the_stop_do_not_take_message_and_exit_code_away(number, reaction):
    code = STOPPED.format(number=int(number), reaction=reaction)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    message = stop_message(KeyboardInterrupt(signal.Signals(number).name))
    said = message if reaction == "raise" else "it stopped."
    assert done.stderr.strip() == f"calozoo: {said}"
    assert done.returncode == 130


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raised(), stoppable() as stop_if_asked:
            signal.raise_signal(signal.SIGHUP)
            stop_if_asked()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_after_the_first_do_not_cut_the_cleaning_short():
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
            cleaned.append(True)

    handlers = [signal.getsignal(number) for number in STOP_SIGNALS]
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), raised():
        work()
    assert cleaned == [True]
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == handlers


def test_a_thread_gets_no_signals_and_needs_no_handlers():
    stopped = []

    def work() -> None:
        with raised(), stoppable() as stop_if_asked:
            stop_if_asked()
        stopped.append(False)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert stopped == [False]
