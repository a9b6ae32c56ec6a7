"""Chunks of a simulation that ended early: what is kept, and who goes on with it."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
from pathlib import Path

import pytest
from events.event_samples import photons_on_the_face

from calozoo.cli import main
from calozoo.cli.output import BatchProgress
from calozoo.events.deposits import Deposits
from calozoo_core.io.events import EventFile, EventWriter, write_events

ARGUMENTS = ["--model", "toy", "--detector", "ild_siecal", "--quiet", "--out", "a.h5"]
TWO_AT_A_TIME = ["events.h5", "--chunk", "2"]
GUN = ["--vertex", "0,1804.7,0", "--dir", "90,90", "--chunk", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a file of seven events."""
    monkeypatch.chdir(tmp_path)
    write_events("events.h5", photons_on_the_face())
    return tmp_path


def simulate(*options):
    assert main(["simulate", *options, *ARGUMENTS]) == 0


def refusal(capfd, *options):
    """The sentences in which a command ends, and its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *options, *ARGUMENTS])
    said = capfd.readouterr().err
    assert said.startswith("calozoo: ")
    assert said.count("\n") == 1
    return said.removeprefix("calozoo: ").strip(), stop.value.code


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def stop_after(n_chunks, monkeypatch, capfd, *options):
    """A run that is stopped when it has finished some chunks."""
    seen = []

    def stop(self, n):
        seen.extend([n] if n else [])
        if len(seen) == n_chunks:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchProgress, "advance", stop)
        said, code = refusal(capfd, *options)
    assert code == 130
    assert "the same command goes on there" in said


@pytest.mark.parametrize(("begun", "finished"), [(["-n", "5"], []), ([], ["-n", "5"])])
def test_a_run_of_more_or_fewer_events_of_the_same_file_makes_the_last_chunk_again(
    monkeypatch, folder, capfd, begun, finished
):
    stop_after(3, monkeypatch, capfd, *TWO_AT_A_TIME, *begun)
    capfd.readouterr()
    simulate(*TWO_AT_A_TIME, *finished, "--json")
    assert json.loads(capfd.readouterr().out)["kept"] == 4
    made = digest("a.h5")
    simulate(*TWO_AT_A_TIME, *finished, "--overwrite")
    assert digest("a.h5") == made
    assert not (folder / "a.h5.parts").exists()


def test_a_gun_of_nearly_the_same_energy_does_not_go_on(monkeypatch, folder, capfd):
    stop_after(1, monkeypatch, capfd, "--gun", "gamma:23.45671,20", *GUN)
    said, code = refusal(capfd, "--gun", "gamma:23.45674,20", *GUN)
    assert "holds parts of another simulation" in said
    assert code == 1
    simulate("--gun", "gamma:23.45671,20", *GUN)
    with EventFile("a.h5") as file:
        assert file.text("events") == "gun gamma:23.45671,20"


@pytest.mark.parametrize("where", [Deposits, EventWriter])
def test_a_full_disk_says_what_is_kept(monkeypatch, folder, capfd, where):
    name = {Deposits: "write", EventWriter: "append"}[where]
    real, calls = getattr(where, name), []

    def full(self, path):
        calls.append(path)
        if where is EventWriter or len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", "a.h5")
        real(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(where, name, full)
        said, code = refusal(capfd, *TWO_AT_A_TIME)
    assert said == (
        "a.h5: no space left on device; finished events are kept in a.h5.parts, and the same "
        "command goes on there."
    )
    assert code == 1
    capfd.readouterr()
    simulate(*TWO_AT_A_TIME, "--json")
    assert json.loads(capfd.readouterr().out)["kept"] == (7 if where is EventWriter else 4)


def test_a_full_disk_before_the_first_chunk_leaves_nothing(monkeypatch, folder, capfd):
    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Deposits, "write", full)
        said, _ = refusal(capfd, *TWO_AT_A_TIME)
    assert said == "a.h5.parts/000000.npz: no space left on device."
    assert [path.name for path in folder.iterdir()] == ["events.h5"]


def _simulate_in_the_middle(inside, free):
    """Process that waits in the middle of a simulation."""

    def wait(self, n):
        inside.set()
        free.wait(60)

    BatchProgress.advance = wait
    simulate(*TWO_AT_A_TIME)


def test_a_second_process_for_the_same_file_is_refused(folder, capfd):
    context = multiprocessing.get_context("fork")
    inside, free = context.Event(), context.Event()
    first = context.Process(target=_simulate_in_the_middle, args=(inside, free))
    first.start()
    try:
        assert inside.wait(60)
        said, code = refusal(capfd, *TWO_AT_A_TIME)
        assert "another process is writing it" in said
        assert code == 1
    finally:
        free.set()
        first.join(60)
    assert first.exitcode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.h5", "events.h5"]
