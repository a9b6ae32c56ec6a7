"""What the files of the repository say of its distributions is one story."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from distributions import CORE, PLUGINS, PROJECTS, REGISTRY, ROOT, Project
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

OURS = {project.name: project for project in PROJECTS}

every_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
every_plugin = pytest.mark.parametrize("project", PLUGINS, ids=lambda project: project.name)


def lines(file: str) -> list[str]:
    """A requirements file without its comments."""
    text = (ROOT / file).read_text()
    return [line for line in (raw.partition("#")[0].strip() for raw in text.splitlines()) if line]


def minor(project: Project) -> str:
    """The range in which a distribution keeps its promises, as a specifier."""
    release = Version(project.version)
    return f"<{release.major}.{release.minor + 1},>={release.major}.{release.minor}"


@every_project
def test_a_distribution_asks_for_the_minor_versions_of_ours_that_are_here(project):
    for needed in project.requirements():
        other = OURS.get(canonicalize_name(needed.name))
        # An extra of a distribution that is asked for already is bound by what asks for it.
        if other is not None and not (needed.extras and not needed.specifier):
            assert str(needed.specifier) == minor(other), needed


@pytest.mark.parametrize("project", [REGISTRY, *PLUGINS], ids=lambda project: project.name)
def test_whoever_stands_on_core_is_bound_to_it(project):
    bounds = {r.name: r.specifier for r in project.requirements(extras=False)}

    assert str(bounds["calozoo-core"]) == minor(CORE)


@every_plugin
def test_a_plugin_is_an_extra_of_calozoo_called_after_its_folder(project):
    extras = REGISTRY.settings["project"]["optional-dependencies"]

    (needed,) = map(Requirement, extras[project.folder.name])
    assert needed.name == project.name == f"calozoo-{project.folder.name}"


@every_project
def test_an_extra_of_ours_that_somebody_asks_for_exists(project):
    for needed in project.requirements():
        if other := OURS.get(canonicalize_name(needed.name)):
            assert needed.extras <= set(other.settings["project"].get("optional-dependencies", {}))


@every_project
def test_what_is_asked_for_admits_what_is_pinned_and_what_is_installed(project):
    pins = {one.name: one.specifier for one in map(Requirement, lines("constraints.txt"))}
    pinned = {name: next(iter(bound)).version for name, bound in pins.items()}
    assert "torch" in pinned

    for needed in project.requirements():
        assert needed.specifier.contains(version(needed.name)), needed
        if needed.name in pinned:
            assert needed.specifier.contains(pinned[needed.name]), needed


def test_everything_is_installed_for_development():
    entries = [line.split() for line in lines("requirements-dev.txt")]
    editable = dict(
        re.fullmatch(r"([^\[]+)(?:\[(.*)\])?", e[1]).groups() for e in entries if e[0] == "-e"
    )
    folders = {project.folder.relative_to(ROOT).as_posix(): project for project in PROJECTS}

    assert set(editable) == set(folders)
    for folder, project in folders.items():
        extras = set(project.settings["project"].get("optional-dependencies", {}))
        chosen = set((editable[folder] or "").split(",")) - {""}
        assert chosen <= extras
        assert ("train" in extras) == ("train" in chosen)
    assert ["-c", "constraints.txt"] in entries


def test_the_workspace_has_all_of_ours():
    uv = REGISTRY.settings["tool"]["uv"]

    found = {path for member in uv["workspace"]["members"] for path in ROOT.glob(member)}
    assert {project.folder for project in PROJECTS} == {ROOT} | {
        path for path in found if (path / "pyproject.toml").is_file()
    }
    assert uv["sources"] == {
        project.name: {"workspace": True} for project in PROJECTS if project is not REGISTRY
    }


@every_project
def test_all_are_built_in_the_same_way_and_written_under_the_same_terms(project):
    about, root = project.settings["project"], REGISTRY.settings["project"]

    build, own = project.settings["build-system"], REGISTRY.settings["build-system"]
    assert build["build-backend"] == own["build-backend"]
    compiler = ["setuptools>=61"] if about["name"] == "calozoo-core" else []  # of its kernels
    assert build["requires"] == [*own["requires"], *compiler]
    for key in ("requires-python", "license", "license-files", "authors", "readme"):
        assert about[key] == root[key]
    assert (project.folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_mypy_reads_the_types_of_all_of_ours():
    overrides = REGISTRY.settings["tool"]["mypy"]["overrides"]

    blind = {
        name for one in overrides if one.get("ignore_missing_imports") for name in one["module"]
    }
    assert not [name for name in blind if name.startswith("calozoo")]
    for project in PROJECTS:
        assert (project.packages[0] / "py.typed").is_file()


@every_project
def test_a_library_that_is_imported_is_asked_for(project):
    # What extras of core bring, a plugin has by asking for core's extra.
    asked = {canonicalize_name(r.name) for r in [*project.requirements(), *CORE.requirements()]}
    own = {package.name for package in project.packages}

    providers = distributions_of_packages()
    for package in project.packages:
        for path in package.rglob("*.py"):
            for name in imported(path) - own - set(sys.stdlib_module_names):
                found = {canonicalize_name(one) for one in providers.get(name, [name])}
                assert found & asked, f"{path} imports {name}"


@cache
def distributions_of_packages() -> Mapping[str, list[str]]:
    """Installed distributions by the packages they provide."""
    return packages_distributions()


def imported(path: Path) -> set[str]:
    """Top-level names of what a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def test_the_changelog_and_the_citation_know_the_version():
    assert f"## [{REGISTRY.version}]" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {REGISTRY.version}\n" in (ROOT / "CITATION.cff").read_text()
