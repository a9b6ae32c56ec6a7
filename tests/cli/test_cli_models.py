"""What `list`, `info`, `plugins` and the bare command show, and how they fail."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from calozoo.cli import COMMANDS, cli
from calozoo.cli.output import aligned
from calozoo.models.index import read_index
from calozoo_core.generator import ModelSpec

ONLY_TOY = {"CALOZOO_LOAD_PLUGINS": "calozoo-toy"}


def test_list_is_a_table_of_installed_and_known_models(calozoo):
    done = calozoo("list", **ONLY_TOY)

    heading, *rows = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert heading.split() == ["NAME", "POINTS", "DETECTOR", "ENERGY", "ANGLE", "WHERE", "SUMMARY"]
    absent = sorted(read_index().keys() - {"toy.ild-photon"})
    assert [row.split()[0] for row in rows] == ["toy.ild-photon", *absent]
    where = heading.index("WHERE")
    assert rows[0][where:].startswith("calozoo-toy ")
    where_absent = {row.split()[0]: row[where:] for row in rows[1:]}
    caloclouds3 = where_absent["caloclouds3.ild-photon"]
    assert caloclouds3.startswith("pip install calozoo-caloclouds3 ")
    assert "1-127 GeV" in rows[0]
    assert "0-60 deg" in rows[0]


def test_list_takes_a_pattern_and_leaves_out_what_is_not_installed(calozoo):
    assert "caloclouds3" not in calozoo("list", "--installed", **ONLY_TOY).stdout
    assert "toy" not in calozoo("list", "calo*", **ONLY_TOY).stdout


def test_list_as_json_holds_the_specs_and_what_is_known_of_the_others(calozoo):
    toy, *others = json.loads(calozoo("list", "--json", **ONLY_TOY).stdout)

    assert (toy.pop("installed"), toy.pop("distribution")) == (True, "calozoo-toy")
    toy.pop("version")
    assert ModelSpec.model_validate(toy).name == "toy.ild-photon"
    assert [other["name"] for other in others] == sorted(read_index().keys() - {"toy.ild-photon"})
    assert not any(other["installed"] for other in others)


def test_a_pattern_without_a_match_is_said(calozoo):
    done = calozoo("list", "nothing*")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "calozoo: no model matches 'nothing*'; `calozoo list` shows all.\n"


def test_an_empty_zoo_says_what_to_install(calozoo):
    done = calozoo("list", "--installed", CALOZOO_LOAD_PLUGINS="")

    assert done.stderr == "calozoo: there is no installed model; type `pip install calozoo-toy`.\n"


def test_info_shows_everything_of_the_spec(calozoo):
    spec = json.loads(calozoo("list", "toy", "--json", **ONLY_TOY).stdout)[0]
    done = calozoo("info", "toy", **ONLY_TOY)

    assert done.returncode == 0
    shown = [spec[key] for key in ("name", "summary", "detector", "factory", "license")]
    assert all(text in done.stdout for text in [*shown, *spec["papers"]])
    assert "needs no weights" in done.stdout


def test_info_names_the_source_of_a_model_that_is_fed(calozoo):
    fed = calozoo("info", "optimum", CALOZOO_LOAD_PLUGINS="calozoo-optimum").stdout

    assert any(
        line.split() == ["fed", "by", "geant4.ild-siecal-regular"] for line in fed.splitlines()
    )
    assert "fed by" not in calozoo("info", "toy", **ONLY_TOY).stdout


def test_info_as_json_says_where_the_weights_are(calozoo):
    report = json.loads(calozoo("info", "toy", "--json", **ONLY_TOY).stdout)

    assert report["weights_found"]["source"] == "needs no weights"
    assert report["conditions"]["energy_gev"] == [1.0, 127.0]


def test_info_of_weights_that_are_nowhere_asks_nothing_of_the_network(calozoo):
    done = calozoo("info", "caloclouds3@v9", CALOZOO_LOAD_PLUGINS="calozoo-caloclouds3")

    assert (done.returncode, done.stderr) == (0, "")
    assert "not here: calozoo/caloclouds3.ild-photon-clumps@v9 is not in the cache" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["info", "calocluds3"], 2, "no model named 'calocluds3'. Did you mean 'caloclouds3'? "),
        (["info"], 2, "Missing argument 'MODEL'."),
        (["lsit"], 2, "No such command 'lsit'."),
        (["list", "--colour"], 2, "No such option"),
    ],
)
def test_a_wrong_command_ends_in_one_sentence(calozoo, arguments, code, sentence):
    done = calozoo(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"calozoo: {sentence}")
    assert len(done.stderr.splitlines()) == 1


def test_the_bare_command_helps(calozoo):
    bare, asked = calozoo(), calozoo("--help")

    assert bare.returncode == asked.returncode == 0
    assert bare.stdout == asked.stdout
    assert all(f"  {name} " in asked.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_helps(name):
    done = CliRunner().invoke(cli, [name, "--help"])

    assert done.exit_code == 0
    assert done.output.startswith("Usage: ")


def test_a_reader_that_goes_away_is_no_error(calozoo, tmp_path):
    import subprocess
    import sys

    command = f"{sys.executable} -m calozoo list --json"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
    )

    assert done.returncode in (0, 1)
    assert done.stderr == ""


def test_columns_align():
    assert aligned([("a", "bb", ""), ("ccc", "d", "e")]) == "a    bb\nccc  d   e"
