"""The `calozoo` command line: a module for each command, imported when it is used."""

from __future__ import annotations

import importlib
import re
import sys
from typing import NoReturn

import click

from calozoo.cli.signals import raised, stop_message
from calozoo.cli.standard_streams import STDOUT, drop_output, guard_streams
from calozoo.cli.words import check_words
from calozoo_core.errors import CalozooError

__all__ = ["asked_command", "cli", "main", "message_with_options"]

COMMANDS = {
    "benchmark": "calozoo.cli.benchmark:benchmark",
    "cache": "calozoo.cli.cache:cache",
    "calibrate": "calozoo.cli.calibrate:calibrate",
    "card": "calozoo.cli.cards:card",
    "compare": "calozoo.cli.cards:compare",
    "completion": "calozoo.cli.completion:completion",
    "convert": "calozoo.cli.train:convert",
    "doctor": "calozoo.cli.doctor:doctor",
    "evaluate": "calozoo.cli.evaluate:evaluate",
    "export": "calozoo.cli.export:export",
    "generate": "calozoo.cli.generate:generate",
    "import": "calozoo.cli.import_showers:import_showers",
    "info": "calozoo.cli.models:info",
    "list": "calozoo.cli.models:list_models",
    "merge": "calozoo.cli.merge:merge",
    "physics": "calozoo.cli.physics:physics",
    "plugin": "calozoo.cli.plugins:plugin",
    "plugins": "calozoo.cli.plugins:plugins",
    "publish": "calozoo.cli.publish:publish",
    "pull": "calozoo.cli.models:pull",
    "refine": "calozoo.cli.refine:refine",
    "rm": "calozoo.cli.cache:rm",
    "search": "calozoo.cli.models:search",
    "show": "calozoo.cli.show:show",
    "simulate": "calozoo.cli.simulate:simulate",
    "status": "calozoo.cli.status:status",
    "submit": "calozoo.cli.submit:submit",
    "train": "calozoo.cli.train:train",
    "verify": "calozoo.cli.verify:verify",
}

OPTIONS = {
    "layout": "--from",
    "n": "-n",
    "direction": "--dir",
    "energy_gev": "--energy",
    "threshold_mev": "--threshold",
    "least_energy_gev": "--least-energy",
    "steps": "-o steps",
    "sampler": "-o sampler",
    "beta": "-o beta",
    "walltime_minutes": "--walltime",
}
"""Options that are not called as the Python argument is, where the command has none of its own."""

PUNCTUATION = "\"'() "


class LazyGroup(click.Group):
    """Group of commands that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = COMMANDS.get(cmd_name)
        if path is None:
            return None
        module, _, attribute = path.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, words = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            check_words(command, words, ctx, name)
        return name, command, words


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="calozoo", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """A zoo of generative calorimeter-shower models.

    \b
    Examples:
      calozoo list                               what there is
      calozoo pull caloclouds3                   get a model's weights
      calozoo generate --model caloclouds3 --energy 50 --dir 0,0 -n 100 --out showers.h5
      calozoo doctor                             what is broken here, and what to type

    Exit codes: 0 if it is done; 1 if a file, the network or the installation is not as it
    should be; 2 if the request itself is wrong; 130 if it was stopped.

    \b
    Environment:
      HF_HOME, HF_HUB_CACHE     where pulled weights are kept
      HF_TOKEN                  opens private repositories, and publishes
      HF_ENDPOINT               another Hub
      HF_HUB_OFFLINE=1          do not use the network
      CALOZOO_INDEX             a folder with further index entries
      CALOZOO_LOAD_PLUGINS      load only these distributions, separated by commas
      CALOZOO_STRICT_PLUGINS=1  raise what a broken plugin raises
      OMP_NUM_THREADS           threads, where --threads says nothing
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; known failures end in one sentence and their exit code."""
    guard_streams()
    try:
        with raised(ends_program=arguments is None):
            status = cli.main(args=arguments, prog_name="calozoo", standalone_mode=False)
            sys.stdout.flush()
    except CalozooError as error:
        _end(message_with_options(error, asked_command(arguments)), error.exit_code)
    except click.NoSuchOption as error:
        guess = f" Did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        _end(f"No such option {error.option_name}.{guess}", error.exit_code)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _end(stop_message(error), 130)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename in (None, STDOUT):
            # Whoever read our output has closed it; there is nobody left to tell.
            drop_output()
            sys.exit(1)
        if error.strerror is None:
            raise
        if error.filename == STDOUT:
            drop_output()
        place = "a file" if error.filename is None else error.filename
        _end(f"{place}: {error.strerror[0].lower()}{error.strerror[1:]}.", 1)
    return status if isinstance(status, int) else 0


def message_with_options(error: CalozooError, command: click.Command | None = None) -> str:
    """The message of an error, with options of the command line for the Python arguments it names.

    Arguments:
        error: The error; `error.arguments` says which of its words are arguments.
        command: The command that was asked for; its own options come first.

    Example:
        >>> from calozoo_core.errors import InputError
        >>> message_with_options(InputError("Add batch_size=64.", argument="batch_size=64"))
        'Add --batch-size 64.'
    """
    message = str(error)
    options = OPTIONS | _own_options(command)
    for argument in error.arguments:
        name, _, value = argument.partition("=")
        option = options.get(name, f"--{name.replace('_', '-')}")
        plain = "".join(c for c in value if c not in PUNCTUATION)
        between = "=" if option.startswith("-o ") else " "
        words = option if plain in ("", "True") else f"{option}{between}{plain}"
        words = words.replace("\\", r"\\")
        message = re.sub(rf"(?<![\w-]){re.escape(argument)}(?!\w)", words, message)
    return message


def asked_command(arguments: list[str] | None) -> click.Command | None:
    """The command that the first words name; None if there is none."""
    command: click.Command | None = cli
    for word in sys.argv[1:] if arguments is None else arguments:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command


def _own_options(command: click.Command | None) -> dict[str, str]:
    """Options of a command by the names of its arguments, as they are typed."""
    parameters = [] if command is None else command.params
    return {str(one.name): one.opts[-1] for one in parameters if isinstance(one, click.Option)}


def _end(sentence: str, code: int) -> NoReturn:
    click.echo(f"calozoo: {sentence}", err=True)
    sys.exit(code)
