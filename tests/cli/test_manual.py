"""Every command explains itself: what it does, by example, each option, and never too wide."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from calozoo.cli import cli
from calozoo.cli.manual import every_command, manual

COMMANDS = {context.command_path: context.command for context in every_command()}
GROUPS = {name for name, command in COMMANDS.items() if isinstance(command, click.Group)}
NO_REPORT = GROUPS | {"calozoo completion"}
"""Those whose output is no report, so that there is nothing to give in JSON."""
PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def shown(name: str, flag: str = "--help", width: int = 100) -> str:
    words, environ = [*name.split()[1:], flag], {"COLUMNS": str(width)}
    done = CliRunner().invoke(cli, words, prog_name="calozoo", env=environ)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_helps_by_its_short_option_as_well(name):
    assert shown(name, "-h") == shown(name)
    assert shown(name).startswith(f"Usage: {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_sentence_what_it_does_and_shows_how(name):
    paragraphs = shown(name).split("\n\n")

    assert paragraphs[1].rstrip().endswith("."), paragraphs[1]
    (examples,) = [text for text in paragraphs if text.startswith("  Examples:\n")]
    assert name in examples


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [80, 100, 200])
def test_help_is_never_wider_than_100_columns(name, width):
    assert max(map(len, shown(name, width=width).splitlines())) <= 100


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_what_a_group_lists_is_not_cut_off(name):
    _, listed = shown(name, width=80).split("\nCommands:\n")

    assert "..." not in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_says_what_it_takes(name):
    for option in COMMANDS[name].params:
        if not isinstance(option, click.Option):
            continue
        assert option.help, f"{name} {option.opts}"
        kinds = (click.Choice, click.Tuple)
        if not option.is_flag and not isinstance(option.type, kinds):
            assert option.metavar, f"{name} {option.opts} does not say what it takes"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NO_REPORT))
def test_every_report_is_there_in_json(name):
    options = [word for option in COMMANDS[name].params for word in option.opts]

    assert "--json" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_commands_that_there_are_with_options_that_they_have(name):
    for line in re.findall(r"^ {4}(calozoo .*)$", shown(name, width=200), flags=re.MULTILINE):
        words = re.split(r" {2,}| > ", line.strip())[0].split()
        found = next((n for n in (" ".join(words[:3]), " ".join(words[:2])) if n in COMMANDS), None)
        assert found, line
        options = {word for option in COMMANDS[found].params for word in option.opts}
        used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert used <= options, line


def test_the_page_of_commands_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == manual(), (
        "type `python -m calozoo.cli.manual > docs/commands.md`"
    )


def test_the_page_does_not_depend_on_the_terminal():
    done = subprocess.run(
        [sys.executable, "-m", "calozoo.cli.manual"],
        env=os.environ | {"COLUMNS": "40", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == manual()
