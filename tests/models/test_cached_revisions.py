"""Cached revisions: what is removed and what stays, whoever uses the cache beside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cache_shelf import CACHED_REPO, write_entry
from zoo_models import weights

from calozoo.hub import Hub as Client
from calozoo.hub.cache import CachedRepo
from calozoo.models import cached_revisions
from calozoo.models.cached_revisions import find_named, find_repos, find_revisions
from calozoo_core.errors import CalozooError, HubError, ModelNameError

FOREIGN = "google/weights"
LABELLED = b"---\nlibrary_name: calozoo\ncalozoo:\n  model: cc.ild\n---\n# A card\n"


def remove(name: str) -> int:
    return cached_revisions.remove(find_named(name))


def test_what_two_revisions_share_counts_once_and_stays_for_the_other(shelf):
    first = weights()
    old = shelf.pull(first, tag="v1")
    new = shelf.pull(first | {"config.json": b'{"seed": 9}'}, tag="v2")

    freed = remove(f"{CACHED_REPO}@{old}")

    assert freed == len(first["config.json"])
    assert not shelf.cached.snapshot(old).exists()
    assert shelf.cached.has(new)
    assert not list(shelf.cached.damaged(new, {}))
    assert [one.commit for one in find_revisions(shelf.cached)] == [new]


def test_a_removed_model_leaves_nothing_behind(shelf):
    shelf.pull(weights(), tag="v1")

    remove("cc.ild")

    assert not shelf.cached.folder.exists()
    assert not shelf.everything()
    assert not cached_revisions.find_leftovers(shelf.cache)


@pytest.mark.parametrize("revision", ["v1", "{commit}", "{prefix}"])
def test_a_revision_is_named_by_its_tag_or_the_beginning_of_its_commit(shelf, revision):
    commit = shelf.pull(weights(), tag="v1")
    shelf.pull(weights(seed=2), tag="v2")

    (found,) = find_named(f"cc.ild@{revision.format(commit=commit, prefix=commit[:7])}")

    assert found.commit == commit


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("cc.ild@v9", CalozooError, "nothing of cc.ild@v9 is in the cache; `calozoo cache list`"),
        ("no-such-model", ModelNameError, "no model named 'no-such-model'"),
        (FOREIGN, CalozooError, f"nothing of {FOREIGN} is in the cache"),
        ("../..", CalozooError, "nothing of ../.. is in the cache"),
    ],
)
def test_what_is_not_there_or_not_ours_is_refused(shelf, name, error, sentence):
    shelf.pull(weights(), tag="v1")
    shelf.pull(weights(seed=3), repo=FOREIGN)

    with pytest.raises(error, match="^" + sentence.replace(".", r"\.")):
        find_named(name)


@pytest.mark.parametrize(
    ("files", "is_ours"),
    [
        ({"README.md": LABELLED}, True),
        ({"config.json": b'{"architecture": "cc"}'}, True),
        ({"config.json": b'{"architecture": "vit_base_patch16_224"}'}, False),
        ({"config.json": b"[1]"}, False),
    ],
)
def test_a_repository_of_no_index_is_ours_if_it_says_so(shelf, files, is_ours):
    shelf.pull(weights() | files, repo="my-lab/photons")

    assert [one.repo for one in find_repos(shelf.cache)] == ["my-lab/photons"] * is_ours


def test_other_programs_models_are_left_alone_whatever_state_they_are_in(shelf):
    shelf.pull(weights(seed=3), repo=FOREIGN)
    foreign = CachedRepo(shelf.cache, FOREIGN)
    (foreign.folder / "blobs" / "0123.incomplete").write_bytes(b"half")
    before = shelf.everything()
    shelf.pull(weights(), tag="v1")

    cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))
    remove("cc.ild")

    assert shelf.everything() == before


def test_no_link_is_followed_out_of_the_cache(shelf, tmp_path):
    commit = shelf.pull(weights(), tag="v1")
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "precious").write_text("mine")
    folder = shelf.cached.folder
    (shelf.cached.snapshot(commit) / "link").symlink_to(outside)
    (shelf.cached.snapshot(commit) / "up").symlink_to("../..")
    (folder / "snapshots" / ("a" * 40)).symlink_to(outside)
    (folder / "blobs" / "elsewhere").symlink_to(outside / "precious")
    (folder / ".removed-x").symlink_to(outside)
    shutil.rmtree(folder / "trees", ignore_errors=True)
    (folder / "trees").symlink_to(outside)

    cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))
    remove("cc.ild")

    assert (outside / "precious").read_text() == "mine"
    assert (outside / "inner").is_dir()
    assert not shelf.cached.has(commit)


def test_a_repository_that_is_a_link_is_left_alone(shelf, tmp_path):
    commit = shelf.pull(weights(), tag="v1")
    elsewhere = tmp_path / "elsewhere"
    shelf.cached.folder.rename(elsewhere)
    shelf.cached.folder.symlink_to(elsewhere)

    assert find_repos(shelf.cache) == []
    cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))

    assert (elsewhere / "snapshots" / commit / "model.safetensors").is_file()


def test_a_removal_that_is_killed_leaves_no_half_revision(shelf, monkeypatch):
    commit = shelf.pull(weights(), tag="v1")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove("cc.ild")

    assert not shelf.cached.snapshot(commit).exists()
    assert {one.what for one in cached_revisions.find_leftovers(shelf.cache)} == {
        "half-removed revision"
    }
    cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))
    assert not shelf.everything()


def test_leftovers_are_found_and_pruned_and_what_is_needed_stays(shelf, known):
    files = weights()
    pinned = shelf.pull(files)
    write_entry(known, pinned, files)
    tagged = shelf.pull(weights(seed=2), tag="v2")
    idle = shelf.pull(weights(seed=3))
    half = shelf.pull(weights(seed=4), tag="v4")
    (shelf.cached.snapshot(half) / "model.safetensors").unlink()
    folder = shelf.cached.folder
    (folder / "blobs" / f"{'b' * 64}.1234.incomplete").write_bytes(b"half a file")
    (folder / "blobs" / ("c" * 64)).write_bytes(b"nobody's")
    (folder / "refs" / "v3.part").write_text("dead")
    (folder / ".removed-1").mkdir()
    (folder / ".removed-1" / "config.json").write_text("{}")
    (folder / ".no_exist" / ("d" * 40)).mkdir(parents=True)
    (shelf.cached.locks / f"{'e' * 64}.lock").touch()

    found = cached_revisions.find_leftovers(shelf.cache)
    freed, spared = cached_revisions.prune(found)

    assert sorted({one.what for one in found}) == [
        "broken-off download",
        "file no revision uses",
        "half-pulled revision",
        "half-removed revision",
        "half-written note",
        "lock left behind",
        "note on a removed revision",
        "revision nothing refers to",
    ]
    assert {one.path.name for one in found} >= {idle, half}
    assert (freed > 2 * 5000, spared) == (True, [])
    assert {one.commit for one in find_revisions(shelf.cached)} == {pinned, tagged}
    assert cached_revisions.find_leftovers(shelf.cache) == []
    assert weights(seed=2)["model.safetensors"] in shelf.blobs()


def test_after_a_pull_there_is_nothing_to_prune(shelf):
    shelf.pull(weights(), tag="v1")

    assert cached_revisions.find_leftovers(shelf.cache) == []


def test_what_another_process_pulls_is_neither_removed_nor_pruned(shelf):
    commit = shelf.pull(weights())
    code = f"""
import sys
from pathlib import Path
from calozoo.hub.cache import CachedRepo
with CachedRepo(Path({str(shelf.cache)!r}), {CACHED_REPO!r}).locked():
    print("held", flush=True)
    sys.stdin.read()
"""
    pulling = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with pulling:
        assert pulling.stdout.readline() == b"held\n"
        with pytest.raises(HubError, match="is being pulled or removed; try again when"):
            remove("cc.ild")
        freed, spared = cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))
        pulling.stdin.close()

    assert (freed, spared) == (0, [shelf.cached])
    assert shelf.cached.has(commit)
    assert cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))[0] > 5000


def test_a_blob_that_another_client_of_the_hub_fetches_is_not_deleted(shelf):
    commit = shelf.pull(weights(), tag="v1")
    blob = (shelf.cached.snapshot(commit) / "model.safetensors").resolve()

    with shelf.cached.lock(blob.name) as is_held:
        assert is_held
        remove("cc.ild")

    assert blob.is_file()
    assert [one.path for one in cached_revisions.find_leftovers(shelf.cache)] == [blob]


def test_pulls_and_removals_at_the_same_time_end_in_whole_revisions_or_none(shelf):
    commit = shelf.pull(weights(), tag="v1")
    code = f"""
from pathlib import Path
from calozoo.hub import Hub
from calozoo_core.errors import HubError
for _ in range(8):
    try:
        Hub(Path({str(shelf.cache)!r}), {shelf.hub.url!r}).fetch({CACHED_REPO!r}, {commit!r}, {{}})
    except HubError as error:
        assert "did not arrive whole" in str(error), error
"""
    pulls = subprocess.Popen([sys.executable, "-c", code])
    removed = 0
    while pulls.poll() is None:
        for revision in find_revisions(shelf.cached):
            cached_revisions.remove([revision])
            removed += 1
        cached_revisions.prune(cached_revisions.find_leftovers(shelf.cache))

    assert pulls.returncode == 0
    assert removed
    Client(shelf.cache, shelf.hub.url).fetch(CACHED_REPO, commit, {})
    assert shelf.cached.has(commit)
    assert not list(shelf.cached.damaged(commit, {}))
