"""Commands of the cache: what was pulled can be listed, removed and pruned."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest
from cache_shelf import write_entry
from zoo_models import PLUGIN, weights

from calozoo.models import discovery
from calozoo.models.cached_revisions import find_revisions
from conftest import clean_environment


def test_list_says_what_was_pulled_how_large_it_is_and_when_it_was_used(shelf, known, typed):
    files = weights()
    commit = shelf.pull(files, tag="v1.0")
    write_entry(known, commit, files)

    _, shown, told = typed("cache", "list")
    report = json.loads(typed("cache", "list", "--json")[1])

    heading, row = shown.splitlines()
    assert heading.split() == ["MODEL", "REVISION", "SIZE", "LAST", "USED", "STATE"]
    assert row.split()[:4] == ["cc.ild", f"{commit[:12]},", "v1.0", "5.0"]
    assert row.endswith("  pinned")
    assert told == f"1 revision, 5.0 kB in {shelf.cache}\n"
    assert report["bytes"] == sum(map(len, files.values()))
    (about,) = report["revisions"]
    assert (about["revision"], about["refs"]) == (commit, ["v1.0"])
    assert (about["whole"], about["pinned"]) == (True, True)
    assert about["used"] is not None


def test_an_empty_cache_is_said_and_is_no_error(shelf, typed):
    code, shown, told = typed("cache", "list")

    assert (code, shown) == (0, "")
    assert told.startswith("nothing of calozoo's is in ")
    assert json.loads(typed("cache", "list", "--json")[1])["revisions"] == []


def test_rm_removes_all_revisions_and_says_that_the_plugin_stays(shelf, site, typed):
    site.install("zoo-cc", "1.0", "zoo_plugin", PLUGIN)
    shelf.pull(weights(), tag="v1")
    shelf.pull(weights(seed=2), tag="v2")

    tried = typed("rm", "cc", "--dry-run")
    assert len(find_revisions(shelf.cached)) == 2
    done = typed("rm", "cc")
    again = typed("rm", "cc")

    stays = "the plugin zoo-cc 1.0 stays installed; `pip uninstall zoo-cc` removes it\n"
    assert tried == (0, done[1], f"would free up to 10.0 kB\n{stays}")
    assert done == (0, tried[1], f"10.0 kB freed\n{stays}")
    assert len(done[1].splitlines()) == 2
    assert again[0] == 1
    assert again[2].startswith("calozoo: nothing of cc is in the cache")
    assert not shelf.everything()


def test_rm_takes_no_revision_but_says_which_command_does(typed):
    code, _, told = typed("rm", "toy@v1")

    assert code == 2
    assert "type `calozoo cache rm toy@v1` for this one" in told


def test_cache_rm_reports_in_json(shelf, typed):
    commit = shelf.pull(weights(), tag="v1")

    code, shown, _ = typed("cache", "rm", "cc.ild@v1", "--json")

    report = json.loads(shown)
    assert (code, report["removed"]) == (0, True)
    assert [one["revision"] for one in report["revisions"]] == [commit]
    assert report["freed"] > 5000


def test_prune_without_a_terminal_needs_a_yes(shelf, typed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    shelf.pull(weights())
    before = shelf.everything()

    looked = typed("cache", "prune", "--dry-run")
    refused = typed("cache", "prune")
    assert shelf.everything() == before
    done = typed("cache", "prune", "--yes", "--json")

    assert [looked[0], refused[0], done[0]] == [0, 2, 0]
    assert "revision nothing refers to" in looked[1]
    assert refused[2].startswith("calozoo: Nobody can be asked here; add --yes")
    assert json.loads(done[1])["freed"] > 5000
    assert not shelf.everything()


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_prune_asks_on_a_terminal_and_takes_a_no(shelf, known, tmp_path, answer, code):
    shelf.pull(weights())
    before = shelf.everything()
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "calozoo", "cache", "prune"],
        stdin=terminal,
        env=clean_environment(tmp_path) | {"CALOZOO_INDEX": str(known)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.close(keyboard)
    os.close(terminal)

    assert done.returncode == code
    assert "Remove 1 leftover, 5.0 kB?" in done.stderr
    assert (shelf.everything() == before) == (answer == "n")


@pytest.fixture(autouse=True)
def _fresh_plugins():
    discovery.forget()
    yield
    discovery.forget()
