"""Progress bars are for terminals; a signal stops a command between two batches."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

import pytest

from calozoo.cli.output import batch_progress, progress_bar
from calozoo.cli.signals import STOP_SIGNALS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    threads = threading.active_count()
    with progress_bar(3, unit="timings") as advance:
        for _ in range(3):
            advance(1)
        assert threading.active_count() == threads
    drawn = sys.stderr.getvalue()
    assert "3/3" in drawn
    assert "timings" in drawn
    assert drawn.endswith("\n")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_bar_is_drawn_into_a_file_or_where_it_is_hidden(monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", stream())
    hidden = stream is Terminal
    with progress_bar(3, hidden=hidden) as advance:
        advance(3)
    with batch_progress(3, hidden=hidden) as progress:
        progress.advance(3)
    assert sys.stderr.getvalue() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_stops_at_the_end_of_a_batch(number):
    before = signal.getsignal(number)
    with batch_progress() as progress:
        progress.start(9)
        progress.advance(1)
        os.kill(os.getpid(), number)  # in the middle of a batch
        with pytest.raises(KeyboardInterrupt):
            progress.advance(1)
    assert signal.getsignal(number) == before
