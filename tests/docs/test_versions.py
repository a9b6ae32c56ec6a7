"""The website of several versions is made of the tags of a repository."""

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "site" / "versions.py"
MAKEFILE = """docs:
\tmkdir -p $(SITE)
\tcp page.txt $(SITE)/index.html
\techo "$(DOCS_VERSION) not found" > $(SITE)/404.html
"""


@pytest.fixture
def versions():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def repository(tmp_path) -> Path:
    """Four tags, each with a page of its own, and a page that no release has."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*words: str) -> None:
        named = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        command = ["git", *named, "-C", str(folder), *words]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "--quiet")
    (folder / "Makefile").write_text(MAKEFILE)
    for tag in ("calozoo-v0.2.0", "calozoo-v0.9.1", "calozoo-v0.10.0", "calozoo-toy-v3.0.0", None):
        (folder / "page.txt").write_text(f"page of {tag}")
        git("add", ".")
        git("commit", "--quiet", "-m", "page")
        if tag is not None:
            git("tag", tag)
    return folder


def test_releases_are_those_of_calozoo_the_newest_first(versions, repository):
    tags = versions["release_tags"](repository)
    assert tags == ["calozoo-v0.10.0", "calozoo-v0.9.1", "calozoo-v0.2.0"]


def test_the_newest_releases_and_what_is_checked_out_are_built_from_their_own_files(
    versions, repository, tmp_path
):
    out = tmp_path / "public"
    out.mkdir()
    (out / "old.html").write_text("of an earlier build")
    versions["main"](["--repository", str(repository), "--out", str(out), "--releases", "2"])
    listed = json.loads((out / "versions.json").read_text())
    assert [one["version"] for one in listed] == ["0.10.0", "0.9.1", "dev"]
    assert [one["aliases"] for one in listed] == [["latest"], [], []]
    assert (out / "0.10.0" / "index.html").read_text() == "page of calozoo-v0.10.0"
    assert (out / "dev" / "index.html").read_text() == "page of None"
    assert "0.10.0/index.html" in (out / "index.html").read_text()
    assert (out / "404.html").read_text() == "0.10.0 not found\n"
    assert not (out / "old.html").exists()


def test_without_a_release_the_front_page_leads_to_what_is_checked_out(versions, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for name in ("index.html", "404.html"):
        (site / name).write_text(name)
    versions["collect"]({"dev": site}, tmp_path / "public")
    assert "dev/index.html" in (tmp_path / "public" / "index.html").read_text()
    (one,) = json.loads((tmp_path / "public" / "versions.json").read_text())
    assert one["aliases"] == ["latest"]
