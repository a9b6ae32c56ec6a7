"""Closed, full and broken standard streams: the work is done, and what cannot be said is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calozoo_core.io import read_showers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the shell of Linux and macOS")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")

GENERATE = "generate --model toy --energy 10 --out a.h5"
PRINTING = ["list", f"{GENERATE} --json"]
MORE_PRINTING = [
    "list --json",
    "info toy",
    "search toy",
    "plugins",
    "card toy",
    "compare",
    "compare --json",
    "cache list --json",
    "completion bash",
    "doctor --offline --json",
    "--help",
    "--version",
    "generate --help",
]


def calozoo(folder, line):
    command = f"{sys.executable} -m calozoo {line}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_file_is_written_whatever_stream_is_closed(tmp_path, redirection):
    result = calozoo(tmp_path, f"{GENERATE} {redirection}")
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert len(read_showers(tmp_path / "a.h5")) == 1


@needs_full
def test_messages_that_nobody_can_take_cost_nothing_else(tmp_path):
    assert calozoo(tmp_path, f"{GENERATE} 2>/dev/full").returncode == 0
    assert calozoo(tmp_path, "info nothing 2>/dev/full").returncode == 2
    assert calozoo(tmp_path, "info nothing 2>&-").returncode == 2


@needs_full
@pytest.mark.parametrize(
    "line", [*PRINTING, *(pytest.param(line, marks=pytest.mark.slow) for line in MORE_PRINTING)]
)
def test_a_full_stdout_ends_in_one_sentence(tmp_path, line):
    result = calozoo(tmp_path, f"{line} > /dev/full")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "calozoo: standard output: no space left on device."
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


def test_a_closed_stdout_ends_in_one_sentence(tmp_path):
    result = calozoo(tmp_path, "--version >&-")
    assert (result.returncode, result.stderr) == (1, "calozoo: standard output: it is closed.\n")


def test_a_reader_that_leaves_is_no_error_to_talk_about(tmp_path):
    result = calozoo(tmp_path, "list | head -n 0; echo ${PIPESTATUS[0]}")
    assert result.stderr == ""
    assert result.stdout in ("0\n", "1\n")


def test_characters_that_the_terminal_does_not_know_are_replaced():
    code = "from calozoo.cli.standard_streams import guard_streams as g; g(); print('50 µm, θ')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (result.stdout, result.stderr) == ("50 ?m, ?\n", "")
