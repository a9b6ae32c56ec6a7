"""`calozoo generate` as a person uses it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from calozoo.cli import main
from calozoo_core.io import ShowerFile, read_showers

HEADER = "toy.ild-photon  x25  cpu, 1 thread, float32"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What a command says to torch must not outlive it here.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def generate(*words):
    main(["generate", "--model", "toy", "--energy", "10", "--out", "s.h5", *words])


def without_torch(*words):
    """The command in a process of its own, where no other test has imported torch."""
    command = [sys.executable, "-m", "calozoo", "generate", "--model", "toy", "--energy", "10"]
    return subprocess.run(
        [*command, "--out", "s.h5", *words], capture_output=True, text=True, check=True
    )


def test_it_says_what_runs_and_what_it_wrote_on_stderr():
    done = without_torch("-n", "5")
    header, footer = done.stderr.splitlines()
    assert header == HEADER
    assert re.fullmatch(r"s\.h5  5 showers, [\d.]+( k)? points, [\d.]+ kB", footer)
    assert done.stdout == ""


def test_json_is_one_object_on_stdout(capfd):
    generate("-n", "5", "--seed", "4", "--json")
    report = json.loads(capfd.readouterr().out)
    with ShowerFile("s.h5") as file:
        assert report["points"] == file.n_points
        assert report["seed"] == 4 == int(file.seed)
    assert report["model"] == "toy.ild-photon"
    assert report["showers"] == 5
    assert report["bytes"] == Path("s.h5").stat().st_size
    assert report["showers_per_second"] > 0


def test_quiet_says_nothing(capfd):
    generate("--quiet")
    assert capfd.readouterr() == ("", "")


def test_a_direction_is_straight_in_unless_one_is_given():
    generate()
    assert read_showers("s.h5").incident.direction.tolist() == [[0, 0, 1]]


def test_a_direction_may_begin_with_a_minus_sign():
    generate("--dir", "-1,0,1")
    assert read_showers("s.h5").incident.theta[0] == pytest.approx(45)


def test_options_may_come_in_any_order_and_with_equals_signs():
    main(["generate", "--out=s.h5", "-n3", "--energy=10:20", "--dir=cone:30", "--model=toy"])
    assert len(read_showers("s.h5")) == 3


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    files = []
    for seed in ("1", "1", "2"):
        generate("-n", "5", "--seed", seed, "--overwrite")
        files.append(Path("s.h5").read_bytes())
    assert files[0] == files[1] != files[2]


def test_overwrite_replaces_a_file():
    generate("-n", "2")
    generate("-n", "3", "--overwrite")
    assert len(read_showers("s.h5")) == 3


def test_extrapolate_goes_beyond_the_trained_range():
    main(["generate", "--model", "toy", "--energy", "0.5", "--extrapolate", "--out", "s.h5"])
    assert read_showers("s.h5").incident.energy.tolist() == [0.5]


def test_a_model_without_torch_is_run_without_torch():
    script = (
        "import sys; from calozoo.cli import main;"
        "main(['generate', '--model', 'toy', '--energy', '10', '--out', 's.h5', '--quiet']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_threads_reach_torch_before_and_after_it_is_imported():
    script = (
        "import os; os.environ.pop('OMP_NUM_THREADS', None);"
        "from calozoo.generation.threads import use_threads; use_threads(1);"
        "import torch; assert torch.get_num_threads() == 1;"
        "use_threads(2); assert torch.get_num_threads() == 2"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar_that_ends_full():
    command = [sys.executable, "-m", "calozoo", "generate", "--model", "toy", "--energy", "10"]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*command, "-n", "200", "--out", "s.h5"], stderr=follower, stdout=subprocess.PIPE
    ) as process:
        os.close(follower)
        said = b""
        while block := read(leader):
            said += block
        assert process.stdout.read() == b""
    os.close(leader)
    lines = said.decode().replace("\r\n", "\n").split("\n")
    assert lines[0] == HEADER
    assert re.search(r"100%\|█+\| 200/200 showers \[", lines[1])
    assert lines[2].startswith("s.h5  200 showers")


def read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:  # how Linux says that the other side has gone
        return b""
