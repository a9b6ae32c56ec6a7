"""The files of a commit come into the cache whole, checked and once, over HTTP on loopback."""

from __future__ import annotations

import pytest
from zoo_models import REPO, index_entry, read, weights

from calozoo_core.errors import HubError, OutputExistsError, WeightsError

CHUNK = 10 << 20
"""huggingface_hub hands on what it received in pieces of this size, and resumes after the last."""


def test_a_pinned_commit_is_fetched_whole_and_checked(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files | {"pytorch_model.bin": b"pickle", "extra/a.txt": b"no"})

    pulled = zoo.pull(index_entry(commit, files), hub.url)

    assert read(pulled) == {n: files[n] for n in ("config.json", "model.safetensors", "README.md")}
    assert pulled.source == f"from the Hub ({REPO}@{commit[:12]})"
    assert pulled.folder == zoo.snapshot(commit)
    assert pulled.size == sum(map(len, files.values()))
    assert not hub.fetched("pytorch_model.bin")
    assert not hub.fetched("a.txt")


def test_pulling_again_asks_nothing_of_the_hub(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    first = zoo.pull(entry, hub.url)
    hub.requests.clear()

    again = zoo.pull(entry, hub.url)

    assert hub.requests == []
    assert again.files == first.files
    assert again.source == f"in the Hugging Face cache ({REPO}@{entry.revision[:12]})"


def test_a_cut_connection_is_resumed_where_it_broke(hub, zoo):
    files = weights(CHUNK + 300_000)
    entry = index_entry(hub.publish(REPO, files), files)
    hub.cuts["model.safetensors"] = [CHUNK + 100_000]

    pulled = zoo.pull(entry, hub.url)

    assert read(pulled)["model.safetensors"] == files["model.safetensors"]
    whole, rest = hub.fetched("model.safetensors")
    assert whole.range == ""
    assert rest.range == f"bytes={CHUNK}-"


def test_files_that_came_whole_before_the_hub_went_down_are_not_fetched_again(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    hub.sends["model.safetensors"] = files["model.safetensors"][:100]
    with pytest.raises(HubError):
        zoo.pull(entry, hub.url)
    hub.sends.clear()
    hub.requests.clear()

    pulled = zoo.pull(entry, hub.url)

    assert read(pulled)["model.safetensors"] == files["model.safetensors"]
    assert not hub.fetched("config.json")
    assert len(hub.fetched("model.safetensors")) == 1


def test_a_truncated_file_is_refused_and_not_kept(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files)
    hub.sends["model.safetensors"] = files["model.safetensors"][:-1]

    with pytest.raises(HubError, match=r"cannot be fetched from .*should be of size 5000"):
        zoo.pull(index_entry(commit, files), hub.url)

    assert not (zoo.snapshot(commit) / "model.safetensors").exists()
    assert not list(zoo.repo_folder.glob("blobs/*.incomplete"))


def test_a_corrupt_file_is_refused_and_the_next_pull_gets_it_right(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files)
    hub.sends["model.safetensors"] = bytes(5000)
    message = f"^model.safetensors of {REPO}@{commit[:12]} does not have the sha256 it should have"

    with pytest.raises(WeightsError, match=message):
        zoo.pull(index_entry(commit, files), hub.url)
    hub.sends.clear()

    assert read(zoo.pull(index_entry(commit, files), hub.url)) == files


def test_a_hub_that_agrees_with_itself_but_not_with_the_index_is_refused(hub, zoo):
    commit = hub.publish(REPO, weights(seed=1))

    with pytest.raises(WeightsError, match=r"config.json of .* does not have the sha256"):
        zoo.pull(index_entry(commit, weights(seed=2)), hub.url)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md"])
def test_a_file_that_rotted_in_the_cache_is_removed_and_fetched_again(hub, zoo, name):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    pulled = zoo.pull(entry, hub.url)
    blob = (pulled.folder / name).resolve()
    blob.write_bytes(b"X" + blob.read_bytes()[1:])

    with pytest.raises(WeightsError, match="removed from the cache; pull the model again"):
        zoo.pull(entry, hub.url)

    assert not blob.exists()
    restored = zoo.pull(entry, hub.url)
    assert {n: c for n, c in read(restored).items() if n != "README.md"} == {
        n: c for n, c in files.items() if n != "README.md"
    }


def test_the_pinned_commit_spelled_out_is_the_pinned_one(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    hub.sends["model.safetensors"] = bytes(5000)

    with pytest.raises(WeightsError):
        zoo.pull(entry, hub.url, revision=entry.revision)


def test_a_cache_that_cannot_be_written_is_named(hub, zoo):
    files = weights()
    zoo.cache.write_text("a file where the folder should be")

    with pytest.raises(HubError, match=r"cache cannot be written \(.*\); set HF_HOME"):
        zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)


def test_copies_are_checked_and_whole(hub, zoo, tmp_path):
    files = weights()
    pulled = zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)

    copied = pulled.copy_to(tmp_path / "out" / "here")
    again = pulled.copy_to(tmp_path / "out" / "here")

    assert read(copied) == read(again) == files
    assert sorted(p.name for p in copied.folder.iterdir()) == sorted(files)
    assert not any(path.is_symlink() for path in copied.folder.iterdir())


def test_a_copy_does_not_replace_another_file(hub, zoo, tmp_path):
    files = weights()
    pulled = zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)
    (tmp_path / "config.json").write_text("mine")

    with pytest.raises(OutputExistsError, match="is another file; choose another --dir"):
        pulled.copy_to(tmp_path)

    assert (tmp_path / "config.json").read_text() == "mine"
    assert not (tmp_path / "model.safetensors").exists()
