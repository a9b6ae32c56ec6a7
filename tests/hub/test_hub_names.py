"""A repository of the Hub is a model's name too: `hub:ORG/NAME[@REVISION]`."""

from __future__ import annotations

import json

import pytest
from zoo_models import PLUGIN, weights

from calozoo import api
from calozoo.models import discovery
from calozoo.models.hub_models import CardLabel, labelled, read_label
from calozoo_core.errors import HubError, InputError, ModelNameError, WeightsError

REPO = "my-lab/photons"
CARD = b"---\nlicense: mit\ncalozoo:\n  model: cc.other\n  plugin: zoo-cc\n---\n# A card\n"


@pytest.fixture
def cache(site, tmp_path, monkeypatch):
    """An empty cache, beside a plugin that brings cc.ild and cc.other."""
    other = PLUGIN.rstrip() + '\n        register(SPEC.model_copy(update={"name": "cc.other"}))\n'
    site.install("zoo-cc", "1.0", "zoo_plugin", other)
    discovery.forget()
    yield tmp_path / "cache"
    discovery.forget()


def files(config: dict[str, object], card: bytes | None = None) -> dict[str, bytes]:
    made = weights() | {"config.json": json.dumps(config).encode()}
    del made["README.md"]
    return made | ({"README.md": card} if card else {})


def pull(hub, cache, name=f"hub:{REPO}", **options):
    return api.pull(name, endpoint=hub.url, cache_dir=cache, **options)


def test_a_repository_is_pulled_for_the_model_that_its_card_names(hub, cache):
    content = files({"architecture": "cc"}, CARD)
    commit = hub.publish(REPO, content, tag="v1.0")

    pulled = pull(hub, cache, f"hub:{REPO}@v1.0")

    assert pulled.model == "cc.other"
    assert pulled.source == f"from the Hub ({REPO}@{commit[:12]})"
    assert {f.name: (pulled.folder / f.name).read_bytes() for f in pulled.files} == content
    assert (pulled.commit, pulled.note) == (commit, "")


def test_without_a_card_it_is_for_the_first_model_of_its_architecture(hub, cache):
    hub.publish(REPO, files({"architecture": "cc", "anything": [1]}))

    assert pull(hub, cache).model == "cc.ild"


def test_without_a_revision_the_commit_of_the_main_branch_is_said(hub, cache):
    commit = hub.publish(REPO, files({"architecture": "cc"}))

    pulled = pull(hub, cache)

    pinned = f"hub:{REPO}@{commit}"
    assert pulled.note == f"main of {REPO} is {commit}; write {pinned} to have it again."
    assert pull(hub, cache, pinned).note == ""


def test_what_was_pulled_is_found_offline_by_every_name_it_was_seen_under(hub, cache):
    commit = hub.publish(REPO, files({"architecture": "cc"}), tag="v1.0")
    names = [f"hub:{REPO}@{commit}", f"hub:{REPO}@v1.0", f"hub:{REPO}"]
    for name in names:
        pull(hub, cache, name)
    hub.requests.clear()

    assert {pull(hub, cache, name, offline=True).commit for name in names} == {commit}
    assert hub.requests == []


def test_offline_a_repository_that_was_never_pulled_is_not_there(hub, cache):
    hub.publish(REPO, files({"architecture": "cc"}))

    with pytest.raises(HubError, match=f"^{REPO}@main is not in the cache; pull hub:{REPO}@main"):
        pull(hub, cache, offline=True)


@pytest.mark.parametrize(
    ("card", "config", "sentence"),
    [
        (
            CARD.replace(b"cc.other", b"zoo.x").replace(b"zoo-cc", b"zoo-x"),
            {},
            (
                f"{REPO} holds weights of zoo.x, which is not installed; if you trust its authors, "
                "type `pip install zoo-x`, as its card says."
            ),
        ),
        (
            CARD.replace(b"cc.other", b"cc.lost").replace(b"  plugin: zoo-cc\n", b""),
            {},
            f"{REPO} holds weights of cc.lost: no model named 'cc.lost'. Did you mean ",
        ),
        (
            None,
            {"architecture": "nothing-like-it"},
            f"{REPO} holds weights of nothing-like-it: no model named 'nothing-like-it'.",
        ),
    ],
)
def test_weights_of_a_model_that_is_not_installed_say_what_is_missing(
    hub, cache, card, config, sentence
):
    hub.publish(REPO, files(config, card))

    with pytest.raises(ModelNameError) as raised:
        pull(hub, cache)

    assert str(raised.value).startswith(sentence)


def test_a_model_of_the_index_is_installed_as_the_index_says(hub, cache, monkeypatch):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "")
    discovery.forget()
    hub.publish(REPO, files({}, CARD.replace(b"cc.other", b"caloinn.ild-photon")))

    with pytest.raises(ModelNameError, match="type `pip install calozoo-caloinn`"):
        pull(hub, cache)


@pytest.mark.parametrize("config", [{}, {"architecture": None}])
def test_weights_that_do_not_say_what_they_are_for_are_refused(hub, cache, config):
    hub.publish(REPO, files(config))

    with pytest.raises(WeightsError, match=f"^{REPO} does not say which model its weights are of"):
        pull(hub, cache)


@pytest.mark.parametrize("name", ["hub:", "hub:photons", "hub:a/b@", "hub:a/b/c", "hub:../b@v1"])
def test_a_name_that_is_no_repository_is_refused(cache, name):
    with pytest.raises(InputError, match=r"is no repository of the Hub; write hub:ORG/NAME or"):
        api.pull(name)


def test_a_repository_and_a_folder_are_not_both_weights(cache, tmp_path):
    with pytest.raises(InputError, match=f"not both: leave out 'hub:{REPO}'"):
        api.load(f"hub:{REPO}", weights=tmp_path)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("---\r\ncalozoo:\r\n  model: a.b\r\n---\r\n", CardLabel("a.b")),
        ('---\ncalozoo:\n    plugin: "zoo-a"\n    model: "a.b"\n---', CardLabel("a.b", "zoo-a")),
        ("---\ncalozoo:\n  model: a.b\n  plugin: --index-url=x\n---\n", CardLabel("a.b")),
        ("\ufeff\n---\ncalozoo:\n  model: a.b\n---\n", CardLabel("a.b")),
        ("---\nlicense: mit\n---\ncalozoo:\n  model: a.b\n", None),
        ("---\ncalozoo:\n  model: hub:x/y\n---\n", None),
        ("---\ncalozoo:\n  model: a.b\n", None),
        ("# A card\n", None),
        ("---\nx: " + "y" * 70_000 + "\ncalozoo:\n  model: a.b\n---\n", None),
        ("---\n" + "calozoo:\n" * 7_000 + "---\n", None),
    ],
)
def test_a_label_is_read_at_the_beginning_of_a_card_and_nowhere_else(tmp_path, text, label):
    card = tmp_path / "README.md"
    card.write_bytes(text.encode())

    assert read_label(card) == label


@pytest.mark.parametrize("text", ["# A card\n", "---\nlicense: mit\n---\n# A card\n", "---\n---\n"])
def test_a_label_that_was_put_on_a_card_is_read_from_it(tmp_path, text):
    label = CardLabel("toy.ild-photon", "calozoo-toy")
    card = tmp_path / "README.md"

    card.write_text(labelled(text, label))

    assert read_label(card) == label
