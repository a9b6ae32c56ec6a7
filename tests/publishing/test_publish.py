"""Weights go to the Hub, and come back byte for byte, over real HTTP on loopback."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
from hub_server import READER, WRITER
from zoo_models import TRAINED, TRAINED_REPO

from calozoo import api
from calozoo.cli import main
from calozoo.models import index
from calozoo.publishing.publish import Publication, publish
from calozoo_core.errors import HubError, InputError
from calozoo_core.io import read_showers

MODEL, REPO = TRAINED, TRAINED_REPO


def content(publication: Publication) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in publication.files.items()}


def on_the_hub(hub, commit: str) -> dict[str, bytes]:
    files = hub.repos[REPO].commits[commit].values()
    return {file.path: file.content for file in files if file.path != ".gitattributes"}


def test_what_is_published_comes_back_byte_for_byte(
    hub, target, publication, tmp_path, monkeypatch
):
    commit = publish(publication, target, tag="v1.0")
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "entry.toml").write_text(publication.entry(commit).as_toml())
    monkeypatch.setenv("CALOZOO_INDEX", str(folder))
    index.forget()

    direct = api.pull(f"hub:{REPO}@v1.0", endpoint=hub.url, cache_dir=tmp_path / "one")
    by_name = api.pull(MODEL, endpoint=hub.url, cache_dir=tmp_path / "two")

    sent = content(publication)
    assert on_the_hub(hub, commit) == sent
    for pulled in (direct, by_name):
        assert (pulled.model, pulled.commit) == (MODEL, commit)
        assert {f.name: (pulled.folder / f.name).read_bytes() for f in pulled.files} == {
            name: sent[name] for name in ("config.json", "model.safetensors", "README.md")
        }


def test_the_command_publishes_and_what_it_prints_is_the_entry(hub, calozoo, run1, tmp_path):
    logged_in = {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}

    done = calozoo("publish", "run1", "--repo", REPO, "--tag", "v1.0", **logged_in)

    assert done.returncode == 0, done.stderr
    (tmp_path / "entry.toml").write_text(done.stdout)
    entry = index.read_entry(tmp_path / "entry.toml")
    commit = hub.repos[REPO].tags["v1.0"]
    assert (entry.name, entry.repo, entry.revision) == (MODEL, REPO, commit)
    assert done.stderr.startswith(f"{MODEL}  checked\n  config.json ")
    assert "\n  left out: checkpoints, weights.pt\n" in done.stderr
    assert done.stderr.endswith(f"\n{REPO}  commit {commit}, v1.0\n")
    assert "\r" not in done.stderr, "a bar, where there is no terminal"


def test_what_was_pulled_generates_offline_by_the_name_of_its_repository(
    hub, calozoo, target, publication, tmp_path
):
    commit = publish(publication, target)
    pulled = calozoo("pull", f"hub:{REPO}", HF_ENDPOINT=hub.url)
    shower = ("--energy", "50", "-n", "2", "--seed", "3", "--out", "a.h5")

    done = calozoo("generate", "--model", f"hub:{REPO}", *shower, "--offline")

    assert f"write hub:{REPO}@{commit} to have it again" in pulled.stderr
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"calozoo: main of {REPO} is {commit};")
    folder = publication.files["config.json"].parent
    ours = api.load(MODEL, weights=folder).generate(energy=50, n=2, seed=3)
    assert np.array_equal(read_showers(tmp_path / "a.h5").energy, ours.energy)


# What goes along.


def test_only_weights_card_and_records_are_sent(publication):
    assert sorted(publication.files) == [
        "README.md",
        "config.json",
        "flow.csv",
        "model.safetensors",
        "student.csv",
        "teacher.csv",
        "training.json",
    ]
    assert publication.left_out == ("checkpoints", "weights.pt")


def test_a_dry_run_needs_no_token_and_asks_nothing(run1, log_in, capsys, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", None)

    assert main(["publish", str(run1), "--repo", REPO, "--dry-run", "--json"]) == 0

    said = capsys.readouterr()
    assert said.err.startswith(f"{MODEL}  checked\n  config.json ")
    assert said.err.endswith(f"\nnothing was sent to {REPO}\n")
    report = json.loads(said.out)
    assert (report["model"], report["repo"], report["commit"]) == (MODEL, REPO, None)
    assert "revision" not in report["entry"]
    names = [file["name"] for file in report["files"]]
    assert names[:3] == ["config.json", "model.safetensors", "README.md"]


# Again, and in the way of others.


def test_publishing_the_same_again_changes_nothing(hub, target, publication):
    first = publish(publication, target)
    again = publish(publication, target)
    tagged = publish(publication, target, tag="v1.0")
    hub.requests.clear()

    assert publish(publication, target, tag="v1.0") == first == again == tagged
    assert hub.sent() == []
    assert len(hub.repos[REPO].commits) == 2, "the Hub's own first commit, and ours"


def test_a_tag_on_these_very_files_stays_where_it_is_when_others_came_after(
    hub, target, publication
):
    commit = publish(publication, target, tag="v1.0")
    hub.publish(REPO, content(publication) | {"config.json": b"{}"})

    assert publish(publication, target, tag="v1.0") == commit


def test_a_tag_on_other_files_is_refused_before_anything_is_sent(hub, target, publication):
    other = hub.publish(REPO, content(publication) | {"config.json": b"{}"}, tag="v1.0")
    hub.requests.clear()

    with pytest.raises(HubError, match=rf"has a tag v1.0 already, on other .*{other[:12]}"):
        publish(publication, target, tag="v1.0")

    assert hub.sent() == []


def test_a_tag_is_not_called_like_a_branch(hub, target, publication):
    hub.publish(REPO, {})

    with pytest.raises(
        HubError, match=r"^main is a branch of my-lab/photons; choose another --tag"
    ):
        publish(publication, target, tag="main")


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a/../b", "v1:0"])
def test_what_cannot_be_a_tag_is_refused(hub, target, publication, tag):
    with pytest.raises(InputError, match=r"cannot be a tag; write one like v1\.0"):
        publish(publication, target, tag=tag)

    assert hub.sent() == []


def test_files_that_are_there_already_stay(hub, target, publication):
    hub.publish(REPO, {"LICENSE": b"a licence"})

    commit = publish(publication, target)

    assert on_the_hub(hub, commit) == content(publication) | {"LICENSE": b"a licence"}


def test_a_private_repository_is_seen_with_its_token_only(
    hub, target, publication, log_in, tmp_path
):
    commit = publish(publication, target, private=True)
    options = {"endpoint": hub.url, "cache_dir": tmp_path / "cache"}

    assert api.pull(f"hub:{REPO}", **options).commit == commit
    assert publish(publication, target, private=True) == commit
    log_in(READER)
    with pytest.raises(HubError, match="if it is a private one, set HF_TOKEN"):
        api.pull(f"hub:{REPO}", **options)


def test_a_public_repository_does_not_become_private(hub, target, publication):
    hub.publish(REPO, {})

    with pytest.raises(HubError, match="is there already, and public; leave out --private"):
        publish(publication, target, private=True)
