"""What a message says to type works where it is said.

Every string of the packages that names a command is collected. Each has an entry in `TRIED`: the
test that brings about the message and types what it says. A new message without one fails.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import numpy as np
import pytest

import calozoo
from calozoo.benchmark.fidelity import FileReference
from calozoo.cli import cli
from calozoo_core.errors import InputError
from calozoo_core.io import read_showers, write_showers
from calozoo_core.placement import load_placement
from calozoo_core.showers import Showers

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = (
    "registry/calozoo",
    "core/calozoo_core",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/*/calozoo_*")),
)
COMMAND: Final = re.compile(r"`calozoo ([^`]+)`|^calozoo ([a-z]+(?: [-{\w][^.;]*)?)")
PROGRAM: Final = re.compile(r"calozoo(?![\w.\-/])")
"""What a file has in which a command may be: most have it in names of modules alone."""

HERE: Final = "tests/cli/test_advice.py::test_"
CARD: Final = f"{HERE}the_benchmark_makes_the_card_that_is_missing"
PULLED: Final = "tests/hub/test_pull_command.py::test_the_command_pulls_and_says_where_from"
PRODUCED: Final = f"{HERE}each_line_of_a_plan_and_of_its_status_does_what_it_says"
LISTED: Final = f"{HERE}an_unknown_name_is_followed_by_what_shows_the_known_ones"
TRAINED: Final = (
    "tests/scaffold/test_new_plugin.py::test_a_stranger_trains_it_for_a_minute_and_"
    "another_pulls_it_from_the_hub"
)

TRIED: Final = {
    ("benchmark/measurements.py", "benchmark"): CARD,
    ("cards/speed_fidelity.py", "benchmark"): CARD,
    ("cards/leaderboard.py", "benchmark MODEL --out cards"): CARD,
    ("cards/leaderboard_page/__init__.py", "benchmark MODEL --out cards"): CARD,
    ("cards/leaderboard_page/__init__.py", "benchmark {}"): CARD,
    ("doctor/plugins.py", "benchmark {} --out cards"): CARD,
    ("testing/_model_files.py", "benchmark {} --out cards"): CARD,
    ("cards/card.py", "benchmark {} --out {}"): CARD,
    ("models/cached_revisions.py", "cache list"): LISTED,
    ("doctor/machine.py", "cache prune"): "tests/models/test_cached_revisions.py::"
    "test_leftovers_are_found_and_pruned_and_what_is_needed_stays",
    ("cli/cache.py", "cache rm {}"): "tests/cli/test_cli_cache.py::"
    "test_rm_takes_no_revision_but_says_which_command_does",
    ("doctor/machine.py", "cache rm {}"): "tests/cli/test_cli_cache.py::"
    "test_cache_rm_reports_in_json",
    ("cards/leaderboard.py", "compare --markdown"): "tests/cards/test_card_commands.py",
    ("calozoo_optimum/generator.py", "generate --energy @{} --dir @{}"): f"{HERE}a_library_is_"
    "asked_for_its_own_primaries",
    ("evaluation/plan.py", "generate --energy @{} --dir @{}"): f"{HERE}other_primaries_are_"
    "generated_as_the_message_says",
    ("calozoo/training.py", "generate --model {}"): f"{HERE}a_model_without_training_just_works",
    ("benchmark/fidelity.py", "generate --place {}"): f"{HERE}a_reference_is_made_again_as_it_says",
    ("evaluation/plan.py", "generate --place {}"): f"{HERE}showers_are_placed_as_it_says",
    ("cli/production.py", "generate --plan {}"): "tests/production/test_shards.py::"
    "test_the_command_line_says_which_shard_failed_and_what_to_type",
    ("cli/status.py", "generate --plan {}"): PRODUCED,
    ("production/merge.py", "generate --plan {}"): f"{HERE}missing_shards_are_made_as_it_says",
    ("cli/production.py", "generate --plan {} --jobs 4"): PRODUCED,
    ("cli/production.py", "generate --plan {} --shard 1/{}"): PRODUCED,
    ("benchmark/fidelity.py", "generate --threshold {}"): f"{HERE}a_reference_is_made_again_as_it_"
    "says",
    ("production/plan.py", "generate ... --plan {}"): f"{HERE}a_plan_that_is_not_there_is_written_"
    "as_it_says",
    ("models/search.py", "info {}"): f"{HERE}every_line_of_search_can_be_typed",
    ("cli/models.py", "list"): LISTED,
    ("models/names.py", "list"): LISTED,
    ("cli/status.py", "merge {}"): PRODUCED,
    ("models/names.py", "plugins"): LISTED,
    ("models/hub_models.py", "publish"): "tests/publishing/test_publish.py::"
    "test_the_command_publishes_and_what_it_prints_is_the_entry",
    ("cli/cache.py", "pull MODEL"): PULLED,
    ("cli/benchmark.py", "physics"): "tests/physics/test_taus.py",
    ("models/search.py", "pull hub:{}"): "tests/hub/test_hub_names.py::"
    "test_a_repository_is_pulled_for_the_model_that_its_card_names",
    ("", "pull {}"): PULLED,  # many models say it, all alike
    ("calozoo_refine/generator.py", "refine {} --reference DATA --out FOLDER"): "plugins/refine/"
    "tests/test_refine.py::test_a_refined_model_is_written_with_its_report_and_its_picture",
    ("doctor/plugins.py", "rm {}"): "tests/cli/test_cli_cache.py::"
    "test_rm_removes_all_revisions_and_says_that_the_plugin_stays",
    ("io/_event_reader.py", "simulate"): "tests/events/test_simulate.py",
    ("cli/submit.py", "status {}"): PRODUCED,
    ("cli/production.py", "status {}"): PRODUCED,
    ("cli/production.py", "submit slurm {}"): PRODUCED,
    ("cli/status.py", "submit slurm {}"): PRODUCED,
    ("publishing/publish.py", "train"): TRAINED,
}
"""Test of each message, by the end of its file's path and its command; no path is any path."""

FILLED: Final = {
    "MODEL": "toy",
    "FOLDER": "folder",
    "DATA": "data.h5",
    "...": "--model toy --energy 10 --out s.h5",
    "{}": "1",
}
"""Words in place of those that a reader fills in."""


def collected() -> Iterator[tuple[str, str]]:
    """File and command of each message, with {} for what is filled in; no help, no docstrings."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            # manual.py has the head of a page.
            if path.name == "manual.py" or not PROGRAM.search(source):
                continue
            for text in _messages(ast.parse(source)):
                for match in COMMAND.finditer(text):
                    command = " ".join((match[1] or match[2]).split("  ")[0].split())
                    yield str(path.relative_to(ROOT)), command


def _messages(tree: ast.Module) -> Iterator[str]:
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            left_out.update(id(part) for part in node.values)
        elif isinstance(node, ast.keyword) and node.arg in ("help", "short_help"):
            left_out.update(id(inner) for inner in ast.walk(node.value))
        elif isinstance(node, ast.FunctionDef):
            left_out.update(id(inner) for one in node.decorator_list for inner in ast.walk(one))
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield "".join(str(part) for part in parts)


MESSAGES: Final = sorted(set(collected()))


def test_every_message_that_names_a_command_is_tried():
    found = {
        (place, command)
        for place, command in TRIED
        if any(path.endswith(place) and command == other for path, other in MESSAGES)
    }
    untried = [
        message
        for message in MESSAGES
        if not any(message[0].endswith(place) and message[1] == c for place, c in TRIED)
    ]
    assert not untried
    assert found == set(TRIED), "of messages that are no more"


@pytest.mark.parametrize("name", sorted(set(TRIED.values())))
def test_the_test_of_a_message_is_there(name):
    path, _, function = name.partition("::")
    assert f"def {function or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[1])
def test_a_command_that_a_message_names_can_be_typed(message, tmp_path, monkeypatch):
    """Every word of it is a command or an option, with a value where it needs one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.h5").touch()
    command = message[1]
    for word, value in FILLED.items():
        command = command.replace(word, value)
    assert_typeable(shlex.split(command))


def assert_typeable(words: list[str]) -> None:
    group: click.Command = cli
    # A command keeps the names of its help option from the first context it is given.
    context = click.Context(cli, **cli.context_settings)
    while isinstance(group, click.Group):
        found = group.get_command(context, words.pop(0)) if words else None
        if found is None:  # a command of which the reader chooses a subcommand
            return
        group = found
    # A command may be named without its arguments, or be added to what was typed.
    with suppress(click.MissingParameter):
        group.make_context("calozoo", list(words), parent=context)


def advice(message: str, **filled: str) -> list[list[str]]:
    """Words of each command that a message names in backquotes."""
    commands = re.findall(r"`calozoo ([^`]+)`", message)
    assert commands, message
    for word, value in filled.items():
        commands = [command.replace(word, value) for command in commands]
    return [shlex.split(command) for command in commands]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def done(typed, *words: str) -> str:
    """What a command that works says."""
    code, out, err = typed(*words)
    assert code == 0, err
    return out + err


def refused(typed, *words: str, **variables: str) -> str:
    """What a command that does not work says."""
    code, _, err = typed(*words, **variables)
    assert code in (1, 2)
    return err


TOY: Final = ("generate", "--model", "toy", "-n", "60", "--quiet", "--overwrite")


def test_an_unknown_name_is_followed_by_what_shows_the_known_ones(typed, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    said = [
        refused(typed, "info", "tooy"),
        refused(typed, "list", "nothing*"),
        refused(typed, "search", "nothing-of-the-kind"),
        refused(typed, "rm", "caloclouds3"),
        refused(typed, "info", "caloclouds", CALOZOO_LOAD_PLUGINS="calozoo-toy,calozoo-none"),
    ]
    for message in said:
        for words in advice(message):
            assert done(typed, *words)


def test_every_line_of_search_can_be_typed(typed):
    found = done(typed, "search", "toy")
    assert [done(typed, *line.split()) for line in re.findall(r"calozoo (info \S+)", found)]


def test_showers_are_placed_as_it_says(typed):
    usual = [*TOY, "--energy", "5", "--seed", "1"]
    done(typed, *usual, "--out", "g4.h5", "--place", "ild_siecal")
    done(typed, *usual, "--out", "gen.h5")
    evaluated = ["evaluate", "gen.h5", "--reference", "g4.h5", "--workers", "1", "--quiet"]
    evaluated += ["--place", "ild_siecal"]
    (words,) = advice(refused(typed, *evaluated))
    done(typed, *usual, "--out", "gen.h5", *words[1:])
    done(typed, *evaluated)


def test_other_primaries_are_generated_as_the_message_says(typed):
    done(typed, *TOY, "--energy", "5", "--out", "g4.h5")
    done(typed, *TOY, "--energy", "50", "--out", "gen.h5")
    evaluated = ["evaluate", "gen.h5", "--reference", "g4.h5", "--workers", "1", "--quiet"]
    (words,) = advice(refused(typed, *evaluated))
    done(typed, *TOY, *words[1:], "--out", "gen.h5")
    done(typed, *evaluated)


def test_a_reference_is_made_again_as_it_says(typed):
    placement = load_placement("ild_siecal")
    usual = [*TOY, "--energy", "5", "--out", "g4.h5"]
    done(typed, *usual)
    with pytest.raises(InputError) as missing:
        FileReference(Path("g4.h5"), placement)
    (place,) = advice(str(missing.value))
    done(typed, *usual, *place[1:], "--threshold", "5")
    with pytest.raises(InputError) as high:
        FileReference(Path("g4.h5"), placement)
    (threshold,) = advice(str(high.value))
    done(typed, *usual, *place[1:], *threshold[1:])
    FileReference(Path("g4.h5"), placement)


def test_a_library_is_asked_for_its_own_primaries(typed):
    showers = calozoo.load("toy").generate(energy=[5.0, 7.0, 9.0], seed=1)
    columns = {name: getattr(showers, name) for name in ("offsets", "x", "y", "layer", "energy")}
    steps = Showers(
        **columns,
        time=np.zeros(len(showers.x)),
        incident=showers.incident,
        representation="steps",
        detector=showers.detector,
    )
    write_showers("lib.h5", steps, generator="toy", seed=1)
    usual = ["generate", "--model", "optimum.x9", "--source", "lib.h5", "--out", "s.h5", "--quiet"]
    (words,) = advice(refused(typed, *usual, "--energy", "5", "-n", "3"))
    done(typed, *usual, *words[1:])
    assert np.array_equal(read_showers("s.h5").incident.energy, steps.incident.energy)


def test_a_model_without_training_just_works(typed):
    (words,) = advice(refused(typed, "train", "toy", "--data", ".", "--out", "w"))
    done(typed, *words, "--energy", "5", "--out", "s.h5", "--quiet")


def test_each_line_of_a_plan_and_of_its_status_does_what_it_says(typed):
    usual = ["--energy", "2", "--out", "s.h5", "--plan", "s.plan.json", "--shards", "2"]
    said = done(typed, *TOY[:-2], "--batch-size", "8", *usual)
    jobs, shard, submit = (
        shlex.split(line) for line in re.findall(r"^ +calozoo (.*)$", said, re.MULTILINE)
    )
    done(typed, *submit, "--dry-run")
    done(typed, *shard, "--quiet")
    missing = re.findall(r"^calozoo (.*?)  ", done(typed, "status", "s.plan.json"), re.MULTILINE)
    assert [line.split()[0] for line in missing] == ["generate", "submit"]
    done(typed, "generate", "--plan", "s.plan.json", "--shard", "2/2", "--quiet")
    (merge,) = re.findall(r"^calozoo (.*?)  ", done(typed, "status", "s.plan.json"), re.MULTILINE)
    done(typed, *merge.split(), "--keep-shards")
    Path("s.h5").unlink()
    done(typed, *missing[0].split(), "--quiet")
    assert Path("s.h5").exists()
    Path("s.h5").unlink()
    done(typed, *jobs, "--quiet")
    assert len(read_showers("s.h5")) == 60


def test_missing_shards_are_made_as_it_says(typed):
    usual = ["--energy", "2", "--out", "s.h5", "--plan", "s.plan.json", "--shards", "2"]
    done(typed, *TOY[:-2], "--batch-size", "8", *usual)
    (words,) = advice(refused(typed, "merge", "s.plan.json"))
    done(typed, *words, "--quiet")
    assert Path("s.h5").exists()


def test_a_plan_that_is_not_there_is_written_as_it_says(typed):
    usual = "--model toy --energy 2 --out s.h5"
    (words,) = advice(refused(typed, "status", "s.plan.json"), **{"...": usual})
    done(typed, *words)
    done(typed, "status", "s.plan.json")


def test_the_benchmark_makes_the_card_that_is_missing(typed):
    Path("cards").mkdir()
    said = [
        refused(typed, "compare", "--cards", "cards"),
        refused(typed, "compare", "--cards", "cards", "--html", "board.html"),
    ]
    done(typed, *TOY, "--energy", "5", "--place", "ild_siecal", "--out", "g4.h5")
    for message in said:
        (words,) = advice(message, MODEL="toy")
        done(typed, *words, "--reference", "g4.h5", "--no-speed", "--quiet")
    done(typed, "compare", "--cards", "cards")


ADDED: Final = {
    "generate --model toy --energy 200 --out s.h5": "--extrapolate",
    "generate --model toy --energy 5 --out there.h5": "--overwrite",
    "generate --model toy --energy 5 --out s.h5 --threshold 1": "--place",
    "generate --model toy --energy 5 --out s.h5 --from-ip": "--place",
    "show there.h5 --beside there.h5": "--html",
    "export there.h5 v.h5": "--to",
}
"""What is typed, and the option that the answer says to add."""

LEFT_OUT: Final = {
    "generate --model toy --energy 5 --out s.h5 --workers 2": "--workers",
    "generate --model toy --energy 5 --out s.h5 --device cuda": "--device",
    "generate --model toy --energy 5 --out s.h5 --weights .": "--weights",
    "generate --model toy --energy 5 --out s.h5 --source there.h5": "--source",
    "generate --model toy --energy 5 --out s.h5 --shard 1/1 --jobs 2": "--jobs",
    "card toy --json --path": "--json",
    "compare --json --markdown": "--markdown",
    "export there.h5 t.root --opset 17": "--opset",
    "import s.root --from root --out i.h5 --voxels dataset2": "--voxels",
}
"""What is typed, and the option that the answer says to leave out."""

VALUES: Final = {
    "--place": ["ild_siecal"],
    "--html": ["page.html"],
    "--to": ["ddml"],
}


@pytest.fixture
def there(typed):
    """Showers in a file, and the same in one of ROOT."""
    usual = ["generate", "--model", "toy", "--energy", "5", "-n", "60", "--quiet"]
    done(typed, *usual, "--place", "ild_siecal", "--out", "there.h5")
    done(typed, "export", "there.h5", "s.root", "--quiet")


@pytest.mark.parametrize("words", ADDED)
@pytest.mark.usefixtures("there")
def test_with_the_option_that_the_answer_says_to_add_it_works(typed, words):
    option = ADDED[words]
    assert option in refused(typed, *words.split())
    done(typed, *words.split(), option, *VALUES.get(option, []))


@pytest.mark.parametrize("words", LEFT_OUT)
@pytest.mark.usefixtures("there")
def test_without_the_option_that_the_answer_says_to_leave_out_it_works(typed, words):
    option = LEFT_OUT[words]
    said = refused(typed, *words.split())
    assert option in said
    assert "leave" in said
    again = re.sub(rf" {option}(?: (?!-)\S+)?", "", words)
    done(typed, *again.split())
