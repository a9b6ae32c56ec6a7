"""`calozoo doctor` says what is broken and what to type, and is not taken down by it."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from zoo_models import PLUGIN, hashes, weights

from calozoo.benchmark.measurements import read_measurements
from calozoo.cards.card import find_card
from calozoo.doctor import Finding, examine, machine
from calozoo.doctor.plugins import PluginChecks, _other_weights
from calozoo.hub import Hub as Client
from calozoo.hub.cache import CachedRepo
from calozoo.models import discovery
from calozoo.models import index as index_module

REPO = "some-lab/cc.ild"


@pytest.fixture
def installed(site, monkeypatch) -> Callable[..., None]:
    """Installs a plugin where this process finds it, and those that it starts; the only ones."""
    names = []

    def install(distribution: str, source: str) -> None:
        site.install(distribution, "1.2", distribution.replace("-", "_"), source)
        names.append(distribution)
        monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", ",".join(names))
        monkeypatch.setenv("PYTHONPATH", str(site.folder))

    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-none")
    discovery.forget()
    return install


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, for this process and those that it starts."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def of(findings, check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


# Plugins and models.


HANGS = {
    "sleeps": "import time; time.sleep(600)",
    "loops": "while True:\n    try:\n        raise ValueError\n    except Exception:\n        pass",
    "waits": "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s: s.accept()",
}
ENDS = {"aborts": "import os; os.abort()", "exits": "import os; os._exit(0)"}
WRITES = {
    "writes": "import os; os.write(1, b'{}')",
    "echoes": "import subprocess; subprocess.run(['echo', '{}'])",
}
GOOD = PLUGIN.replace('weights="calozoo_core:nothing", ', "")


def checked(limit: float) -> dict[str, Finding]:
    """The findings on plugins by distribution."""
    found = PluginChecks(limit).check_plugins()
    return {one.subject.partition(" ")[0]: one for one in found if one.status != "skipped"}


def test_plugins_that_crash_raise_or_are_too_new_are_named_and_the_good_one_works(installed):
    installed("zoo-good", GOOD)
    installed("zoo-bad", "import no_such_module")
    installed("zoo-new", GOOD.replace('license="MIT"', 'license="MIT", plugin_api=99'))
    for name, source in ENDS.items():
        installed(f"zoo-{name}", source)

    found = checked(30)

    good = found.pop("zoo-good")
    assert (good.status, good.detail) == ("ok", "cc.ild; plugin API 1, register_models")
    assert {one.status for one in found.values()} == {"broken"}
    for name in ENDS:
        assert found[f"zoo-{name}"].detail == f"importing zoo_{name} ended the process it ran in"
    assert found["zoo-bad"].detail.startswith("ModuleNotFoundError: No module named")
    assert found["zoo-bad"].advice == (
        "type `pip install --upgrade zoo-bad`, or `pip uninstall zoo-bad`"
    )
    assert "type `pip install --upgrade calozoo calozoo-core`" in found["zoo-new"].detail


def test_plugins_that_hang_are_named_and_the_good_one_works(installed):
    for name, source in HANGS.items():
        installed(f"zoo-{name}", source)
    installed("zoo-hook", GOOD.replace("register(SPEC)", HANGS["sleeps"]))
    installed("zoo-well", GOOD)

    found = checked(4)

    assert found.pop("zoo-well").status == "ok"
    assert {name: one.detail for name, one in found.items()} == {
        f"zoo-{name}": f"importing zoo_{name} did not end within 4 s" for name in (*HANGS, "hook")
    }


def test_plugins_that_write_to_stdout_are_named(installed):
    for name, source in WRITES.items():
        installed(f"zoo-{name}", source)
    installed("zoo-good", GOOD)

    found = checked(30)

    assert found.pop("zoo-good").status == "ok"
    assert {name: one.detail for name, one in found.items()} == {
        f"zoo-{name}": f"importing zoo_{name} writes to stdout, which is for data"
        for name in WRITES
    }


def test_a_name_claimed_twice_and_a_plugin_named_in_vain_are_broken(installed):
    installed("zoo-a", PLUGIN)
    installed("zoo-b", PLUGIN)
    os.environ["CALOZOO_LOAD_PLUGINS"] += ",zoo-none"

    found = {one.subject: one for one in PluginChecks(20).check_plugins() if one.status == "broken"}

    assert found["cc.ild"].detail == (
        "cc.ild is claimed by zoo-a 1.2 and zoo-b 1.2; uninstall one of them"
    )
    assert found["zoo-none"].advice == "type `pip install zoo-none`"


def test_a_plugin_that_is_left_out_is_said_to_be(installed):
    installed("zoo-good", PLUGIN)

    found = {one.subject: one for one in PluginChecks(20).check_plugins()}

    assert found["calozoo-toy"].status == "skipped"
    assert found["calozoo-toy"].advice == (
        "add calozoo-toy to it, or type `unset CALOZOO_LOAD_PLUGINS`"
    )


MODEL = """
    from calozoo_core.errors import CalozooError
    from calozoo_core.generator import Generator

    class Nothing(Generator):
        @classmethod
        def load(cls, spec, folder, *, device="cpu", precision=None):
            return cls(spec)

        @classmethod
        def check_machine(cls, spec):
            raise CalozooError("its tables are missing: set ZOO_TABLES.")

        def sample(self, incident, seed, first):
            raise NotImplementedError
"""


def test_a_model_says_itself_what_it_misses_on_this_machine(installed, site, cache):
    (site.folder / "zoo_plugin.py").write_text(textwrap.dedent(MODEL))
    installed("zoo-needy", PLUGIN)

    model, weights_ = list(PluginChecks(60).check_models())[:2]

    assert (model.check, model.status) == ("model", "broken")
    assert model.detail == "its tables are missing: set ZOO_TABLES"
    assert (weights_.check, weights_.status) == ("weights", "broken")
    assert weights_.detail == "its plugin brings none, and none are published"


def test_code_that_cannot_be_imported_is_broken(installed, cache):
    installed("zoo-empty", PLUGIN.replace("zoo_plugin:Nothing", "zoo_nowhere:Nothing"))

    model = next(PluginChecks(60).check_models())

    assert model.status == "broken"
    assert "importing zoo_nowhere:Nothing failed" in model.detail


def test_the_models_of_the_zoo_are_as_they_should_be(monkeypatch, cache):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-toy,calozoo-caloclouds3")

    found = list(PluginChecks(120).check_models())

    assert {one.status for one in found} == {"ok"}, found
    assert {one.subject for one in of(found, "weights")} == {
        "caloclouds3.ild-photon",
        "caloclouds3.ild-photon-cells",
        "caloclouds3.ild-photon-clumps",
    }
    assert len(of(found, "card")) == len(of(found, "model")) == 4


def test_geant4s_missing_data_is_broken_and_the_others_are_not(monkeypatch, cache, tmp_path):
    if find_spec("geant4_pybind") is None:
        pytest.skip("Geant4 is not installed")
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-geant4")
    for name in ("CALOZOO_G4DATA", "GEANT4_DATA_DIR", "G4LEDATA", "G4ENSDFSTATEDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    found = of(PluginChecks(60).check_models(), "model")

    assert {one.status for one in found} == {"broken"}
    assert "Geant4's data set" in found[0].detail
    assert "set GEANT4_DATA_DIR" in found[0].detail


def test_a_card_of_other_weights_is_told_by_their_hash_or_their_size(tmp_path):
    measured = read_measurements(find_card("caloclouds3.ild-photon") / "measurements.json")
    files = weights()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sized = measured.model_copy(update={"weights_bytes": 5000, "weights_sha256": None})
    hashed = sized.model_copy(update={"weights_sha256": hashes(files)})
    other = sized.model_copy(update={"weights_sha256": hashes(weights(seed=7))})

    assert _other_weights(sized, tmp_path) == ""
    assert _other_weights(hashed, tmp_path) == ""
    unhashed = measured.model_copy(update={"weights_sha256": None})
    assert _other_weights(unhashed, tmp_path).endswith("these are 5000")
    assert _other_weights(other, tmp_path) == "it was measured with another config.json"


# The machine.


def test_this_machine_is_fit():
    found = [
        *machine.check_python(),
        *machine.check_packages(),
        *machine.check_libraries(120),
        *machine.check_torch(120),
    ]

    assert {one.status for one in found} == {"ok"}, found
    assert of(found, "device")[0].subject == "cpu"


def test_a_package_that_is_too_old_or_missing_is_broken(site, monkeypatch):
    site.install("zoo-picky", "1.2", "zoo_picky", "")
    about = site.folder / "zoo_picky-1.2.dist-info" / "METADATA"
    needs = "Requires-Dist: numpy>=99\nRequires-Dist: no-such-package\n"
    about.write_text(about.read_text() + needs + "Requires-Dist: other; extra == 'x'\n")

    found = list(machine.check_packages())

    assert {one.status for one in found} == {"broken"}
    assert found[0].detail.startswith("zoo-picky 1.2 needs numpy>=99, and ")
    assert found[0].advice == "type `pip install 'numpy>=99'`"
    assert found[1].detail == "zoo-picky 1.2 needs no-such-package, and is not installed"


@pytest.mark.parametrize(
    ("said", "status"), [("1", "ok"), (None, "ok"), ("100000", "warning"), ("many", "warning")]
)
def test_threads_that_do_not_fit_the_cores_are_said(said, status, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)

    assert [one.status for one in machine.check_threads()] == [status]


def test_the_hub_is_asked_within_a_limit(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    (answering,) = machine.check_hub(60)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (away,) = machine.check_hub(60)

    assert (answering.status, answering.detail) == ("ok", f"{hub.url} answers")
    assert away.status == "warning"
    assert "cannot be fetched from http://127.0.0.1:9" in away.detail


# The cache.


def test_a_cache_that_can_be_made_is_well_and_one_that_cannot_is_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "new" / "hub"))
    assert [one.status for one in machine.check_cache()] == ["ok"]

    (tmp_path / "file").touch()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    (finding,) = machine.check_cache()

    assert finding.status == "broken"
    assert finding.advice == "set HF_HOME to another place"
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10**6))

    (finding,) = machine.check_cache()

    assert (finding.status, finding.detail) == ("warning", f"{tmp_path}, 0.0 GB free")


def test_a_damaged_file_in_the_cache_is_broken_and_is_left_as_it_is(
    hub, cache, tmp_path, monkeypatch
):
    commit = hub.publish(REPO, weights())
    Client(cache, hub.url).fetch(REPO, commit, {})
    entry = f'name = "cc.ild"\nsummary = "A test."\ndistribution = "zoo-cc"\nrepo = "{REPO}"\n'
    (tmp_path / "cc.ild.toml").write_text(entry)
    monkeypatch.setenv("CALOZOO_INDEX", str(tmp_path))
    index_module.forget()
    assert [one.status for one in machine.check_cached_files()] == ["ok"]

    damaged = CachedRepo(cache, REPO).snapshot(commit) / "model.safetensors"
    damaged.resolve().write_bytes(b"damaged")
    finding = next(machine.check_cached_files())
    (leftovers,) = machine.check_leftovers()

    assert (finding.status, finding.subject) == ("broken", f"cc.ild@{commit[:12]}")
    assert finding.advice == f"type `calozoo cache rm cc.ild@{commit[:12]}`, and pull it again"
    assert damaged.is_file()
    assert (leftovers.status, leftovers.advice) == ("warning", "type `calozoo cache prune`")
    index_module.forget()


# All of it.


def test_a_check_that_fails_or_hangs_is_a_finding_and_the_others_go_on(
    monkeypatch, cache, installed
):
    def broken():
        raise ZeroDivisionError("oh")
        yield

    for name in ("check_libraries", "check_torch", "check_packages"):
        monkeypatch.setattr(machine, name, lambda *_: iter(()))
    monkeypatch.setattr(machine, "check_python", broken)
    installed("zoo-hang", "import time; time.sleep(600)")
    (cache / "models--some-lab--photons" / "snapshots" / ("a" * 40)).mkdir(parents=True)

    found = list(examine(limit=3, offline=True))

    assert (found[0].check, found[0].status) == ("python", "broken")
    assert found[0].detail == "this check failed: ZeroDivisionError: oh"
    assert found[-1] == Finding("hub", "", "skipped", "not asked: offline")


def test_the_command_exits_with_one_if_something_is_broken_and_says_so_in_json_too(
    typed, installed, cache, monkeypatch
):
    for name in ("check_libraries", "check_torch", "check_packages"):
        monkeypatch.setattr(machine, name, lambda *_: iter(()))
    installed("zoo-bad", "import no_such_module")

    code, shown, told = typed("doctor", "--offline")
    report = json.loads(typed("doctor", "--offline", "--json")[1])

    assert code == 1
    line = next(line for line in shown.splitlines() if line.startswith("✗"))
    assert line.startswith("✗ plugin     zoo-bad 1.2: ModuleNotFoundError")
    assert told == "1 broken\n"
    assert report["broken"] == 1
    assert {one["status"] for one in report["findings"] if one["check"] == "python"} == {"ok"}


FINDINGS = [
    *(Finding("model", f"one.{i}", "ok", "fine") for i in range(40)),
    *(Finding("model", name, "broken", "no data", "get some") for name in ("two.a", "two.b")),
    Finding("card", "one.0", "warning", "old", "make one.0 again"),
    Finding("card", "one.1", "warning", "old", "make one.1 again"),
    Finding("hub", "", "skipped", "not asked"),
]


def test_all_that_is_well_is_one_line_and_so_is_each_trouble(typed, monkeypatch):
    monkeypatch.setattr("calozoo.doctor.examine", lambda **_: iter(FINDINGS))

    code, shown, told = typed("doctor")

    lines = shown.splitlines()
    assert (code, told) == (1, "2 broken, 2 to look at\n")
    assert lines[0].startswith("✓ model      40 as they should be: one.0, one.1, ")
    assert lines[-4:] == [
        "✗ model      two.a, two.b: no data",
        "             get some",
        "! card       one.0, one.1: old",
        "- hub        not asked",
    ]
    assert max(map(len, lines)) <= 100


def test_verbose_is_a_line_for_everything(typed, monkeypatch):
    monkeypatch.setattr("calozoo.doctor.examine", lambda **_: iter(FINDINGS))

    lines = typed("doctor", "--verbose")[1].splitlines()

    assert len(lines) == len(FINDINGS) + sum(bool(one.advice) for one in FINDINGS)
