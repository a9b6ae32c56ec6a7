"""A new plugin from a template: a whole distribution, with a small model that learns."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from calozoo.scaffold.names import PluginNames, check_free, plugin_names
from calozoo_core.errors import CalozooError, InputError, OutputExistsError
from calozoo_core.generator import PLUGIN_API

__all__ = ["FILES", "NewPlugin", "new_plugin"]

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
"""Where the files of the template go."""


@dataclass(frozen=True)
class NewPlugin:
    """A plugin that has just been written.

    Arguments:
        names: What it and its parts are called.
        folder: Where it is.
        files: Paths of its files, from that folder.
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
    """Write a new plugin, whole or not at all.

    Arguments:
        name: Of the model's architecture.
        folder: Where to; by default `calozoo-NAME` here.
        author: For the licence and the metadata; by default "The calozoo-NAME authors".
        detector: Name of the detector that its showers belong to.

    Raises:
        InputError: If the name cannot be one or is taken, the author is no name, or there is no
            such detector.
        OutputExistsError: If the folder is there already.
        CalozooError: If it cannot be written.
    """
    names = plugin_names(name, detector)
    check_free(names)
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


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write all of it beside the folder first."""
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
