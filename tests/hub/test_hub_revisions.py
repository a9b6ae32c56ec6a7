"""Tags and branches: what they are on the Hub now, and what they were when it was last asked."""

from __future__ import annotations

import pytest
from zoo_models import NOBODY, REPO, index_entry, read, weights

from calozoo_core.errors import HubError, WeightsError


def test_a_tag_is_resolved_on_the_hub_and_checked_with_the_hubs_own_hashes(hub, zoo):
    files = weights(seed=1)
    commit = hub.publish(REPO, files, tag="v1.0")
    hub.publish(REPO, weights(seed=2))

    pulled = zoo.pull(index_entry(None, files), hub.url, revision="v1.0")

    assert read(pulled) == files
    assert pulled.folder == zoo.snapshot(commit)


def test_a_corrupt_file_of_a_tag_is_refused(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    hub.sends["config.json"] = b'{"seed": 9}'

    with pytest.raises(WeightsError, match=r"config.json of .* does not have the sha256"):
        zoo.pull(index_entry(None, files), hub.url, revision="v1.0")


def test_a_tag_that_was_pulled_is_found_offline(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    entry = index_entry(None, files)
    zoo.pull(entry, hub.url, revision="v1.0")
    hub.requests.clear()

    assert read(zoo.pull(entry, hub.url, revision="v1.0", offline=True)) == files
    assert hub.requests == []


def test_a_tag_is_taken_as_it_was_last_seen_while_the_hub_is_away_and_that_is_said(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    entry = index_entry(None, files)
    zoo.pull(entry, hub.url, revision="v1.0")

    pulled = zoo.pull(entry, NOBODY, revision="v1.0")

    assert read(pulled) == files
    assert pulled.note.endswith("Using v1.0 as it was last seen.")


def test_a_tag_moves_on_when_the_hub_moves_it(hub, zoo):
    old, new = weights(seed=1), weights(seed=2)
    entry = index_entry(None, old)
    hub.publish(REPO, old, tag="latest")
    zoo.pull(entry, hub.url, revision="latest")
    hub.publish(REPO, new, tag="latest")

    assert read(zoo.pull(entry, hub.url, revision="latest")) == new


def test_a_missing_repository_is_said_to_be_missing(hub, zoo):
    files = weights()

    with pytest.raises(HubError, match=f"^the Hub has no repository {REPO}; if it is a private"):
        zoo.pull(index_entry("a" * 40, files), hub.url)


@pytest.mark.parametrize("revision", ["v9", "a" * 40])
def test_a_missing_revision_is_said_to_be_missing(hub, zoo, revision):
    files = weights()
    hub.publish(REPO, files)

    with pytest.raises(HubError, match=f"^the Hub has no revision {revision} of {REPO}; leave out"):
        zoo.pull(index_entry(None, files), hub.url, revision=revision)


def test_a_revision_that_is_a_path_reads_no_other_file(zoo):
    (zoo.folder / "secret").write_text("a" * 40)

    with pytest.raises(HubError, match="is not in the cache"):
        zoo.pull(index_entry(None, weights()), revision="../../../secret", offline=True)


def test_a_revision_of_a_model_without_repository_is_refused(zoo):
    zoo.bundled = weights()

    with pytest.raises(HubError, match=r"cc.ild has no repository on the Hub; leave out '@v1'"):
        zoo.pull(None, revision="v1")
