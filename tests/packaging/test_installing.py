"""Each distribution installs into an environment of its own, with what it asks for, and works."""

from __future__ import annotations

import json
import os
from functools import cache

import numpy as np
import pytest
from distributions import CORE, PLUGINS, REGISTRY, Environment

from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, write_showers
from calozoo_core.showers import Showers

TOY = next(project for project in PLUGINS if project.folder.name == "toy")
REFINE = next(project for project in PLUGINS if project.folder.name == "refine")
CALOCLOUDS3 = next(project for project in PLUGINS if project.folder.name == "caloclouds3")
MODEL_PLUGINS = [project for project in PLUGINS if project is not REFINE]

IMPORT_ALL = """
import importlib, pkgutil, sys

package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(module.name, error.name)
"""

USE_PLUGIN = """
import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import as_file, files
from pathlib import Path

from calozoo_core.io import ShowerFile

specs = []
for entry in entry_points(group="calozoo"):
    entry.load().register_models(register=specs.append)


def load(spec):
    module, _, name = spec.factory.partition(":")
    package, _, folder = (spec.weights or ":").partition(":")
    options = {}
    if spec.source:
        # A model of the same distribution feeds it, or else a file of Geant4's steps does.
        own = [other for other in specs if other.name == spec.source]
        options["source"] = load(own[0]) if own else Path(sys.argv[1])
    with as_file(files(package) / folder) if spec.weights else files("calozoo_core") as weights:
        factory = getattr(import_module(module), name)
        return factory.load(spec, weights if spec.weights else None, **options)


spec = specs[0]
model = load(spec)
with ShowerFile(Path(sys.argv[1])) as steps:
    showers = model.generate(steps[0:2].incident, seed=1)
assert len(showers) == 2 and showers.visible_energy.min() > 0
assert "calozoo" not in sys.modules
print(spec.name)
if hasattr(model, "close"):
    model.close()
"""


@pytest.fixture(scope="session")
def install(built, tmp_path_factory):
    """Makes an environment with these distributions and what they need, once for all tests."""
    wheels = next(iter(built.values())).wheel.parent

    @cache
    def into_a_new_one(*names: str) -> Environment:
        return Environment(tmp_path_factory.mktemp("environment"), wheels, names)

    return into_a_new_one


@pytest.fixture(scope="session")
def steps(tmp_path_factory):
    """A file with two showers of steps, for models that are fed."""
    path = tmp_path_factory.mktemp("steps") / "steps.h5"
    rng, n = np.random.default_rng(1), 400
    layers = len(load_detector("ild_siecal_regular").layer_depth_mm)
    showers = Showers(
        offsets=[0, n // 2, n],
        x=rng.normal(0, 10, n),
        y=rng.normal(0, 10, n),
        layer=rng.integers(0, layers, n),
        energy=rng.gamma(2, 0.4, n),
        incident=Incident([10, 20], [[0, 0, 1], [0, 0, 1]]),
        representation="steps",
        detector="ild_siecal_regular",
    )
    write_showers(path, showers, generator="random steps", seed=1)
    return path


def needs_data(project) -> None:
    """Skip where what the plugin needs beside libraries is not to be had."""
    if project.folder.name == "geant4":
        from calozoo_geant4.data_sets import data_environment

        try:
            data_environment()
        except CalozooError:
            pytest.skip("set CALOZOO_G4DATA or GEANT4_DATA_DIR to a folder with Geant4's data sets")


def test_core_alone_imports_without_what_its_extras_bring(install):
    alone = install(CORE.name)

    lines = alone.run("python", "-c", IMPORT_ALL, "calozoo_core").splitlines()

    extras = {"torch", "lightning", "pytest", "sklearn", "matplotlib", "awkward", "uproot"}
    assert {line.split()[1] for line in lines} <= extras


def test_the_registry_alone_says_what_to_install(install):
    alone = install(REGISTRY.name)

    listed = alone.run("calozoo", "list")
    for project in MODEL_PLUGINS:
        assert f"pip install {project.name} " in listed
    assert alone.run("calozoo", "info", "toy", fails=True) == (
        "calozoo: toy.ild-photon is not installed; type `pip install calozoo-toy`.\n"
    )
    assert alone.run("calozoo", "--version") == f"calozoo {REGISTRY.version}\n"
    assert "no plugin is installed" in alone.run("calozoo", "plugins")
    assert "caloclouds3.ild-photon" in alone.run("calozoo", "compare")


def test_every_command_explains_itself_without_plugins(install):
    alone = install(REGISTRY.name)
    code = "from calozoo.cli import COMMANDS, cli; [cli.get_command(None, c) for c in COMMANDS]"

    assert alone.run("python", "-c", code) == ""


every_plugin = pytest.mark.parametrize(
    "project",
    [
        pytest.param(project, id=project.name, marks=[pytest.mark.slow] * (project is not TOY))
        for project in MODEL_PLUGINS
    ],
)


@every_plugin
def test_a_plugin_works_with_the_registry(project, install, steps):
    needs_data(project)
    environment = install(REGISTRY.name, project.name)

    models = json.loads(environment.run("calozoo", "list", "--json"))
    here = [model for model in models if model["installed"]]
    assert {model["distribution"] for model in here} == {project.name}
    for model in here:
        assert project.name in environment.run("calozoo", "info", model["name"])
    # Every set of weights, and of models without any, one of an architecture.
    asked = {m["name"] if m["weights"] else m["name"].partition(".")[0]: m for m in here}
    for name, model in asked.items():
        out = environment.folder / f"{name}.h5"
        fed_by_file = model["source"] and not model["weights"]
        source = ["--source", str(steps)] if fed_by_file else []
        primaries = ["--energy", f"@{steps}", "--dir", f"@{steps}"]
        request = [*primaries, *source, "--offline", "--quiet", "--out", str(out)]
        assert environment.run("calozoo", "generate", "--model", name, *request) == ""
        with ShowerFile(out) as showers:
            assert len(showers) == 2


@every_plugin
def test_a_plugin_works_with_core_alone(project, install, steps):
    needs_data(project)
    environment = install(project.name)

    name = environment.run("python", "-c", USE_PLUGIN, str(steps)).splitlines()[-1]

    assert "." in name
    assert not (environment.folder / "bin" / "calozoo").exists()


def test_the_main_job_is_done_where_torch_is_not_installed(install):
    environment = install(REGISTRY.name, CALOCLOUDS3.name, "matplotlib", "mplhep")
    missing = environment.run("python", "-c", "import torch", fails=True)
    assert "No module named 'torch'" in missing
    generate = ["generate", "--model", "caloclouds3", "--energy", "50", "-n", "5", "--out"]

    assert "bundled with calozoo-caloclouds3" in environment.run("calozoo", "pull", "caloclouds3")
    assert "5 showers" in environment.run("calozoo", *generate, "s.h5")
    environment.run("calozoo", "show", "s.h5", "--plot", "s.png")
    assert (environment.folder / "s.png").stat().st_size > 10_000
    for command in (["info", "caloclouds3"], ["list"]):
        assert "caloclouds3.ild-photon" in environment.run("calozoo", *command)
    for options, what in (
        (["--runtime", "torch"], "caloclouds3.ild-photon"),
        (["--device", "cuda"], "--device cuda"),
    ):
        words = [*generate[:2], "caloclouds3.ild-photon", *generate[3:], "t.h5", *options]
        assert environment.run("calozoo", *words, fails=True) == (
            f"calozoo: {what} needs torch, which is not installed; "
            "type `pip install 'calozoo-core[torch]'`.\n"
        )


@pytest.mark.slow
def test_a_wrapper_works_with_the_registry_and_a_model(install):
    environment = install(REGISTRY.name, TOY.name, REFINE.name)

    rows = json.loads(environment.run("calozoo", "plugins", "--json"))
    (row,) = (row for row in rows if row["distribution"] == REFINE.name)
    assert row["hooks"] == ["register_wrappers"]
    assert not row["errors"]
    assert "fed by" in environment.run("calozoo", "info", "toy+refined")


def test_a_wrapper_that_is_not_installed_is_named_with_what_brings_it(install):
    environment = install(REGISTRY.name, TOY.name)

    assert environment.run("calozoo", "info", "toy+refined", fails=True) == (
        "calozoo: toy.ild-photon+refined is not installed; type `pip install calozoo-refine`.\n"
    )


def test_the_environments_are_as_empty_as_they_should_be(install):
    """Else the tests above would show nothing."""
    environment = install(TOY.name)

    for library in (
        "torch",
        "click",
        "calozoo",
        "calozoo_caloclouds3",
        "pytest",
        "huggingface_hub",
    ):
        said = environment.run("python", "-c", f"import {library}", fails=True)
        assert f"No module named '{library}'" in said
    assert os.fspath(environment.folder) in environment.run(
        "python", "-c", "import calozoo_toy; print(calozoo_toy.__file__)"
    )
