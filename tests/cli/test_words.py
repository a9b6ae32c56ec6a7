"""What click would take without a word: an option given twice, and a value that is empty."""

from __future__ import annotations

import click
import pytest

from calozoo.cli import asked_command, cli, main, message_with_options
from calozoo_core.errors import InputError


def commands(group: click.Group = cli, words: tuple[str, ...] = ()):
    """Every command with the words that name it, those in groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def options_of_one_value():
    for words, command in commands():
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag and not option.multiple:
                yield words, option.opts[-1]


def sentence(arguments: list[str], capsys) -> str:
    """What the command line says of a request that it refuses."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("calozoo: ")
    assert err.count("\n") == 1
    return err.removeprefix("calozoo: ").removesuffix("\n")


def test_an_option_of_one_value_is_given_once(capsys):
    """In every command, whichever values it takes."""
    tried = 0
    for words, option in options_of_one_value():
        said = sentence([*words, option, "1", option, "2"], capsys)
        assert said == f"{option} is given twice; give it once."
        tried += 1
    assert tried > 100


def test_no_option_is_empty(capsys):
    for words, option in options_of_one_value():
        said = sentence([*words, option, ""], capsys)
        assert said == f"{option} is empty; give it a value, or leave it out."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", ""], "FILE is empty; give it a value, or leave it out."),
        (["cache", "rm", "toy", ""], "An argument is empty; give it a value, or leave it out."),
        (["generate", "-n1", "-n", "2"], "-n is given twice; give it once."),
        (["generate", "--seed=1", "--seed", "1"], "--seed is given twice; give it once."),
        (["refine", "--move", "--no-move"], "--move is given twice; give it once."),
        (["generate", "--option", ""], "--option is empty; give it a value, or leave it out."),
    ],
)
def test_what_is_refused_is_named(arguments, said, capsys):
    assert sentence(arguments, capsys) == said


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "toy", "--json", "--json"],
        ["compare", "caloclouds3", "caloinn"],
        ["generate", "--energy", "1", "--energy", "2", "--help"],
    ],
)
def test_what_loses_nothing_is_taken(arguments, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("option", ["--energy", "--dir"])
@pytest.mark.parametrize("text", ["@", "@ "])
def test_a_file_without_a_name_is_said_to_be_missing(option, text, tmp_path, capsys):
    words = ["generate", "--model", "toy", "--out", str(tmp_path / "s.h5"), option, text]
    others = [] if option == "--energy" else ["--energy", "10"]
    said = sentence([*words, *others], capsys)
    assert said.startswith("The name of a file is missing after @; write @FILE")


def test_a_folder_is_no_exported_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in (".", "..", "/"):
        with pytest.raises(SystemExit) as ended:
            main(["verify", name])
        assert ended.value.code == 1
        assert capsys.readouterr().err.startswith("calozoo: There is no file ")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["refine", "toy"], "--steps 4"),  # of a chain
        (["generate", "--model", "toy"], "-o steps=4"),  # of the model
        (["nonsense"], "-o steps=4"),
    ],
)
def test_an_error_names_the_option_that_the_command_has(arguments, option):
    error = InputError("Give steps=4.", argument="steps=4")
    assert message_with_options(error, asked_command(arguments)) == f"Give {option}."
