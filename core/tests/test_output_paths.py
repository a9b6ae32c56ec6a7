"""Output behind links, into pipes and devices, and from another working directory."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from made_up import made_up

from calozoo_core.errors import OutputExistsError, ShowerFileError
from calozoo_core.io import ShowerWriter, read_showers, write_showers
from calozoo_core.io.atomic import atomic_path, is_stream, is_taken, kept_folder, write_atomic

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices of Linux")


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def write():
    def write_to(path, **options):
        write_showers(path, made_up(2), generator="by hand", **options)

    return write_to


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_file_it_leads_to_is_written(tmp_path, write, is_there):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "real.h5"
    link, second = tmp_path / "link.h5", tmp_path / "second.h5"
    link.symlink_to("far/real.h5")
    second.symlink_to(link)
    if is_there:
        target.write_text("old")
        with pytest.raises(OutputExistsError):
            write(second)
    write(second, overwrite=is_there)
    assert second.is_symlink()
    assert link.is_symlink()
    assert len(read_showers(target)) == 2
    assert names(tmp_path / "far") == ["real.h5"]


def test_a_link_to_nowhere_and_one_to_itself_are_refused(tmp_path, write):
    (tmp_path / "lost.h5").symlink_to("missing/real.h5")
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    for name, words in (("lost.h5", "no such file"), ("loop.h5", "too many levels")):
        with pytest.raises(ShowerFileError, match=words) as caught:
            write(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
    assert names(tmp_path) == ["loop.h5", "lost.h5"]


def test_a_pipe_gets_the_bytes_of_the_whole_file(tmp_path, write):
    write(tmp_path / "file.h5")
    pipe, got = tmp_path / "pipe.h5", []
    os.mkfifo(pipe)
    opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(opened, True)

    def drain():
        with os.fdopen(opened, "rb") as stream:
            got.append(stream.read())

    reader = threading.Thread(target=drain)
    with ShowerWriter(pipe, generator="by hand", seed=0) as writer:
        reader.start()
        writer.append(made_up(2))
    reader.join()
    assert got == [(tmp_path / "file.h5").read_bytes()]
    assert writer.n_bytes == len(got[0])
    assert names(tmp_path) == ["file.h5", "pipe.h5"]


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path, write):
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(ShowerFileError, match="no process reads from it"):
        write(tmp_path / "pipe.h5")
    with pytest.raises(OSError, match="no process reads from it"):
        write_atomic(tmp_path / "pipe.h5", "text")
    assert names(tmp_path) == ["pipe.h5"]


def test_devices_stay_what_they_are(tmp_path, write):
    write("/dev/null")
    write_atomic("/dev/null", "text")
    (tmp_path / "null.h5").symlink_to("/dev/null")
    write(tmp_path / "null.h5")
    assert is_stream("/dev/null")
    assert not is_taken(tmp_path / "null.h5")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_named(write):
    with pytest.raises(ShowerFileError, match=r"/dev/full cannot be written \(no space left"):
        write("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomic("/dev/full", "text")
    assert caught.value.filename == "/dev/full"


def test_an_open_descriptor_is_appended_to(tmp_path):
    with (tmp_path / "file.txt").open("wb") as file:
        file.write(b"before, ")
        file.flush()
        write_atomic(f"/dev/fd/{file.fileno()}", "after")
    assert (tmp_path / "file.txt").read_text() == "before, after"


def test_the_working_directory_may_change_meanwhile(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with ShowerWriter("s.h5", generator="by hand", seed=0) as writer, atomic_path("t.txt") as part:
        part.write_text("text")
        writer.append(made_up(2))
        monkeypatch.chdir(tmp_path / "two")
    assert names(tmp_path / "one") == ["s.h5", "t.txt"]
    assert names(tmp_path / "two") == []


def test_a_folder_is_removed_again_if_nothing_came_into_it(tmp_path):
    with pytest.raises(ValueError, match="no"), kept_folder(tmp_path / "a" / "b"):
        raise ValueError("no")
    assert names(tmp_path) == []
    with suppress(ValueError), kept_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "kept").write_text("")
        raise ValueError("no")
    assert names(tmp_path / "a" / "b") == ["kept"]
