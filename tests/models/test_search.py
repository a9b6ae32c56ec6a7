"""Models are found by what is said of them, and every line says what to type next."""

from __future__ import annotations

import json

import pytest

from calozoo.hub import Hub as Client
from calozoo.hub import HubUnreachableError
from calozoo.models.search import search, search_hub

CARD = b"---\nlicense: mit\nlibrary_name: calozoo\n---\n# A card\n"


def names(text: str) -> list[str]:
    return [match.name for match in search(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("caloclouds3", "caloclouds3.ild-photon"),
        ("gan3d", "3dgan.ild-photon"),
        ("TOY", "toy.ild-photon"),
        ("par04_siw", "geant4.par04-siw"),
        ("electron", "geant4.ild-siecal"),
        ("gamma steps", "geant4.ild-siecal-regular"),
        ("apache ild_siecal_regular x25", "toy.ild-photon"),
        ("2511.01460", "caloclouds3.ild-photon"),
        ("calozoo-optimum", "optimum.x9"),
    ],
)
def test_a_model_is_found_by_anything_that_is_said_of_it(text, name):
    assert name in names(text)


def test_all_words_must_be_said():
    assert "toy.ild-photon" in names("toy photon")
    assert names("toy caloclouds3") == []
    assert names("no such words at all") == []


def test_models_whose_names_have_the_words_come_first():
    found = names("photon")

    in_name = ["photon" in name for name in found]
    assert in_name == sorted(in_name, reverse=True)
    assert set(in_name) == {True, False}


def test_every_line_says_what_to_type_next(typed):
    code, shown, told = typed("search", "photon", CALOZOO_LOAD_PLUGINS="calozoo-toy")

    rows = {line.split()[0]: line for line in shown.splitlines()}
    assert (code, told) == (0, "")
    assert "installed  calozoo info toy.ild-photon" in rows["toy.ild-photon"]
    assert "index      pip install calozoo-caloclouds3" in rows["caloclouds3.ild-photon"]


def test_json_holds_the_same(typed):
    code, shown, _ = typed("search", "textbook", "toy", "--json")

    (match,) = json.loads(shown)
    assert (code, match["name"], match["where"]) == (0, "toy.ild-photon", "installed")
    assert match["next"] == "calozoo info toy.ild-photon"


def test_finding_nothing_is_said(typed):
    code, shown, told = typed("search", "unheard-of")

    assert (code, shown) == (1, "")
    assert told == (
        "calozoo: no model matches 'unheard-of'; `calozoo list` shows all models, "
        "and --hub asks the Hub.\n"
    )
    assert typed("search", "unheard-of", "--json")[:2] == (0, "[]\n")


def test_the_hub_is_asked_for_what_is_tagged_and_what_the_index_has_is_not_said_twice(
    hub, tmp_path
):
    hub.publish("my-lab/photons", {"README.md": CARD})
    hub.publish("my-lab/pions", {"README.md": CARD})
    hub.publish("other-lab/photons", {"README.md": b"# Not for calozoo\n"})
    hub.publish("calozoo/caloclouds3.ild-photon", {"README.md": CARD})

    found = search_hub("photon", Client(tmp_path, hub.url))

    assert [(match.name, match.where, match.next) for match in found] == [
        ("my-lab/photons", "hub", "calozoo pull hub:my-lab/photons")
    ]


def test_a_hub_that_is_away_is_said_at_once(tmp_path):
    with pytest.raises(HubUnreachableError, match="the list of models cannot be fetched from"):
        search_hub("photon", Client(tmp_path, "http://127.0.0.1:9"))


def test_a_hub_that_is_ill_is_said(hub, tmp_path):
    hub.is_down = True

    with pytest.raises(HubUnreachableError, match="answers 503; try again later"):
        search_hub("photon", Client(tmp_path, hub.url))
