"""A picture that the disk has no room for: one sentence, and what was there stays."""

from __future__ import annotations

import resource
import signal

import pytest
from matplotlib.figure import Figure

from calozoo.plotting.style import SUFFIXES, save_picture
from calozoo_core.errors import ShowerFileError


def drawing() -> Figure:
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot(range(10_000), [n * n % 997 for n in range(10_000)])
    return figure


@pytest.fixture
def short_files():
    """Files end at 6 kB, which fails as a full disk does: in the middle of a picture."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_that_does_not_fit_leaves_what_was_there(suffix, tmp_path, short_files):
    picture = tmp_path / f"p{suffix}"
    picture.write_bytes(b"before")
    with pytest.raises(ShowerFileError, match=f"p{suffix} cannot be written: file too large"):
        save_picture(picture, drawing)
    assert [path.name for path in tmp_path.iterdir()] == [picture.name]
    assert picture.read_bytes() == b"before"
