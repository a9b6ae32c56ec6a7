"""`calozoo pull` in a process of its own: what it prints, copies, refuses and shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hub_server import Hub
from zoo_models import PLUGIN, REPO, index_entry, weights

from calozoo.models.index import IndexEntry
from conftest import clean_environment


@pytest.fixture
def environ(site, tmp_path) -> dict[str, str]:
    """A plugin without weights of its own, and a place for its index entry."""
    site.install("zoo-cc", "1.0", "zoo_plugin", PLUGIN)
    (tmp_path / "index").mkdir()
    return {"PYTHONPATH": str(site.folder), "CALOZOO_INDEX": str(tmp_path / "index")}


def write_entry(environ: dict[str, str], entry: IndexEntry) -> None:
    Path(environ["CALOZOO_INDEX"], "cc.toml").write_text(entry.as_toml())


def test_the_command_pulls_and_says_where_from(hub, calozoo, environ):
    files = weights()
    commit = hub.publish(REPO, files)
    write_entry(environ, index_entry(commit, files))

    first = calozoo("pull", "cc", HF_ENDPOINT=hub.url, **environ)
    second = calozoo("pull", "cc.ild", "--offline", "--json", HF_ENDPOINT=hub.url, **environ)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"cc.ild  from the Hub ({REPO}@{commit[:12]})\n")
    report = json.loads(second.stdout)
    assert report["source"] == f"in the Hugging Face cache ({REPO}@{commit[:12]})"
    assert {f["name"]: f["size"] for f in report["files"]} == {
        name: len(content) for name, content in files.items()
    }
    assert Path(report["folder"], "config.json").read_bytes() == files["config.json"]


def test_the_command_copies_to_a_folder(hub, calozoo, environ, tmp_path):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))

    done = calozoo("pull", "cc", "--dir", "weights", HF_ENDPOINT=hub.url, **environ)

    assert done.returncode == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "weights").iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cc@v9"], f"the Hub has no revision v9 of {REPO}; leave out @v9."),
        (["cc", "--offline"], "cc.ild of the Hub is not in the cache, and this is offline."),
        (["cc@"], "'cc@' names no revision; write 'cc' or 'cc@REVISION'."),
        (["ccc"], "no model named 'ccc'. Did you mean 'cc'? `calozoo list` shows all models."),
    ],
)
def test_the_command_fails_with_one_sentence(hub, calozoo, environ, arguments, sentence):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))

    failed = calozoo("pull", *arguments, HF_ENDPOINT=hub.url, **environ)

    assert failed.returncode in (1, 2)
    assert (failed.stdout, failed.stderr) == ("", f"calozoo: {sentence}\n")


def test_the_command_refuses_a_corrupt_file_with_one_sentence(hub, calozoo, environ):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))
    hub.sends["model.safetensors"] = bytes(5000)

    failed = calozoo("pull", "cc", HF_ENDPOINT=hub.url, **environ)

    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert "does not have the sha256 it should have" in failed.stderr


def test_a_terminal_shows_a_bar(hub, environ, tmp_path):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))

    subprocess.run(
        [sys.executable, "-m", "calozoo", "pull", "cc"],
        env={**clean_environment(tmp_path), **environ, "HF_ENDPOINT": hub.url},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )

    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert "Download" in shown
    assert shown.endswith("\r")


def test_a_hub_is_empty_when_it_starts():
    with Hub() as hub:
        assert hub.requests == []
