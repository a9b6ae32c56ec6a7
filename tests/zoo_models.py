"""Weights of a test model in a repository of the Hub, in a plugin's wheel, and in the cache."""

from __future__ import annotations

import hashlib
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from calozoo import api
from calozoo.models.discovery import Registration
from calozoo.models.index import IndexEntry
from calozoo.models.weights import Pulled, pull
from calozoo_core.generator import Conditions, ModelSpec

__all__ = [
    "NOBODY",
    "OWN_CARD",
    "PLUGIN",
    "REPO",
    "TRAINED",
    "TRAINED_REPO",
    "Zoo",
    "hashes",
    "index_entry",
    "read",
    "trained",
    "weights",
]

REPO = "calozoo/caloclouds3.ild-photon"
TRAINED, TRAINED_REPO = "caloclouds3.ild-photon", "my-lab/photons"
"""A model that is there to be published, and where to."""

OWN_CARD = "---\nlicense: mit\n---\n# Ours\n\nSee <https://arxiv.org/abs/2511.01460>.\n"

NOBODY = "http://127.0.0.1:9"
"""An address at which no server listens."""

PLUGIN = """
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    SPEC = ModelSpec(
        name="cc.ild", summary="A test.", factory="zoo_plugin:Nothing", representation="x9",
        detector="ild_siecal_regular", conditions=Conditions(energy_gev=(1, 10)),
        weights="calozoo_core:nothing", license="MIT",
    )

    @hookimpl
    def register_models(register):
        register(SPEC)
"""
"""The source of a plugin that brings the model, and no weights of its own."""


def weights(size: int = 5000, seed: int = 0) -> dict[str, bytes]:
    """The files of a repository; only their bytes matter here."""
    return {
        "config.json": b'{"seed": %d}' % seed,
        "model.safetensors": random.Random(seed).randbytes(size),
        "README.md": b"# A card\n",
    }


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """What the index says of the files that are loaded."""
    loaded = ("config.json", "model.safetensors")
    return {name: hashlib.sha256(files[name]).hexdigest() for name in loaded}


def index_entry(commit: str | None, files: dict[str, bytes], version: str | None = None):
    return IndexEntry(
        name="cc.ild",
        summary="A test.",
        distribution="zoo-cc",
        version=version,
        repo=REPO,
        revision=commit,
        sha256=hashes(files),
    )


@dataclass
class Zoo:
    """A model, the cache, and whatever the wheel brings."""

    folder: Path
    bundled: dict[str, bytes] = field(default_factory=dict)
    version: str = "1.0"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def repo_folder(self) -> Path:
        return self.cache / f"models--{REPO.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        return self.repo_folder / "snapshots" / commit

    def pull(self, entry: IndexEntry | None, endpoint: str = NOBODY, **options) -> Pulled:
        package = self.folder / "site" / "zoo_cc"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        for name, content in self.bundled.items():
            (package / "weights").mkdir(exist_ok=True)
            (package / "weights" / name).write_bytes(content)
        spec = ModelSpec(
            name="cc.ild",
            summary="A test.",
            factory="zoo_cc:Nothing",
            representation="x9",
            detector="ild_siecal_regular",
            conditions=Conditions(energy_gev=(1, 10)),
            weights="zoo_cc:weights",
            license="MIT",
        )
        registration = Registration(spec, "zoo-cc", self.version)
        return pull(registration, entry, endpoint=endpoint, cache_dir=self.cache, **options)


def read(pulled: Pulled) -> dict[str, bytes]:
    assert pulled.folder is not None
    return {file.name: (pulled.folder / file.name).read_bytes() for file in pulled.files}


def trained(folder: Path) -> Path:
    """A folder as a training leaves it: the plugin's own weights, one blank longer."""
    shutil.copytree(api.pull(TRAINED, offline=True).folder, folder)
    config = folder / "config.json"
    config.write_text(config.read_text() + " ")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"pickle")
    (folder / "weights.pt").write_bytes(b"pickle")
    return folder
