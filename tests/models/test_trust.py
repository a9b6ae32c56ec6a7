"""What others made is refused where it is broken or means harm, and nothing else is touched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field
from zoo_models import REPO, index_entry, weights

from calozoo.benchmark.measurements import read_measurements
from calozoo.models.discovery import discover
from calozoo.models.index import read_entry
from calozoo_core.errors import CalozooError, HubError, InputError, WeightsError
from calozoo_core.testing._requests import bundled_folder
from calozoo_core.weights import read_config
from conftest import clean_environment

ROOT = Path(__file__).parents[2]

GOOD = """
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    @hookimpl
    def register_models(register):
        register(ModelSpec(
            name="good.one", summary="A test.", factory="nowhere:Nothing", representation="x9",
            detector="ild_siecal_regular", conditions=Conditions(energy_gev=(1, 10)), license="MIT",
        ))
"""


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hidden: int = Field(ge=1, le=64)


# Plugins that cannot be loaded. Those that hang or end the process are the doctor's.

IMPORTS = {
    "raises": ("raise OSError('no disk')", "OSError: no disk"),
    "raises something odd": ("raise GeneratorExit('odd')", "GeneratorExit: odd"),
    "recurses": ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "wants a terabyte": ("bytes(10**18)", "MemoryError"),
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
    "is no Python": ("def", "SyntaxError: invalid syntax"),
}


@pytest.mark.parametrize("what", IMPORTS)
def test_a_plugin_that_raises_is_refused_and_the_others_work(site, what):
    source, reason = IMPORTS[what]
    site.install("zoo-bad", "1.2", "a_bad", source)
    site.install("zoo-good", "0.3", "b_good", GOOD)

    found = discover(site.entry_points(), {})

    assert list(found.models) == ["good.one"]
    (failure,) = found.failures
    assert failure.distribution == "zoo-bad"
    assert failure.reason.startswith(reason)
    assert "\n" not in str(failure)


def test_the_command_line_names_a_plugin_that_raises_in_one_line(site, calozoo):
    site.install("zoo-bad", "1.2", "a_bad", "print('{}')\nraise SystemExit(0)")

    listed = calozoo("list", "--json", PYTHONPATH=str(site.folder))

    assert listed.returncode == 0
    assert "toy.ild-photon" in {model["name"] for model in json.loads(listed.stdout)}
    assert listed.stderr == "{}\ncalozoo: plugin zoo-bad 1.2 is not used: SystemExit: 0\n"


def test_what_a_plugin_prints_goes_to_stderr(site, capsys):
    site.install("zoo-good", "1", "b_good", "print('hello')\n" + textwrap.dedent(GOOD))

    assert list(discover(site.entry_points(), {}).models) == ["good.one"]

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


OBSERVES = """
import os, signal
seen = (os._exit, os.fstat(1), signal.getitimer(signal.ITIMER_REAL))
seen += tuple(signal.getsignal(one) for one in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM))
"""


def test_loading_plugins_leaves_the_signals_and_files_of_the_process_alone(site):
    """A notebook may use all of them."""
    site.install("zoo-good", "1", "b_good", OBSERVES + textwrap.dedent(GOOD))
    outside: dict[str, object] = {}
    exec(OBSERVES, outside)

    discover(site.entry_points(), {})

    assert sys.modules["b_good"].seen == outside["seen"]


@pytest.mark.parametrize("source", ["raise SystemExit(0)", "print('{}')\nraise OSError('x')"])
def test_a_model_whose_code_cannot_be_imported_is_refused_in_one_sentence(site, calozoo, source):
    site.install("zoo-bad", "1", "zoo_bad", GOOD.replace("nowhere:Nothing", "its_code:Model"))
    (site.folder / "its_code.py").write_text(source)

    made = calozoo(
        *("generate", "--model", "good", "--energy", "5", "--out", "s.h5"),
        PYTHONPATH=str(site.folder),
    )

    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr.splitlines()[-1].startswith("calozoo: good.one cannot be loaded, since")
    assert "Traceback" not in made.stderr


# The index is data.

ENTRY = """
name = "evil.one"
summary = "A test."
distribution = "zoo-evil"
"""
LONG = '"' + "x" * 70_000 + '"'

INDEX = {
    "a field too many": ENTRY + 'factory = "os:system"',
    "a distribution with a command": ENTRY.replace("zoo-evil", "zoo; touch trace"),
    "a distribution with an option": ENTRY.replace("zoo-evil", "--index-url=http://127.0.0.1"),
    "a distribution from a file": ENTRY.replace("zoo-evil", "./zoo"),
    "a name that is a path": ENTRY.replace("evil.one", "../evil.one"),
    "a repository that is a path": ENTRY + 'repo = "../../evil"',
    "a revision that is a path": ENTRY + 'repo = "a/b"\nrevision = "../../main"',
    "a file that is a path": ENTRY + f'[sha256]\n"../evil" = "{"a" * 64}"',
    "a summary that speaks to the terminal": ENTRY.replace("A test.", "\\u001b]0;evil\\u0007"),
    "a summary of two lines": ENTRY.replace("A test.", "A test.\\ncalozoo: all is well"),
    "a key that speaks to the terminal": ENTRY + '"\\u001b[2J" = 1',
    "a text without an end": ENTRY + f"version = {LONG}",
    "nesting without an end": ENTRY + "version = " + "[" * 20_000,
    "dots without an end": ENTRY + "a." * 20_000 + "b = 1",
    "no TOML": "import os; os.system('touch trace')",
    "no text": "\ufeff\0",
}


@pytest.mark.parametrize("what", INDEX)
def test_an_index_entry_that_is_none_is_refused_in_one_sentence(tmp_path, what):
    (tmp_path / "evil.toml").write_text(INDEX[what])

    with pytest.raises(InputError) as refused:
        read_entry(tmp_path / "evil.toml")

    message = str(refused.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < len(str(tmp_path)) + 400


WATCH = """
import sys

def watch(event, arguments):
    if event in {"exec", "compile", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"}:
        raise SystemExit(f"the index caused {event}")

from calozoo.models import discovery as plugins, index, names
plugins.registered()
index.read_index(); index.forget(); names.list_absent()  # whatever is imported for that, now is
import os
os.environ["CALOZOO_INDEX"] = sys.argv[1]
sys.addaudithook(watch)
entries = {entry.name: entry for entry in names.list_absent()}
print(entries["evil.one"].summary)
"""


def test_reading_the_index_runs_no_code(tmp_path):
    """Whatever lies beside the entries, and whatever their texts look like."""
    trace, folder = tmp_path / "trace", tmp_path / "index"
    folder.mkdir()
    code = f"open({str(trace)!r}, 'w')"
    for name in ("__init__.py", "evil.py", "conftest.py", "sitecustomize.py"):
        (folder / name).write_text(code)
    summary = "{{ 7 * 7 }} ${HOME} $(touch trace) %s !!python/object/apply:os.system"
    (folder / "evil.toml").write_text(ENTRY.replace("A test.", summary))

    run = subprocess.run(
        [sys.executable, "-c", WATCH, str(folder)],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (run.returncode, run.stdout) == (0, f"{summary}\n"), run.stderr
    assert not trace.exists()


# Cards: the numbers of one are read, its text is shown.

MEASUREMENTS = {
    "too large": b" " * (5 << 20),
    "nested": b"[" * 1_000_000,
    "nested tables": b'{"a":' * 500_000,
    "not a number": b'{"version": NaN}',
    "a number of a million digits": b'{"version": ' + b"9" * 1_000_000 + b"}",
    "a key that speaks to the terminal": b'{"\\u001b[2J": 1}',
    "no text": b"\xff\xfe",
    "nothing": b"",
}


@pytest.mark.parametrize("what", MEASUREMENTS)
def test_measurements_that_are_none_are_refused_in_one_sentence(tmp_path, what):
    (tmp_path / "measurements.json").write_bytes(MEASUREMENTS[what])

    with pytest.raises(CalozooError) as refused:
        read_measurements(tmp_path / "measurements.json")

    message = str(refused.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < len(str(tmp_path)) + 250


# Repositories: whatever is in them, all that is written is the cache.

REPOSITORIES = {
    "a link to a secret": ({"config.json": b"../../../../secret"}, {}),
    "a card of megabytes": ({"README.md": bytes(2 << 20)}, {}),
    "a configuration of megabytes": ({"config.json": b" " * (2 << 20)}, {}),
    "a file larger than it says": ({}, {"model.safetensors": bytes(1 << 20)}),
    "another file than it says": ({}, {"model.safetensors": bytes(5000)}),
    "a configuration for another model": ({"config.json": b'{"width": 3}'}, {}),
}


@pytest.mark.parametrize("what", REPOSITORIES)
def test_a_hostile_repository_is_refused_and_nothing_is_written_outside_the_cache(hub, zoo, what):
    published, sent = REPOSITORIES[what]
    files = weights() | published
    (zoo.folder / "secret").write_text("swordfish")
    before = written_beside_the_cache(zoo)
    commit = hub.publish(REPO, files)
    hub.sends |= sent

    def pull_and_read():
        pulled = zoo.pull(index_entry(commit, files), hub.url)
        return read_config(pulled.folder, Config)

    with pytest.raises((HubError, WeightsError)) as refused:
        pull_and_read()

    message = str(refused.value)
    assert message.isprintable()
    assert "swordfish" not in message
    assert written_beside_the_cache(zoo) == before


def written_beside_the_cache(zoo) -> dict[Path, bytes]:
    paths = [path for path in zoo.folder.rglob("*") if path.is_file() and "site" not in path.parts]
    return {path: path.read_bytes() for path in paths if not path.is_relative_to(zoo.cache)}


# Weights of the models of this repository that ask for more than there is.

LARGEST = {
    "caloclouds3.ild-photon": {
        "flow": {
            **{"blocks": 10, "hidden": 4096, "spline_hidden": 4096, "bins": 64},
            "baseline_hidden": 4096,
        },
        "points": {"widths": [4096] * 16, "time_features": 4096, "context": 4096},
    },
    "3dgan.ild-photon": {
        "grid": {"layers": 256, "cells": 128},
        "energies": {"hidden": 1024, "latent": 1024},
        "generator": {
            **{"latent": 1024, "hidden": 1024, "width": 1024, "fine": 1024, "knots": 64},
            "maps": 1024,
        },
    },
    "caloinn.ild-photon": {
        "codec": {"layers": 200, "voxels": 41},
        "rings": {"edges_mm": [i + 1.0 for i in range(40)], "levels": 64, "members": 4096},
        "layers": {"dim": 200, "conditions": 4, "blocks": 40, "hidden": 8192, "hidden_layers": 8},
        "inn": {"dim": 8000, "conditions": 204, "blocks": 40, "hidden": 8192, "hidden_layers": 8},
    },
}

LOAD = """
import os, resource, sys
from pathlib import Path
from calozoo import api
from calozoo_core.errors import CalozooError

api.load(sys.argv[1], offline=True).generate(energy=10)  # so that all is imported
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (in_use + (1 << 29),) * 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    api.load(sys.argv[1], offline=True, weights=Path(sys.argv[2]))
except CalozooError as error:
    print(f"{type(error).__name__}: {error}")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
@pytest.mark.parametrize("model", LARGEST)
def test_the_largest_network_a_configuration_may_ask_for_is_refused_unbuilt(model, tmp_path):
    """Every size at its bound, tens of gigabytes, and a file that holds a few megabytes."""
    from calozoo import find_model

    folder = bundled_folder(find_model(model))
    config = json.loads((folder / "config.json").read_text())
    for part, sizes in LARGEST[model].items():
        config[part] |= sizes
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")

    run = subprocess.run(
        [sys.executable, "-c", LOAD, model, str(tmp_path)],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
    )

    said, kilobytes = run.stdout.splitlines()
    assert said.startswith("WeightsError: ")
    assert re.search("in shape|lacks the tensor", said), said
    assert int(kilobytes) < 100_000


def test_every_guard_that_the_documentation_names_has_its_test():
    page = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("core/**/*.py")]
    written = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert len(named) > 20
    assert named <= written, named - written
