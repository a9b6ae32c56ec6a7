"""A native file is there whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import sys

import pytest
from made_up import made_up, run, sha256
from shower_strategies import same_showers

from calozoo_core.errors import ShowerFileError
from calozoo_core.io import ShowerWriter, read_showers, write_showers
from calozoo_core.io.part_file import uninterrupted


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_file_leaves_only_what_was_there_before(tmp_path, error):
    path = tmp_path / "s.h5"
    path.write_text("precious")

    def write_and_fail():
        with ShowerWriter(path, generator="toy", seed=1, overwrite=True) as writer:
            writer.append(made_up())
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.h5"]
    assert path.read_text() == "precious"


def test_ctrl_c_waits_until_the_library_is_done():
    result = run(
        """
        import os, signal
        from calozoo_core.io.part_file import uninterrupted
        try:
            with uninterrupted():
                os.kill(os.getpid(), signal.SIGINT)
                print("done")
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert result.stdout.split() == ["done", "interrupted"]


def test_a_block_that_nothing_interrupts_just_runs():
    with uninterrupted():
        ran = True
    assert ran


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_one_error_wherever_it_strikes(tmp_path):
    # A limit on the size of a file fails a write as a full disk does. Under such a failure the
    # HDF5 library brings the process down, if it is told.
    result = run(
        """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from calozoo_core.errors import ShowerFileError
        from calozoo_core.incident import Incident
        from calozoo_core.io import ShowerWriter
        from calozoo_core.showers import Showers

        n = 20_000
        noise = np.random.default_rng(1).normal(size=n)
        batch = Showers([0, n], noise, noise, np.zeros(n, np.uint8), noise**2,
                        Incident(1, (0, 0, 1)), "x25", "ild_siecal_regular")
        folder, failures = Path(sys.argv[1]), 0
        for limit in [*range(0, 6000, 311), *range(6000, 900_000, 50_021)]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                with ShowerWriter(folder / "s.h5", generator="toy", seed=1) as writer:
                    for _ in range(5):
                        writer.append(batch)
            except ShowerFileError as error:
                assert "s.h5 cannot be written (file too large)" in str(error), error
                failures += 1
            else:
                (folder / "s.h5").unlink()
            assert not list(folder.iterdir()), limit
        print(failures, limit)
        """,
        tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert int(result.stdout.split()[0]) > 20


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere/s.h5", "no such file or directory"),
        ("file/s.h5", "not a directory"),
        ("", "is a folder"),
        ("n" * 300 + ".h5", "file name too long"),
        ("a\0b.h5", "null"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path, place, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(ShowerFileError, match=words):
        write_showers(tmp_path / place, made_up(), generator="toy")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ShowerFileError, match="permission denied"):
        write_showers(tmp_path / "s.h5", made_up(), generator="toy")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")
def test_two_writers_do_not_write_one_file(tmp_path):
    path = tmp_path / "s.h5"
    with ShowerWriter(path, generator="toy", seed=1) as writer:
        writer.append(made_up())
        with pytest.raises(ShowerFileError, match="another process is writing"):
            ShowerWriter(path, generator="toy", seed=1)
    assert same_showers(read_showers(path), made_up())


def test_what_a_killed_process_left_is_written_over(tmp_path):
    (tmp_path / "s.h5.part").write_bytes(b"x" * 10_000_000)
    write_showers(tmp_path / "s.h5", made_up(), generator="toy", seed=3)
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.h5"]
    write_showers(tmp_path / "t.h5", made_up(), generator="toy", seed=3)
    assert sha256(tmp_path / "s.h5") == sha256(tmp_path / "t.h5")
