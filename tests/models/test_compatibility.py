"""A plugin that was made for another core is refused, in words that say what to upgrade."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest

from calozoo import api
from calozoo.models import discovery
from calozoo.models.compatibility import check_distribution
from calozoo.models.discovery import discover
from calozoo_core.errors import PluginError
from calozoo_core.generator import PLUGIN_API

CORE = version("calozoo-core")
TOO_NEW = (
    f"it needs calozoo-core<9000,>=8999, and {CORE} is installed; "
    "type `pip install --upgrade calozoo calozoo-core`."
)

SPEAKER = """
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    @hookimpl
    def register_models(register):
        register(ModelSpec(
            name="zoo.future", summary="A test.", factory="nowhere:Nothing",
            representation="x9", detector="ild_siecal_regular",
            conditions=Conditions(energy_gev=(1, 10)), license="MIT", {more}
        ))
"""


def needing(site, distribution: str, *requirements: str, source: str = "import no_such_module"):
    """Install a plugin whose distribution has these requirements."""
    module = distribution.replace("-", "_")
    site.install(distribution, "0.3", module, source)
    with (site.folder / f"{module}-0.3.dist-info" / "METADATA").open("a") as metadata:
        metadata.writelines(f"Requires-Dist: {line}\n" for line in requirements)


def look(site):
    return discover(site.entry_points(), {})


@pytest.fixture
def choose(monkeypatch):
    """Has this process look afresh, at the installed plugins of these names and no others."""

    def look_at(distribution: str) -> None:
        monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", distribution)
        discovery.forget()

    yield look_at
    discovery.forget()


@pytest.mark.parametrize(
    ("requirement", "command"),
    [
        ("calozoo-core>=8999,<9000", "pip install --upgrade calozoo calozoo-core"),
        ("calozoo-core>8999", "pip install --upgrade calozoo calozoo-core"),
        ("calozoo_core==8999.*", "pip install --upgrade calozoo calozoo-core"),
        ("calozoo-core~=8999.1", "pip install --upgrade calozoo calozoo-core"),
        ("calozoo-core>=0.0.1,<0.0.2", "pip install --upgrade zoo-old"),
        ("Calozoo.Core<0.0.2", "pip install --upgrade zoo-old"),
        ("calozoo-core~=0.0.1", "pip install --upgrade zoo-old"),
        ("calozoo-core==0.0.1", "pip install --upgrade zoo-old"),
    ],
)
def test_a_plugin_for_another_core_is_refused_before_it_is_imported(site, requirement, command):
    needing(site, "zoo-old", "numpy>=1", requirement)

    (failure,) = look(site).failures

    assert isinstance(failure.error, PluginError)
    assert re.fullmatch(
        rf"it needs calozoo-core\S+, and {re.escape(CORE)} is installed; type `{command}`\.",
        failure.reason,
    )


@pytest.mark.parametrize(
    "requirement",
    [
        f"calozoo-core=={CORE}",
        "calozoo-core",
        "calozoo-core[torch]>=0.0.1,<8999",
        'calozoo-core>=8999; extra == "train"',
        'calozoo-core>=8999; python_version < "3"',
        "calozoo-core-of-somebody-else>=8999",
        "no requirement at all",
    ],
)
def test_a_plugin_that_admits_this_core_is_imported(site, requirement):
    needing(site, "zoo-fine", requirement, source=SPEAKER.format(more=""))

    found = look(site)

    assert list(found.models) == ["zoo.future"]
    assert not found.failures


def test_pre_releases_of_a_core_that_is_admitted_are_admitted(site, monkeypatch):
    needing(site, "zoo-fine", "calozoo-core>=0.1,<0.2")
    (entry,) = site.entry_points()

    for core, admitted in [("0.1.5.dev3", True), ("0.1.9rc1", True), ("0.2.0.dev1", False)]:
        monkeypatch.setattr("calozoo.models.compatibility.version", lambda _, core=core: core)
        if admitted:
            check_distribution(entry.dist)
        else:
            with pytest.raises(PluginError, match=f"and {core} is installed"):
                check_distribution(entry.dist)


def test_a_spec_that_names_no_contract_was_written_for_the_first(site, monkeypatch):
    """Else a plugin that says nothing would claim to be for whatever core it finds."""
    site.install("zoo-old", "0.3", "zoo_old", SPEAKER.format(more=""))
    monkeypatch.setattr("calozoo.models.compatibility.PLUGIN_API", 2)

    (failure,) = look(site).failures

    assert failure.reason == (
        "zoo.future was written for plugin API 1, and this calozoo speaks 2; "
        "type `pip install --upgrade zoo-old`."
    )


@pytest.mark.parametrize(
    ("plugin_api", "command"),
    [
        (PLUGIN_API + 1, "pip install --upgrade calozoo calozoo-core"),
        (PLUGIN_API - 1, "pip install --upgrade zoo-future"),
    ],
)
def test_asking_for_a_model_of_another_contract_says_what_to_upgrade(
    site, choose, plugin_api, command
):
    source = SPEAKER.format(more=f"plugin_api={plugin_api}")
    site.install("zoo-future", "0.3", "zoo_future", source)
    choose("zoo-future")

    with pytest.raises(PluginError) as caught:
        api.load("zoo.future")

    assert str(caught.value) == (
        f"zoo.future was written for plugin API {plugin_api}, and this calozoo speaks "
        f"{PLUGIN_API}; type `{command}`."
    )


def test_asking_for_a_model_whose_plugin_is_for_another_core_says_what_to_upgrade(site, choose):
    needing(site, "calozoo-toy", "calozoo-core>=8999,<9000")  # before ours on the path
    choose("calozoo-toy")

    with pytest.raises(PluginError) as caught:
        api.load("toy")

    assert str(caught.value) == (
        f"toy.ild-photon cannot be loaded, since plugin calozoo-toy 0.3 is not used: {TOO_NEW}"
    )


def test_commands_say_of_a_plugin_for_another_core_what_to_upgrade(site, calozoo):
    needing(site, "zoo-future", "calozoo-core>=8999,<9000")
    environ = {"PYTHONPATH": str(site.folder), "CALOZOO_LOAD_PLUGINS": "zoo-future"}

    listed = calozoo("list", **environ)
    shown = calozoo("plugins", "--json", **environ)
    asked = calozoo("generate", "--model", "future", "--energy", "5", "--out", "s.h5", **environ)

    said = f"calozoo: plugin zoo-future 0.3 is not used: {TOO_NEW}\n"
    assert (listed.returncode, listed.stderr) == (0, said)
    assert (shown.returncode, shown.stderr) == (0, "")
    errors = {row["distribution"]: row["errors"] for row in json.loads(shown.stdout)}
    assert [error["error"] for error in errors["zoo-future"]] == [TOO_NEW]
    assert asked.returncode == 2
    assert "not used: zoo-future; `calozoo plugins` says why" in asked.stderr


def test_list_does_not_advise_to_install_what_is_installed_and_not_used(site, calozoo):
    needing(site, "calozoo-toy", "calozoo-core>=8999,<9000")
    environ = {"PYTHONPATH": str(site.folder), "CALOZOO_LOAD_PLUGINS": "calozoo-toy"}

    (row,) = [line for line in calozoo("list", **environ).stdout.splitlines() if "toy.ild" in line]

    assert "not used: calozoo plugins" in row
    assert "pip install" not in row
