"""What a repository may not make calozoo do: fetch other files, or write and read elsewhere."""

from __future__ import annotations

import pytest
from zoo_models import REPO, index_entry, weights

from calozoo_core.errors import HubError


def test_a_repository_without_weights_is_refused_before_anything_is_fetched(hub, zoo):
    hub.publish(REPO, {"pytorch_model.bin": b"pickle", "config.json": b"{}"}, tag="v1.0")

    with pytest.raises(HubError, match=r"has no model.safetensors; it does not hold weights"):
        zoo.pull(index_entry(None, weights()), hub.url, revision="v1.0")

    assert not [r for r in hub.requests if "/resolve/" in r.path]


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil"])
def test_a_listed_path_that_leaves_the_folder_is_refused_before_anything_is_fetched(hub, zoo, path):
    files = weights()
    commit = hub.publish(REPO, files | {path: b"evil"})

    with pytest.raises(HubError, match="a path that leaves its folder; nothing was fetched"):
        zoo.pull(index_entry(commit, files), hub.url)

    assert not [r for r in hub.requests if "/resolve/" in r.path]
    assert not list(zoo.folder.rglob("evil"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md"])
def test_a_snapshot_entry_that_links_out_of_the_cache_is_refused_and_left_alone(hub, zoo, name):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    pulled = zoo.pull(entry, hub.url)
    outside = zoo.folder / "precious"
    outside.write_bytes(b"precious")
    (pulled.folder / name).unlink()
    (pulled.folder / name).symlink_to(outside)

    with pytest.raises(HubError, match=r"leads out of the cache to .*precious; delete it"):
        zoo.pull(entry, hub.url)

    assert outside.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["config.json", "README.md"])
def test_a_text_as_long_as_none_should_be_is_refused_before_anything_is_fetched(hub, zoo, name):
    files = weights() | {name: b" " * ((1 << 20) + 1)}

    with pytest.raises(HubError, match=f"^{name} of {REPO} is larger than 1048576 bytes"):
        zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)

    assert not [r for r in hub.requests if "/resolve/" in r.path]
