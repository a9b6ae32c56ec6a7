"""Scaffold of a new plugin: a distribution with a small trainable model, from a template."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from calozoo.models.index import IndexEntry, read_index
from calozoo.models.names import list_models
from calozoo_core.detector import list_detectors
from calozoo_core.errors import CalozooError, InputError, OutputExistsError
from calozoo_core.generator import PLUGIN_API, ModelSpec

__all__ = ["FILES", "NewPlugin", "PluginNames", "new_plugin", "plugin_names", "render"]

DETECTOR: Final = "ild_siecal_regular"
SUMMARY: Final = "Photon showers from two learned densities: of layers, and of their points."
LICENSE: Final = "MIT"

FILES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "gitignore": ".gitignore",
    "test.yml": ".github/workflows/test.yml",
    "init.py": "$module/__init__.py",
    "layers.py": "$module/layers.py",
    "network.py": "$module/network.py",
    "model.py": "$module/model.py",
    "training.py": "$module/training.py",
    "card.md": "$module/weights/$tag/README.md",
    "py.typed": "$module/py.typed",
    "test_model.py": "tests/test_$entry.py",
}
"""Paths of the template's files in the new plugin."""

_ARCHITECTURE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 30


@dataclass(frozen=True)
class PluginNames:
    """Names of a new plugin and its parts.

    Arguments:
        architecture: The architecture of its model.
        detector: The detector of its showers.
    """

    architecture: str
    detector: str

    @property
    def tag(self) -> str:
        """The tag of the model: photons in the detector's experiment."""
        return f"{self.detector.partition('_')[0]}-photon"

    @property
    def model(self) -> str:
        """The full name of the model."""
        return f"{self.architecture}.{self.tag}"

    @property
    def distribution(self) -> str:
        """The distribution, which pip installs."""
        return f"calozoo-{self.architecture}"

    @property
    def module(self) -> str:
        """The package, which Python imports."""
        return self.distribution.replace("-", "_")


@dataclass(frozen=True)
class NewPlugin:
    """Plugin that was written.

    Arguments:
        names: The names of it and its parts.
        folder: The folder that it was written to.
        files: Paths of its files in that folder.
    """

    names: PluginNames
    folder: Path
    files: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "model": self.names.model,
            "distribution": self.names.distribution,
            "package": self.names.module,
            "folder": str(self.folder),
            "files": list(self.files),
        }


def new_plugin(
    name: str, folder: Path | None = None, *, author: str | None = None, detector: str = DETECTOR
) -> NewPlugin:
    """Write a new plugin, completely or not at all.

    Arguments:
        name: Name of the model's architecture.
        folder: Folder to write; by default `calozoo-NAME` in the working directory.
        author: For the licence and the metadata; by default "The calozoo-NAME authors".
        detector: Name of the detector of its showers.

    Raises:
        InputError: If the name cannot be one or is taken, the author is no name, or there is no
            such detector.
        OutputExistsError: If the folder is there already.
        CalozooError: If it cannot be written.
    """
    names = plugin_names(name, detector)
    _check_free(names)
    folder = Path(names.distribution) if folder is None else folder
    if folder.exists() or folder.is_symlink():
        msg = f"{folder} is there already; choose another --out, or remove it."
        raise OutputExistsError(msg)
    default = f"The {names.distribution} authors"
    texts = render(names, default if author is None else author)
    try:
        _write(folder, texts)
    except OSError as error:
        msg = f"{folder} cannot be written ({error.strerror}); choose another --out."
        raise CalozooError(msg) from error
    return NewPlugin(names, folder, tuple(texts))


def plugin_names(name: str, detector: str) -> PluginNames:
    """The names of a plugin, from the name of its architecture.

    That is part of the names of a distribution, in its normal form (PEP 503), and of a module.

    Arguments:
        name: Name of the architecture, with or without `calozoo-` before it.
        detector: Name of a detector that comes with calozoo.

    Raises:
        InputError: If the name cannot be one, or there is no such detector.

    Example:
        >>> names = plugin_names("calozoo-late-rain", "ild_siecal_regular")
        >>> names.model, names.distribution, names.module
        ('late-rain.ild-photon', 'calozoo-late-rain', 'calozoo_late_rain')
    """
    architecture = name.removeprefix("calozoo-")
    if not _ARCHITECTURE.fullmatch(architecture) or len(architecture) > _LONGEST:
        msg = (
            f"A plugin cannot be called {name!r}: take lower-case letters, digits and single "
            f"dashes, a letter first, at most {_LONGEST} of them."
        )
        raise InputError(msg)
    if detector not in list_detectors():
        msg = f"No detector is called {detector!r}; there are {', '.join(list_detectors())}."
        raise InputError(msg)
    return PluginNames(architecture, detector)


def render(names: PluginNames, author: str) -> dict[str, str]:
    """The text of every file of a new plugin, by its path.

    Raises:
        InputError: If the author's name is empty or has a line break or the like in it.
    """
    if not author.strip() or not author.isprintable():
        msg = f"{author!r} is not the name of an author; give --author one line of text."
        raise InputError(msg)
    words = {
        "name": names.architecture,
        "entry": names.architecture.replace("-", "_"),
        "model": names.model,
        "tag": names.tag,
        "distribution": names.distribution,
        "module": names.module,
        "detector": names.detector,
        "summary": SUMMARY,
        "plugin_api": str(PLUGIN_API),
        "license": LICENSE,
        "license_lower": LICENSE.lower(),
        "author": author,
        "author_quoted": json.dumps(author, ensure_ascii=False),
    }
    template = files(__name__) / "template"
    return {
        Template(target).substitute(words): Template(
            (template / f"{source}.tmpl").read_text(encoding="utf-8")
        ).substitute(words)
        for source, target in FILES.items()
    }


def _check_free(names: PluginNames) -> None:
    """Refuse names that are in use already, here or in the index.

    Raises:
        InputError: If a model, a distribution or a module has such a name.
    """
    models: list[ModelSpec | IndexEntry] = [*list_models(), *read_index().values()]
    for known in models:
        if names.architecture in (known.name.partition(".")[0], *known.aliases):
            msg = f"{names.architecture!r} is the name of {known.name} already; choose another."
            raise InputError(msg)
    taken = {entry.distribution for entry in read_index().values()}
    if names.distribution in taken or _is_installed(names):
        msg = f"There is a {names.distribution} already; choose another name."
        raise InputError(msg)


def _is_installed(names: PluginNames) -> bool:
    try:
        importlib.metadata.distribution(names.distribution)
    except importlib.metadata.PackageNotFoundError:
        return importlib.util.find_spec(names.module) is not None
    return True


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a temporary folder beside the folder, and rename it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", suffix=".part", dir=folder.parent
    ) as place:
        whole = Path(place) / folder.name
        for path, text in texts.items():
            target = whole / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        whole.rename(folder)
