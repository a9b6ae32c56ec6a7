"""The distributions of this repository, and a clean environment to install them into."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import Any

from hatchling import build as backend
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = [
    "CORE",
    "PLUGINS",
    "PROJECTS",
    "REGISTRY",
    "ROOT",
    "Built",
    "Environment",
    "Project",
    "build_wheel",
]

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Project:
    """A folder with a pyproject.toml.

    Arguments:
        folder: The folder.
        settings: What the file says.
    """

    folder: Path
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return self.settings["project"]["name"]

    @property
    def version(self) -> str:
        return self.settings["project"]["version"]

    @property
    def packages(self) -> list[Path]:
        """Its import packages."""
        wheel = self.settings["tool"]["hatch"]["build"]["targets"]["wheel"]
        return [self.folder / package for package in wheel["packages"]]

    def requirements(self, *, extras: bool = True) -> list[Requirement]:
        """What it needs, with what its extras need."""
        project = self.settings["project"]
        optional = project.get("optional-dependencies", {}).values() if extras else ()
        return [Requirement(line) for line in chain(project["dependencies"], *optional)]


def _read(folder: Path) -> Project:
    return Project(folder, tomllib.loads((folder / "pyproject.toml").read_text()))


CORE, REGISTRY = _read(ROOT / "core"), _read(ROOT)
PLUGINS = [_read(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
PROJECTS = [CORE, REGISTRY, *PLUGINS]


@dataclass(frozen=True)
class Built:
    """An sdist, and the wheel that was built from it and from nothing else."""

    project: Project
    sdist: Path
    wheel: Path

    @classmethod
    def make(cls, project: Project, out: Path) -> Built:
        """Build both, as a frontend asks the backend to."""
        with contextlib.chdir(project.folder):
            sdist = out / backend.build_sdist(str(out))
        return cls(project, sdist, build_wheel(sdist, out))

    @classmethod
    def find(cls, project: Project, folder: Path) -> Built:
        """Those that were built into a folder."""
        stem = f"{project.name.replace('-', '_')}-{project.version}"
        (wheel,) = folder.glob(f"{stem}-*.whl")
        return cls(project, folder / f"{stem}.tar.gz", wheel)


def build_wheel(sdist: Path, out: Path) -> Path:
    """Build the wheel of an sdist, from nothing else."""
    unpacked = out / "unpacked"
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    with contextlib.chdir(unpacked / sdist.name.removesuffix(".tar.gz")):
        return out / backend.build_wheel(str(out))


class Environment:
    """An environment of its own, with the libraries that distributions ask for and no others.

    The libraries are links to those of the tests' environment, so nothing is fetched. calozoo comes
    from wheels, and pip resolves what they need.

    Arguments:
        folder: Where to make it.
        wheels: Holds the wheels of calozoo.
        names: The distributions to install.
    """

    def __init__(self, folder: Path, wheels: Path, names: Iterable[str]) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        site = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
        names = list(names)
        for library in third_party(names):
            link(library, site)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        options = ["--quiet", "--no-index", "--find-links", str(wheels), "--no-compile"]
        self._call([*pip, "install", *options, *names], PIP_CONFIG_FILE=os.devnull)

    def run(self, program: str, *arguments: str, fails: bool = False) -> str:
        """What a program of the environment says, on both channels.

        Arguments:
            program: `python` or `calozoo`.
            arguments: What follows it.
            fails: It must end with an error.
        """
        words = [str(self.folder / "bin" / program), *arguments]
        return self._call(words, fails=fails, HF_HOME=str(self.folder / "huggingface"))

    def _call(self, words: list[str], *, fails: bool = False, **variables: str) -> str:
        hidden = ("CALOZOO_L", "CALOZOO_STRICT", "HF_", "PIP_", "PYTHON")
        ours = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=ours | {"HF_ENDPOINT": "http://127.0.0.1:9"} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert (done.returncode != 0) == fails, f"{' '.join(words)}\n{done.stdout}"
        return done.stdout


def third_party(names: Iterable[str]) -> set[str]:
    """What these distributions need of others, and those of others, without extras of ours."""
    ours = {project.name: project for project in PROJECTS}
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [Requirement(name) for name in names]
    while left:
        needed = left.pop()
        name, extras = canonicalize_name(needed.name), frozenset(needed.extras) or frozenset({""})
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name in ours:
            left += ours[name].requirements(extras=False)
            continue
        found.add(name)
        for requirement in map(Requirement, distribution(name).requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                left.append(requirement)
    return found


def link(library: str, site: Path) -> None:
    """Make an installed library importable from another folder, metadata and all."""
    installed = distribution(library)
    for top in {file.parts[0] for file in installed.files or ()}:
        target = Path(str(installed.locate_file(top)))
        if top not in ("..", "__pycache__") and not (site / top).exists() and target.exists():
            (site / top).symlink_to(target)
