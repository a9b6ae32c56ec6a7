"""What is not published, and what is said then: by calozoo before, or by the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_server import READER, WRITER
from zoo_models import NOBODY, OWN_CARD, TRAINED_REPO

from calozoo.publishing.publish import open_repository, prepare, publish
from calozoo_core.errors import CalozooError, HubError, InputError, ModelNameError, WeightsError

REPO = TRAINED_REPO


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "publishing needs a token of the Hub; type `hf auth login`, or set HF_TOKEN."),
        ("hf_nobody", "the Hub does not accept this token; type `hf auth login`, or set HF_TOKEN"),
    ],
)
def test_without_a_token_that_the_hub_knows_it_is_said_how_to_log_in(hub, log_in, token, sentence):
    log_in(token)

    with pytest.raises(HubError) as raised:
        open_repository(REPO, hub.url)

    assert str(raised.value).startswith(sentence)


def test_a_token_that_may_not_write_there_is_refused(hub, log_in, publication):
    log_in(READER)

    with pytest.raises(HubError, match=f"^this token may not write to {REPO}; type `hf auth"):
        publish(publication, open_repository(REPO, hub.url))

    assert REPO not in hub.repos


def test_a_token_that_may_not_write_to_what_is_there_is_refused(hub, log_in, publication):
    log_in(READER)
    hub.publish(REPO, {})

    with pytest.raises(HubError, match=f"^this token may not write to {REPO}"):
        publish(publication, open_repository(REPO, hub.url))


def test_a_hub_that_is_away_or_forbidden_is_said(log_in, monkeypatch):
    log_in(WRITER)

    with pytest.raises(HubError, match=f"^{REPO} cannot be published to {NOBODY} .*refused"):
        open_repository(REPO, NOBODY)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match=r"^HF_HUB_OFFLINE forbids to publish anything; unset it"):
        open_repository(REPO, NOBODY)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (409, "somebody else has changed my-lab/photons meanwhile; publish again"),
        (412, "somebody else has changed my-lab/photons meanwhile; publish again"),
        (500, "the Hub answered 500 for my-lab/photons; try again later"),
    ],
)
def test_a_commit_that_the_hub_does_not_take_is_said(hub, target, publication, status, sentence):
    hub.refusals[f"/api/models/{REPO}/commit/main"] = status

    with pytest.raises(HubError, match=f"^{sentence}"):
        publish(publication, target, tag="v1.0")

    assert hub.repos[REPO].tags == {}


def test_a_card_that_the_hub_does_not_take_is_said(hub, target, run1):
    (run1 / "README.md").write_text(OWN_CARD.replace("mit", "my-own"))

    with (
        prepare(run1, REPO) as publication,
        pytest.raises(
            HubError, match=r'refuses the front matter of README\.md .*"license" must be'
        ),
    ):
        publish(publication, target)


def test_a_commit_with_another_byte_in_a_file_does_not_hold_these_files(hub, target, publication):
    sent = {name: path.read_bytes() for name, path in publication.files.items()}
    same = hub.publish(REPO, sent)
    others = [
        hub.publish(REPO, sent | {name: sent[name][:-1] + bytes([sent[name][-1] ^ 1])})
        for name in ("README.md", "model.safetensors")
    ]

    assert target.holds(same, publication.files)
    assert not any(target.holds(other, publication.files) for other in others)


# What is not fit to be published.


def refused(folder: Path, kind: type[CalozooError], sentence: str, **options) -> None:
    with pytest.raises(kind, match=sentence), prepare(folder, REPO, **options):
        pass


def test_a_folder_without_weights_is_refused(tmp_path):
    refused(tmp_path, WeightsError, "has no config.json; name a folder that `calozoo train`")


@pytest.mark.parametrize("repo", ["photons", "a/b/c", "my lab/x", "../x", "hub:a/b", "a/b@v1"])
def test_what_is_no_repository_is_refused(run1, repo):
    with (
        pytest.raises(InputError, match="is no repository of the Hub; write it"),
        prepare(run1, repo),
    ):
        pass


def test_a_model_that_needs_no_weights_has_nothing_to_publish(run1):
    refused(run1, InputError, "toy.ild-photon needs no weights", model="toy")


def test_a_model_that_is_not_installed_is_refused(run1):
    refused(run1, ModelNameError, "no model named 'caloclods3'", model="caloclods3")


def test_weights_of_another_architecture_are_refused(run1):
    refused(run1, WeightsError, "is not this model's configuration", model="caloinn")


def test_weights_that_are_not_numbers_are_refused(run1):
    from safetensors.torch import load_file, save_file

    tensors = load_file(run1 / "model.safetensors")
    next(t for t in tensors.values() if t.is_floating_point()).fill_(float("nan"))
    save_file(tensors, run1 / "model.safetensors", metadata={"format": "pt"})

    refused(run1, WeightsError, "holds a value in .* that is not a finite number")
