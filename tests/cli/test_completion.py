"""The shell completes commands, options, models, detectors and what is in the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from calozoo.models.index import read_index
from conftest import clean_environment

HEAVY = ["torch", "h5py", "huggingface_hub", "numpy", "scipy"]


def offered(folder: Path, line: str, **variables: str) -> dict[str, str]:
    """What is offered at the end of a line, by kind, as click answers bash."""
    words = line.split(" ")
    environ = {
        **clean_environment(folder),
        **variables,
        "_CALOZOO_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from calozoo.cli import main; main()"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    found = (row.partition(",") for row in done.stdout.split())
    return {value: kind for kind, _, value in found}


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("calozoo ca", {"cache", "calibrate", "card"}),
        ("calozoo cache ", {"list", "prune", "rm"}),
        ("calozoo generate --pl", {"--place"}),
        ("calozoo generate --device ", {"cpu", "cuda"}),
        ("calozoo info to", {"toy.ild-photon"}),
        ("calozoo rm calocl", {"caloclouds3.ild-photon", "caloclouds3.ild-photon-cells"}),
        ("calozoo generate --model geant4.p", {"geant4.par04-siw"}),
        ("calozoo generate --model toy --place ild", {"ild_siecal", "ild_siecal_regular"}),
        ("calozoo card to", {"toy.ild-photon"}),
        ("calozoo completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_commands_options_and_names_are_offered(line, some, tmp_path):
    plain = {value for value, kind in offered(tmp_path, line).items() if kind == "plain"}

    assert some <= plain
    assert all(value.startswith(line.rpartition(" ")[2]) for value in plain)


def test_models_of_the_index_are_offered_too_and_a_broken_plugin_keeps_quiet(site, tmp_path):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    environ = {"PYTHONPATH": str(site.folder), "CALOZOO_LOAD_PLUGINS": "zoo-bad"}

    assert set(offered(tmp_path, "calozoo info ", **environ)) == set(read_index())


def test_files_are_offered_where_they_may_stand_beside_models(tmp_path):
    kinds = list(offered(tmp_path, "calozoo generate --model optimum --source ").values())

    assert kinds[0] == "file"  # bash forgets what comes before it
    assert set(kinds[1:]) == {"plain"}


def test_an_index_that_cannot_be_read_offers_nothing_and_says_nothing(tmp_path):
    (tmp_path / "bad.toml").write_text("not TOML")

    assert offered(tmp_path, "calozoo info ", CALOZOO_INDEX=str(tmp_path)) == {}


def test_what_is_in_the_cache_is_offered_to_be_removed(tmp_path):
    cache = tmp_path / "huggingface" / "hub" / "models--calozoo--3dgan.ild-photon"
    (cache / "snapshots" / ("a" * 40)).mkdir(parents=True)

    found = offered(tmp_path, "calozoo cache rm ")

    assert set(found) == {"3dgan.ild-photon", f"3dgan.ild-photon@{'a' * 12}"}


def test_completing_imports_nothing_heavy(tmp_path):
    code = f"""
import sys
from calozoo.cli import main
try:
    main()
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    for line in ("calozoo ", "calozoo info ", "calozoo generate --place "):
        environ = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**clean_environment(tmp_path), **environ, "_CALOZOO_COMPLETE": "bash_complete"},
            capture_output=True,
            text=True,
        )
        assert done.stdout
        assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o nosort"), ("zsh", "#compdef calozoo"), ("fish", "complete --no-files")],
)
def test_the_script_of_a_shell_is_printed(shell, mark, typed):
    code, script, told = typed("completion", shell)

    assert (code, told) == (0, "")
    assert mark in script
    assert f"_CALOZOO_COMPLETE={shell}_complete" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_itself_completes(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "calozoo"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m calozoo "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(calozoo completion bash)"
COMP_WORDS=(calozoo info to); COMP_CWORD=2
$(complete -p calozoo | sed 's/.*-F \\([^ ]*\\) .*/\\1/') calozoo
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**clean_environment(tmp_path), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "toy.ild-photon\n"
    assert not re.search("error|not found", done.stderr)
