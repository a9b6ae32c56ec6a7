"""The card beside published weights: an author's own, one of measurements, or a plain one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from zoo_models import OWN_CARD, TRAINED, TRAINED_REPO

from calozoo.cards.card import own_cards
from calozoo.publishing.publish import prepare
from calozoo_core.errors import CalozooError
from calozoo_core.weights import WEIGHT_FILES, sha256

MODEL, REPO = TRAINED, TRAINED_REPO


def refused(folder: Path, sentence: str, **options) -> None:
    with pytest.raises(CalozooError, match=sentence), prepare(folder, REPO, **options):
        pass


def card_of(folder: Path) -> str:
    with prepare(folder, REPO) as publication:
        return publication.files["README.md"].read_text()


def test_a_card_that_is_made_says_what_is_known_and_that_nothing_was_measured(publication):
    card = publication.files["README.md"].read_text()

    assert card.startswith("---\nlibrary_name: calozoo\nlicense: apache-2.0\n")
    assert f"\ncalozoo:\n  model: {MODEL}\n  plugin: calozoo-caloclouds3\n---\n" in card
    assert "has not been measured" in card
    assert "Papers to cite: <https://arxiv.org/abs/2511.01460>" in card


def measured(folder: Path, **changes) -> None:
    """Write measurements of the weights in a folder into it."""
    measurements = json.loads((own_cards() / MODEL / "measurements.json").read_text())
    hashes = {name: sha256(folder / name) for name in WEIGHT_FILES}
    text = json.dumps(measurements | {"weights_sha256": hashes} | changes)
    (folder / "measurements.json").write_text(text)


def test_a_card_is_made_of_measurements_where_there_are_some(run1):
    measured(run1)

    with prepare(run1, REPO) as publication:
        card = publication.files["README.md"].read_text()
        assert "measurements.json" in publication.files

    assert "\n## How good\n" in card
    assert f"  model: {MODEL}\n" in card
    assert "![" not in card, "a picture that is not there"


@pytest.mark.parametrize(
    "changes", [{"weights_bytes": 5}, {"weights_sha256": {"config.json": "0" * 64}}]
)
def test_measurements_of_other_weights_are_refused(run1, changes):
    measured(run1, **changes)

    refused(run1, "was measured of other weights than those beside it")


def test_measurements_of_another_model_are_refused(run1):
    measured(run1)

    refused(run1, f"was measured of {MODEL}, not of {MODEL}-cells", model=f"{MODEL}-cells")


def test_an_own_card_is_kept_and_says_its_model(run1):
    (run1 / "README.md").write_text(OWN_CARD)

    card = card_of(run1)

    label = f"calozoo:\n  model: {MODEL}\n  plugin: calozoo-caloclouds3\n"
    assert card == OWN_CARD.replace("mit\n", f"mit\n{label}")
    (run1 / "README.md").write_text(card)
    assert card_of(run1) == card


def test_the_card_says_of_which_tag_the_weights_are(run1):
    label = "mit\ncalozoo:\n  model: caloclouds3.ild-photon-cells\n"
    (run1 / "README.md").write_text(OWN_CARD.replace("mit\n", label))

    with prepare(run1, REPO) as publication:
        assert publication.entry().name == "caloclouds3.ild-photon-cells"
    refused(run1, "is the card of caloclouds3.ild-photon-cells, not of", model=MODEL)


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ("# Ours\n", "README.md names no licence"),
        (OWN_CARD.replace("license: mit\n", ""), "README.md names no licence"),
        (OWN_CARD.replace("https://arxiv.org/", "our paper "), "README.md names nothing to cite"),
        (OWN_CARD.replace("mit", "mit\ncalozoo: yes"), "has a calozoo entry without a model"),
        (OWN_CARD.replace("mit", "mit # \udcff"), "the front matter of .*README.md is not YAML"),
        (OWN_CARD + "x" * (1 << 20), "README.md is longer than 1048576 bytes"),
        (OWN_CARD.replace("mit", "[mit"), "the front matter of .*README.md is not YAML"),
        (OWN_CARD.replace("license: mit", "- mit"), "the front matter of .*README.md is not YAML"),
    ],
)
def test_a_card_without_licence_or_citation_is_refused(run1, card, sentence):
    (run1 / "README.md").write_bytes(card.encode("utf-8", "surrogateescape"))

    refused(run1, sentence)
