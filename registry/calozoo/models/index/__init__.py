"""Index of known models, installed or not: their distributions and where their weights are."""

from __future__ import annotations

import json
import os
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from calozoo_core.errors import InputError
from calozoo_core.specs import ArchitectureName, ModelName
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import WEIGHT_FILES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["IndexEntry", "forget", "read_entry", "read_index"]

MAX_ENTRY_BYTES = 1 << 16

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\p{C}]+$")]
"""Text to print: without control characters, which a terminal would obey."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class IndexEntry(StrictModel):
    """Entry of the index: one known model.

    Arguments:
        name: `architecture.tag`.
        default: Whether the bare architecture means this model, as the first one that its plugin
            registers.
        aliases: Other names of the architecture.
        summary: One sentence.
        distribution: The distribution to install.
        version: The version of that distribution whose wheel holds exactly the files hashed here;
            None if its wheel holds no weights.
        repo: Its repository on the Hub, as `organisation/name`; None if it has none.
        revision: The commit the hashes belong to, 40 hexadecimal digits; None until one is
            published.
        sha256: Of every weights file, by name.
    """

    name: ModelName
    default: bool = False
    aliases: tuple[ArchitectureName, ...] = ()
    summary: Text
    distribution: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$")]
    version: Text | None = None
    repo: Annotated[str, StringConstraints(pattern=r"^[\w-][\w.-]*/[\w-][\w.-]*$")] | None = None
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    sha256: dict[Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")], Sha256] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _a_revision_is_pinned_with_its_files(self) -> IndexEntry:
        if self.revision and not (self.repo and self.sha256.keys() >= set(WEIGHT_FILES)):
            msg = "a revision needs a repo and the sha256 of config.json and model.safetensors"
            raise ValueError(msg)
        return self

    def as_toml(self) -> str:
        """The text of its file in the index, which `read_entry` reads."""
        fields = self.model_dump(exclude_defaults=True, exclude={"sha256"})
        # TOML writes these values as JSON does.
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()
        ]
        if self.sha256:
            lines += ["", "[sha256]"]
            lines += [f'"{name}" = "{digest}"' for name, digest in self.sha256.items()]
        return "\n".join(lines) + "\n"


def read_index() -> dict[str, IndexEntry]:
    """Every known model by name, those that a bare architecture means before the others.

    calozoo's own entries are read, and those of the folder that the environment variable
    `CALOZOO_INDEX` names, which replace an entry of the same name. They are read once in a process.

    Raises:
        InputError: If a file of that folder is not an index entry.
    """
    return dict(_read(os.environ.get("CALOZOO_INDEX")))


def forget() -> None:
    """Read the index again at the next call."""
    _read.cache_clear()


@cache
def _read(further: str | None) -> dict[str, IndexEntry]:
    entries = _entries(files(__name__))
    if further:
        folder = Path(further)
        if not folder.is_dir():
            msg = f"CALOZOO_INDEX names {folder}, which is not a folder."
            raise InputError(msg)
        entries |= _entries(folder)
    return dict(sorted(entries.items(), key=lambda item: not item[1].default))


def _entries(folder: Traversable) -> dict[str, IndexEntry]:
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {entry.name: entry for entry in map(read_entry, found)}


def read_entry(file: Traversable) -> IndexEntry:
    """One entry from its TOML file.

    Raises:
        InputError: If it is not an index entry.
    """
    try:
        return IndexEntry.model_validate(tomllib.loads(_text(file)))
    except ValidationError as error:
        first = error.errors()[0]
        place = repr(".".join(str(part) for part in first["loc"])[:80])[1:-1] or "the top"
        msg = f"{file} is not an index entry: {first['msg']} at {place}."
        raise InputError(msg) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = repr(str(error)[:80])[1:-1]
        msg = f"{file} cannot be read as TOML ({reason}); correct it or remove it."
        raise InputError(msg) from error


def _text(file: Traversable) -> str:
    with file.open("rb") as opened:
        content = opened.read(MAX_ENTRY_BYTES + 1)
    if len(content) > MAX_ENTRY_BYTES:
        msg = f"it is larger than {MAX_ENTRY_BYTES} bytes"
        raise ValueError(msg)
    return content.decode("utf-8")
