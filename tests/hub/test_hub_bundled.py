"""Which weights are taken: the plugin's own, those of the cache, or those of the Hub."""

from __future__ import annotations

import pytest
from zoo_models import NOBODY, REPO, index_entry, read, weights

from calozoo_core.errors import HubError, WeightsError


def test_bundled_weights_are_the_default_while_nothing_is_published(hub, zoo):
    zoo.bundled = weights()

    pulled = zoo.pull(index_entry(None, zoo.bundled, version="1.0"), hub.url)

    assert read(pulled) == zoo.bundled
    assert (pulled.source, pulled.note) == ("bundled with zoo-cc 1.0", "")
    assert hub.requests == []


def test_bundled_weights_serve_where_the_hub_pins_the_same(hub, zoo):
    zoo.bundled = weights()
    entry = index_entry(hub.publish(REPO, zoo.bundled), zoo.bundled, version="1.0")

    assert zoo.pull(entry, hub.url).source == "bundled with zoo-cc 1.0"
    assert hub.requests == []


def test_what_the_hub_pins_wins_over_an_older_plugins_weights(hub, zoo):
    zoo.bundled, newer = weights(seed=1), weights(seed=2)
    entry = index_entry(hub.publish(REPO, newer), newer, version="1.1")

    assert read(zoo.pull(entry, hub.url)) == newer


def test_a_newer_plugins_weights_win_over_what_the_index_pins(hub, zoo):
    zoo.bundled, older = weights(seed=2), weights(seed=1)
    zoo.version = "1.10"

    pulled = zoo.pull(index_entry(hub.publish(REPO, older), older, version="1.9"), hub.url)

    assert read(pulled) == zoo.bundled
    assert hub.requests == []


@pytest.mark.parametrize("trouble", ["nobody listens", "no repository", "503", "offline"])
def test_bundled_weights_serve_where_the_newer_cannot_be_had_and_that_is_said(hub, zoo, trouble):
    zoo.bundled, newer = weights(seed=1), weights(seed=2)
    entry = index_entry("a" * 40, newer, version="1.1")
    hub.is_down = trouble == "503"

    pulled = zoo.pull(
        entry, NOBODY if trouble == "nobody listens" else hub.url, offline=trouble == "offline"
    )

    assert read(pulled) == zoo.bundled
    assert pulled.source == "bundled with zoo-cc 1.0"
    assert pulled.note.endswith("Using the weights bundled with zoo-cc 1.0 instead.")


def test_an_unreachable_hub_is_named_where_there_is_nothing_else(zoo):
    with pytest.raises(HubError, match=f"cannot be fetched from {NOBODY} .*refused"):
        zoo.pull(index_entry("a" * 40, weights()))


def test_a_damaged_wheel_is_refused(zoo):
    entry = index_entry(None, weights(seed=1), version="1.0")
    zoo.bundled = weights(seed=2)

    with pytest.raises(WeightsError, match="pip install --force-reinstall --no-deps zoo-cc"):
        zoo.pull(entry)


def test_a_plugin_that_no_index_knows_uses_its_own_weights(zoo):
    zoo.bundled = weights()

    assert read(zoo.pull(None)) == zoo.bundled


def test_half_a_copy_in_the_wheel_is_none(zoo):
    zoo.bundled = {"config.json": b"{}"}

    with pytest.raises(HubError, match=r"cc.ild has no weights: zoo-cc 1.0 holds none"):
        zoo.pull(None)


def test_offline_without_a_copy_says_what_to_do(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)

    with pytest.raises(HubError, match="not in the cache"):
        zoo.pull(entry, hub.url, offline=True)

    assert hub.requests == []


def test_offline_by_environment_is_offline(hub, zoo, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    files = weights()

    with pytest.raises(HubError, match="not in the cache"):
        zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)

    assert hub.requests == []
