"""Reference page of all commands, docs/commands.md: `python -m calozoo.cli.manual` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from calozoo.cli import cli

__all__ = ["every_command", "manual"]

WIDTH = 92
"""Columns of a help text on the page."""

HEAD = """\
# Commands

What `calozoo COMMAND --help` prints. This page is made of it: `python -m calozoo.cli.manual` prints
the page again.

Data go to stdout, messages to stderr; `--json` prints for scripts what is shown otherwise. Progress
bars run on a terminal only. A file is there under its own name only when it is whole.

`calozoo completion` prints what makes your shell complete commands, options, names of models and
detectors; its help says where to put it.
"""


def manual() -> str:
    """Reference page in Markdown: the help of every command."""
    sections = [
        f"## {context.command_path}\n\n```text\n{context.get_help()}\n```"
        for context in every_command()
    ]
    return "\n\n".join([HEAD.rstrip(), *sections]) + "\n"


def every_command() -> Iterator[click.Context]:
    """Context of each command; the commands of a group follow the group."""
    yield from _commands(cli, click.Context(cli, info_name="calozoo", terminal_width=WIDTH))


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    context.help_option_names = ["-h", "--help"]
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, click.Context(inner, parent=context, info_name=name))


if __name__ == "__main__":
    sys.stdout.write(manual())
