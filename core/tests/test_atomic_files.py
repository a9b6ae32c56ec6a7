"""A file is written completely or not at all, and what goes wrong names the file."""

from __future__ import annotations

import os
import sys

import pytest
from made_up import run

from calozoo_core.io.atomic import atomic_path, write_atomic


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_text_and_bytes_are_written_and_replace_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    write_atomic(path, "first, and longer: θ")
    assert path.read_bytes() == "first, and longer: θ".encode()
    write_atomic(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError(28, "full")])
def test_an_error_leaves_only_what_was_there_before(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("precious")

    def write_and_fail():
        with atomic_path(path) as part:
            part.write_text("half of it")
            raise error

    with pytest.raises(error if isinstance(error, type) else OSError):
        write_and_fail()
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "precious"


def test_an_error_about_another_file_names_that_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "a.txt"):
        (tmp_path / "missing").read_text()
    assert caught.value.filename == str(tmp_path / "missing")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere/a.txt", "No such file or directory"),
        ("file/a.txt", "Not a directory"),
        ("folder", "directory"),
        ("n" * 300, "File name too long"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other words")
def test_a_place_that_cannot_be_written_is_named(tmp_path, place, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=words) as caught:
        write_atomic(tmp_path / place, "text")
    assert caught.value.filename == str(tmp_path / place)
    assert ".part" not in str(caught.value)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        write_atomic(tmp_path / "a.txt", "text")
    assert caught.value.filename == str(tmp_path / "a.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    result = run(
        """
        import resource, sys
        from pathlib import Path
        from calozoo_core.io.atomic import write_atomic

        path = Path(sys.argv[1]) / "a.txt"
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            write_atomic(path, "x" * 5000)
        except OSError as error:
            print(error.strerror, error.filename == str(path), list(path.parent.iterdir()))
        """,
        tmp_path,
    )
    assert result.stdout.strip() == "File too large True []"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")
def test_two_writers_exclude_each_other(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_path(path) as part:
        part.write_text("first")
        with pytest.raises(OSError, match=r"another process is writing it: .*a\.txt'"):
            write_atomic(path, "second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


def test_what_a_killed_process_left_is_written_over(tmp_path):
    (tmp_path / "a.txt.part").write_bytes(b"x" * 10_000)
    write_atomic(tmp_path / "a.txt", "text")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "text"


def test_writing_text_needs_no_hdf5():
    result = run("import sys, calozoo_core.io.atomic; print('h5py' in sys.modules)")
    assert result.stdout.strip() == "False"
