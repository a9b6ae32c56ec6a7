"""What is built holds what it must and nothing else, and comes out the same again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
from distributions import CORE, PLUGINS, PROJECTS, REGISTRY, ROOT, Built, Project, build_wheel
from hatchling import build as backend
from packaging.requirements import Requirement

from calozoo.models import discovery
from calozoo.models.index import read_index

SUFFIXES = {
    *(".csv", ".h5", ".json", ".md", ".png", ".py", ".safetensors", ".tmpl", ".toml", ".typed"),
    *(".css", ".html", ".js"),  # pages
    *(".c", ".h", ".pyi"),  # kernels
}
KERNELS = "calozoo_core/kernels/_compiled."
"""What the name of the compiled kernels begins with, which no checkout has."""
BESIDE = {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}

every_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
every_plugin = pytest.mark.parametrize("project", PLUGINS, ids=lambda project: project.name)


light_first = pytest.mark.parametrize(
    "project",
    [
        # Megabytes of weights take seconds to compress.
        pytest.param(
            project,
            id=project.name,
            marks=[pytest.mark.slow] * any(project.folder.glob("calozoo_*/weights")),
        )
        for project in [CORE, *PLUGINS]
    ],
)


def files(folder: Path) -> set[Path]:
    """The files under a folder that git keeps or would keep."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so nobody knows which files belong")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return {folder / name for name in listed.split("\0") if name and (folder / name).is_file()}


def package_files(project: Project) -> set[Path]:
    return set().union(*(files(package) for package in project.packages))


def names_in_wheel(built: Built) -> set[str]:
    """Names of what a wheel holds, less its own records and what is compiled."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    return set(names) - set(compiled(names))


def in_wheel(built: Built) -> dict[str, bytes]:
    """The same, with what is in it."""
    with zipfile.ZipFile(built.wheel) as archive:
        return {name: archive.read(name) for name in names_in_wheel(built)}


def record(built: Built, name: str) -> str:
    """One of the wheel's own records."""
    folder = "-".join(built.wheel.name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(built.wheel) as archive:
        return archive.read(f"{folder}/{name}").decode()


def compiled(names: list[str]) -> list[str]:
    """Of names of files, those of the compiled kernels."""
    return [name for name in names if name.startswith(KERNELS) and not name.endswith(".pyi")]


def in_sdist(built: Built) -> dict[str, bytes]:
    with tarfile.open(built.sdist) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
        }


def metadata(built: Built) -> Message:
    return message_from_string(record(built, "METADATA"))


@every_project
def test_a_wheel_holds_the_files_of_its_packages_and_no_others(project, built):
    expected = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for package in project.packages
        for path in files(package)
    }

    assert in_wheel(built[project.name]) == expected


@every_project
def test_an_sdist_holds_the_same_with_what_it_takes_to_build_it(project, built):
    expected = {path.relative_to(project.folder).as_posix() for path in package_files(project)}
    if project is REGISTRY:
        expected.add("CHANGELOG.md")
    if project is CORE:
        expected.add("hatch_build.py")

    assert set(in_sdist(built[project.name])) == expected | BESIDE


@every_project
def test_nothing_is_shipped_that_only_serves_to_test_or_was_left_behind(project, built):
    paths = [Path(name) for name in names_in_wheel(built[project.name])]

    assert {path.suffix or path.name for path in paths} <= SUFFIXES
    assert not [path for path in paths if {"tests", "runs", "__pycache__"} & set(path.parts)]
    assert not [path for path in paths if path.match("test_*.py") or path.name == "conftest.py"]


@every_project
def test_every_package_says_that_it_is_typed(project, built):
    names = names_in_wheel(built[project.name])

    for package in project.packages:
        code = any(path.suffix == ".py" for path in files(package) if path.name != "__init__.py")
        assert not code or f"{package.name}/py.typed" in names


def test_core_brings_kernels_for_every_python_of_a_machine_or_none(built):
    with zipfile.ZipFile(built[CORE.name].wheel) as archive:
        kernels = compiled(archive.namelist())
    tag = built[CORE.name].wheel.stem.split("-", 2)[2]

    assert len(kernels) == (tag != "py3-none-any")
    assert tag == "py3-none-any" or tag.startswith("cp311-abi3-")


def test_core_is_built_where_there_is_no_compiler(built, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", str(tmp_path / "no-compiler"))

    wheel = build_wheel(built[CORE.name].sdist, tmp_path)

    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not compiled(archive.namelist())


def test_core_brings_its_detectors(built):
    from calozoo_core.detector import list_detectors

    names = names_in_wheel(built[CORE.name])

    assert {f"calozoo_core/detectors/{name}.toml" for name in list_detectors()} <= names


def test_the_registry_brings_its_index_and_a_card_with_figures_of_each_measured_model(built):
    names = names_in_wheel(built[REGISTRY.name])

    assert {f"calozoo/models/index/{name}.toml" for name in read_index()} <= names
    cards = {Path(name).parts[1] for name in names if name.endswith("/measurements.json")}
    assert cards
    for card in cards:
        assert {f"calozoo_cards/{card}/README.md", f"calozoo_cards/{card}/overview.png"} <= names


def test_the_weights_in_the_wheels_are_those_that_the_index_has_hashed(built):
    checked = 0
    for name, entry in read_index().items():
        spec = discovery.registered()[name].spec
        if spec.weights is None:
            continue
        folder = spec.weights.replace(":", "/")
        with zipfile.ZipFile(built[entry.distribution].wheel) as wheel:
            for file, expected in entry.sha256.items():
                assert hashlib.sha256(wheel.read(f"{folder}/{file}")).hexdigest() == expected
                checked += 1
    assert checked


@every_project
def test_the_metadata_are_complete(project, built):
    about = metadata(built[project.name])
    text = (project.folder / "README.md").read_text()

    assert (about["Name"], about["Version"]) == (project.name, project.version)
    assert about["Summary"] == project.settings["project"]["description"]
    assert about["Summary"].endswith(".")
    assert about["Author"] == "The calozoo authors"
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload().strip() == text.strip()
    assert "calorimeter" in about["Keywords"]
    assert "Typing :: Typed" in about.get_all("Classifier")
    assert in_sdist(built[project.name])["PKG-INFO"].decode() == record(
        built[project.name], "METADATA"
    )


@every_project
def test_the_licence_travels_with_every_distribution(project, built):
    licence = (ROOT / "LICENSE").read_text()

    assert metadata(built[project.name]).get_all("License-File") == ["LICENSE"]
    assert record(built[project.name], "licenses/LICENSE") == licence
    assert in_sdist(built[project.name])["LICENSE"].decode() == licence


@every_plugin
def test_the_addresses_of_a_plugin_are_the_papers_of_its_models(project, built):
    lines = metadata(built[project.name]).get_all("Project-URL") or []  # a wrapper has no models
    urls = [line.split(", ")[1] for line in lines]
    papers = {
        paper
        for registration in discovery.registered().values()
        if registration.distribution == project.name
        for paper in registration.spec.papers
    }

    assert set(urls) == papers
    assert all(url.startswith("https://") for url in urls)


@every_project
def test_the_entry_points_name_modules_that_the_wheel_holds(project, built):
    text = record(built[project.name], "entry_points.txt") if project is not CORE else ""
    names = names_in_wheel(built[project.name])

    for line in text.splitlines():
        if " = " in line:
            module = line.split(" = ")[1].partition(":")[0].replace(".", "/")
            assert {f"{module}.py", f"{module}/__init__.py"} & names
    assert ("[calozoo]" in text) == (project in PLUGINS)
    assert ("[console_scripts]\ncalozoo = calozoo.cli:main" in text) == (project is REGISTRY)


@every_project
def test_the_wheel_asks_for_what_the_project_says(project, built):
    asked = metadata(built[project.name]).get_all("Requires-Dist")

    without = {Requirement(line) for line in asked if "extra ==" not in line}
    assert without == set(project.requirements(extras=False))


@light_first
def test_a_wheel_is_the_same_from_the_checkout_as_from_the_sdist(project, built, tmp_path):
    with contextlib.chdir(project.folder):
        wheel = tmp_path / backend.build_wheel(str(tmp_path))

    assert wheel.name == built[project.name].wheel.name
    assert wheel.read_bytes() == built[project.name].wheel.read_bytes()


@light_first
def test_another_checkout_at_another_time_gives_the_same_bytes(project, built, tmp_path):
    again = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(project.folder, again, ignore=shutil.ignore_patterns(".*_cache"))
    shutil.copy(ROOT / ".gitignore", again.parent)
    for path in [again, *again.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    made = Built.make(Project(again, project.settings), tmp_path)

    assert made.sdist.read_bytes() == built[project.name].sdist.read_bytes()
    assert made.wheel.read_bytes() == built[project.name].wheel.read_bytes()


def test_the_date_in_the_archives_is_the_one_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # 2023-11-14
    toy = next(project for project in PLUGINS if project.folder.name == "toy")

    with zipfile.ZipFile(Built.make(toy, tmp_path).wheel) as archive:
        dates = {member.date_time[:3] for member in archive.infolist()}

    assert dates == {(2023, 11, 14)}


@pytest.mark.slow
def test_make_build_makes_all_of_it(built, tmp_path):
    tools, made = Path(sys.executable).parent, tmp_path / "dist"
    stamp = [f"--old-file={tmp_path}/build", f"VENV={tmp_path}", f"BIN={tools}"]
    subprocess.run(["make", "build", *stamp, f"DIST={made}"], cwd=ROOT, check=True)

    expected = {path.name: path for one in built.values() for path in (one.sdist, one.wheel)}
    assert {path.name for path in made.iterdir()} == set(expected)
    for path in made.iterdir():
        assert path.read_bytes() == expected[path.name].read_bytes()
