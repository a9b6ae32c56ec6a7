"""Check of a command line before its command reads it: nothing given twice, nothing empty."""

from __future__ import annotations

from collections import Counter

import click

__all__ = ["check_words"]


def check_words(
    command: click.Command, words: list[str], context: click.Context, name: str | None
) -> None:
    """Refuse what click would take without a word: an option twice, or a value that is empty.

    Of an option that takes one value, click keeps the last. A value is empty where a variable of a
    shell script is not set, and a path that is empty would be the current folder.

    Arguments:
        command: The command; of a group, the command in it is checked too.
        words: What follows its name.
        context: That of the group it belongs to.
        name: Its name, as it was typed.

    Raises:
        click.UsageError: If there is such an option or argument.
    """
    with click.Context(command, context, name, resilient_parsing=True) as own:
        values, rest, order = command.make_parser(own).parse_args(args=list(words))
        if any(parameter.is_eager for parameter in order):
            return  # the help, which is shown whatever else is given
        for parameter, times in Counter(order).items():
            if times > 1 and _takes_one(parameter):
                msg = f"{_written(parameter)} is given twice; give it once."
                raise click.UsageError(msg)
        for parameter in order:
            if _has_empty(values.get(parameter.name)):
                msg = f"{_written(parameter)} is empty; give it a value, or leave it out."
                raise click.UsageError(msg)
        if isinstance(command, click.Group) and rest:
            inner = command.get_command(own, rest[0])
            if inner is not None:
                check_words(inner, rest[1:], own, rest[0])


def _takes_one(parameter: click.Parameter) -> bool:
    """True if the last of several would win; to say a plain flag again changes nothing."""
    if not isinstance(parameter, click.Option) or parameter.multiple or parameter.count:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)


def _has_empty(value: object) -> bool:
    return value == "" if not isinstance(value, (list, tuple)) else "" in value


def _written(parameter: click.Parameter) -> str:
    """An option as it is typed, or the name of an argument as the help has it."""
    if isinstance(parameter, click.Option):
        return parameter.opts[-1]
    return parameter.human_readable_name if parameter.nargs == 1 else "An argument"
