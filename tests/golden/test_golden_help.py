"""The help of every command is the text that is stored; `golden_data` says how to rewrite it."""

from __future__ import annotations

import pytest
from golden_data import GOLDEN, IS_WRITING, Group, check_text, cli, output


def commands(group=cli, words=()):
    """The words of every command, groups included."""
    yield words
    if isinstance(group, Group):
        for name in group.list_commands(None):
            yield from commands(group.get_command(None, name), (*words, name))


COMMANDS = {"-".join(("calozoo", *words)): words for words in commands()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_is_the_text_that_is_stored(name):
    check_text(f"help/{name}.txt", output(*COMMANDS[name], "--help"))


def test_every_stored_help_is_that_of_a_command():
    others = {path for path in (GOLDEN / "help").glob("*.txt") if path.stem not in COMMANDS}
    if IS_WRITING:
        for path in others:
            path.unlink()
    else:
        assert not others
