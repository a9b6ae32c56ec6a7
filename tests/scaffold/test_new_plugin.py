"""`calozoo plugin new`: what it writes is a whole plugin, and what it cannot write it refuses.

That it can be installed, trained, evaluated and published is shown twice: by the tutorial, which is
followed in test_docs.py, and by the slow test here, with wheels, for a minute.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest
from hub_server import WRITER
from packaging.requirements import Requirement

from calozoo import scaffold
from calozoo.cli import main
from calozoo.scaffold import FILES, new_plugin
from calozoo_core.detector import list_detectors
from calozoo_core.errors import InputError, OutputExistsError
from conftest import clean_environment

LONGEST = "a-name-as-long-as-it-can-be-30"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def python(*words: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=dict(clean_environment(folder)) | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# What is written.


def test_every_file_of_the_template_is_written_and_no_other(here, capsys):
    main(["plugin", "new", "drizzle"])
    said = capsys.readouterr()
    assert said.out == "calozoo-drizzle\n"
    assert said.err == "calozoo-drizzle/README.md says what to type next\n"
    assert len(written(here / "calozoo-drizzle")) == len(FILES)
    template = files(scaffold) / "template"
    assert {f"{name}.tmpl" for name in FILES} == {file.name for file in template.iterdir()}
    assert [path.name for path in here.iterdir()] == ["calozoo-drizzle"]


def test_json_says_what_was_written_and_what_it_is_called(here, capsys):
    main(["plugin", "new", "late-rain", "--out", "there/rain", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert set(report.pop("files")) == written(here / "there/rain")
    assert report == {
        "model": "late-rain.ild-photon",
        "distribution": "calozoo-late-rain",
        "package": "calozoo_late_rain",
        "folder": "there/rain",
    }


@pytest.mark.parametrize("name", ["drizzle", "x", LONGEST])
def test_ruff_finds_nothing_whatever_it_is_called(name, here):
    folder = new_plugin(name, author='A "quoted" author').folder
    for words in (["check"], ["format", "--check"]):
        python("-m", "ruff", *words, "--no-cache", ".", folder=folder)


@pytest.mark.parametrize("detector", list_detectors())
def test_spec_is_a_spec_for_every_detector(detector, here, monkeypatch):
    name = detector.replace("_", "-")
    plugin = new_plugin(f"spec-of-{name}", detector=detector)
    monkeypatch.syspath_prepend(plugin.folder)
    spec = importlib.import_module(plugin.names.module).SPEC
    del sys.modules[plugin.names.module]
    assert (spec.name, spec.detector) == (plugin.names.model, detector)
    assert (plugin.folder / plugin.names.module / spec.weights.partition(":")[2]).is_dir()


def test_metadata_is_toml_whatever_the_author_is_called(here):
    author = 'Zoë "$name" O\'Neil \\ Łódź'
    folder = new_plugin("drizzle", author=author).folder
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["authors"] == [{"name": author}]
    assert f"Copyright (c) {author}\n" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_it_asks_for_the_core_that_wrote_it(here):
    folder = new_plugin("drizzle").folder
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    needed = {r.name: r for r in map(Requirement, project["dependencies"])}
    assert version("calozoo-core") in needed["calozoo-core"].specifier


# What is refused.


IMPOSSIBLE = """
    Drizzle 3dgan2 late_rain late--rain -rain rain- a.b a/b .. ñ $name calozoo-
    a-name-that-is-longer-than-30-is
"""


@pytest.mark.parametrize("name", ["", "a b", "rain\n", *IMPOSSIBLE.split()])
def test_a_name_that_cannot_be_one_is_refused(name, here):
    with pytest.raises(InputError, match="cannot be called"):
        new_plugin(name)
    assert not list(here.iterdir())


@pytest.mark.parametrize("name", ["toy", "gan3d", "caloinn", "core", "cards"])
def test_a_name_that_somebody_has_is_refused(name, here):
    with pytest.raises(InputError, match="already; choose another"):
        new_plugin(name)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("name", "owner"), [("hail", "the name of hail.ild-photon"), ("ice", "a calozoo-ice")]
)
def test_a_name_in_the_index_is_refused_though_it_is_not_installed(name, owner, here, monkeypatch):
    entry = 'name = "hail.ild-photon"\nsummary = "Hail."\ndistribution = "calozoo-ice"\n'
    (here / "hail.toml").write_text(entry)
    monkeypatch.setenv("CALOZOO_INDEX", str(here))
    with pytest.raises(InputError, match=owner):
        new_plugin(name)
    assert written(here) == {"hail.toml"}


def test_a_folder_that_is_there_is_refused_and_left_alone(here):
    (here / "calozoo-drizzle").mkdir()
    (here / "calozoo-drizzle/precious").write_text("mine")
    with pytest.raises(OutputExistsError, match="choose another --out"):
        new_plugin("drizzle")
    assert written(here) == {"calozoo-drizzle/precious"}


@pytest.mark.parametrize("author", ["", " ", "two\nlines", "a\x00b", "\x7f"])
def test_an_author_without_a_name_is_refused(author, here):
    with pytest.raises(InputError, match="one line of text"):
        new_plugin("drizzle", author=author)
    assert not list(here.iterdir())


def test_an_unknown_detector_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"there are .*ild_siecal_regular"):
        new_plugin("drizzle", detector="atlas")


def test_nothing_half_written_stays_when_the_disk_is_full(here):
    code = """
import resource
from calozoo.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
main(["plugin", "new", "drizzle"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("calozoo: ")
    assert done.stderr.count("\n") == 1
    assert not list(here.iterdir())


# What it is worth.


@dataclass(frozen=True)
class Somebody:
    """Somebody with an environment of their own: installed wheels, and a cache."""

    folder: Path

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def install(self, wheel: Path) -> None:
        options = ["--quiet", "--no-index", "--no-deps", "--target", str(self.site), str(wheel)]
        python("-m", "pip", "install", *options, folder=self.folder)

    def types(self, command: str, **variables: str) -> str:
        words = ["-m", "calozoo", *command.split()]
        return python(*words, folder=self.folder, PYTHONPATH=str(self.site), **variables)


def somebody(folder: Path) -> Somebody:
    folder.mkdir()
    return Somebody(folder)


def wheel_of(project: Path, out: Path) -> Path:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    python("-m", "pip", "wheel", *options, str(project), folder=project)
    (wheel,) = out.iterdir()
    return wheel


@pytest.mark.slow
def test_mypy_finds_nothing(here):
    folder = new_plugin("drizzle").folder
    core = Path(importlib.import_module("calozoo_core").__file__).parents[1]
    python("-m", "mypy", folder=folder, MYPYPATH=str(core))


@pytest.mark.slow
def test_a_stranger_trains_it_for_a_minute_and_another_pulls_it_from_the_hub(here, hub):
    author, other = somebody(here / "author"), somebody(here / "other")
    project = new_plugin("drizzle", author.folder / "calozoo-drizzle").folder
    author.install(wheel_of(project, here / "untrained"))
    for part, n in (("train", 1500), ("val", 150), ("test", 400)):
        (author.folder / part).mkdir()
        kind = f"--model toy --energy log:1:100 --dir cone:60 -n {n} --seed {n}"
        author.types(f"generate {kind} --out {part}/photons.h5")

    author.types("train drizzle --data . --out first -o epochs=1 -o steps=10")
    author.types("train drizzle --data . --out run -o budget_minutes=1")
    before, after = (distances(author, weights) for weights in ("first", "run"))
    assert sum(after.values()) < 0.5 * sum(before.values()), (before, after)

    hers = {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
    author.types("publish run --repo my-lab/drizzle --tag v0.1.0", **hers)
    other.install(wheel_of(project, here / "again"))
    other.types("pull hub:my-lab/drizzle@v0.1.0", HF_ENDPOINT=hub.url)
    asked = "--energy 50 -n 3 --out showers.h5"
    other.types(f"generate --model hub:my-lab/drizzle@v0.1.0 --offline {asked}")
    author.types(f"generate --model drizzle --weights run {asked}")
    assert same_file("showers.h5", author, other)

    shutil.copytree(
        author.folder / "run", project / "calozoo_drizzle/weights/ild-photon", dirs_exist_ok=True
    )
    wheel = wheel_of(project, here / "trained")
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {Path(name).name for name in names if "/weights/" in name}
    assert inside >= {"README.md", "config.json", "model.safetensors", "training.json"}
    assert not [name for name in names if name.endswith((".ckpt", "kept.safetensors"))]
    third = somebody(here / "third")
    third.install(wheel)
    third.types(f"generate --model drizzle --offline {asked}")
    assert same_file("showers.h5", author, third)


def distances(author: Somebody, weights: str) -> dict[str, float]:
    """Divergences of profiles of the showers of these weights from those of held-out ones."""
    primaries = "--energy @test/photons.h5 --dir @test/photons.h5"
    made = f"{weights}.h5"
    author.types(f"generate --model drizzle --weights {weights} {primaries} --out {made}")
    report = author.types(f"evaluate {made} --reference test/photons.h5 --workers 1 --json -")
    (found,) = json.loads(report)
    names = {f"points.{name}" for name in ("layer_energy", "radial_energy", "spectrum")}
    js = {f["name"]: f["value"] for f in found["figures"] if f["metric"] == "js"}
    return {name: js[name] for name in names}


def same_file(name: str, *people: Somebody) -> bool:
    return len({(person.folder / name).read_bytes() for person in people}) == 1
