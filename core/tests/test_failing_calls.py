"""System calls that fail: the message names the file, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_up import made_up

from calozoo_core.io import write_showers

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)

READ = "import sys; from calozoo_core.io import read_showers; read_showers('good.h5')"
WRITE = (
    "from calozoo_core.io import read_showers, write_showers; "
    "write_showers('out.h5', read_showers('good.h5'), generator='by hand')"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("calls") / "calls.so"
    source = Path(__file__).with_name("failing_calls.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.mark.parametrize(
    ("code", "call", "number", "words"),
    [
        (READ, "flock", errno.ENOLCK, None),
        (READ, "mmap", errno.ENODEV, None),
        (READ, "pread", errno.EIO, "good.h5 cannot be read (input/output error)"),
        (WRITE, "flock", errno.EOPNOTSUPP, None),
        (WRITE, "write", errno.EDQUOT, "out.h5 cannot be written (disk quota exceeded)"),
        (WRITE, "fsync", errno.EIO, "out.h5 cannot be written (input/output error)"),
    ],
)
def test_a_failed_call_is_named_with_its_file(tmp_path, library, code, call, number, words):
    write_showers(tmp_path / "good.h5", made_up(2), generator="by hand")
    failing = {"FAIL_CALL": call, "FAIL_ERRNO": str(number), "LD_PRELOAD": str(library)}
    failing["FAIL_NAME"] = "good.h5" if code is READ else "out.h5"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | failing,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == (1 if words else 0), result.stderr
    assert (words or "") in result.stderr
    is_written = code is WRITE and words is None
    there = sorted(path.name for path in tmp_path.iterdir())
    assert there == (["good.h5", "out.h5"] if is_written else ["good.h5"])
