"""Models in repositories of the Hub that no index needs to know: `hub:ORG/NAME[@REVISION]`.

Which model the weights are for is written on the repository's card, in its front matter:

    calozoo:
      model: caloclouds3.ild-photon
      plugin: calozoo-caloclouds3

These lines are found as text, and only at the beginning of the card: a card is written by
third parties, and YAML can be written that keeps a parser busy for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from calozoo.hub.cache import CARD_FILE
from calozoo.models.index import read_index
from calozoo.models.names import HUB_PREFIX, find, split_repository
from calozoo.models.weights import Pulled, pull_repository
from calozoo_core.errors import ModelNameError, WeightsError
from calozoo_core.specs import ArchitectureName
from calozoo_core.weights import CONFIG_FILE, read_config

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration

__all__ = ["CardLabel", "find_registration", "labelled", "pull_model", "read_label"]

READ_BYTES: Final = 1 << 16

_FRONT_MATTER: Final = re.compile(
    r"\A\s*---[ \t]*\n(?P<facts>.*?^)---[ \t]*$", re.DOTALL | re.MULTILINE
)
_LABEL: Final = re.compile(r"^calozoo:[ \t]*\n(?P<lines>(?:[ \t]+\S.*\n)+)", re.MULTILINE)
_LINE: Final = r"^[ \t]+{}:[ \t]*[\"']?({})[\"']?[ \t]*$"
_MODEL: Final = re.compile(
    _LINE.format("model", r"[a-z0-9][a-z0-9_-]*\.[a-z0-9][a-z0-9_+-]*"), re.MULTILINE
)
_PLUGIN: Final = re.compile(_LINE.format("plugin", r"[A-Za-z0-9][\w.-]*"), re.MULTILINE)


@dataclass(frozen=True)
class CardLabel:
    """Lines of a card that name the model its weights are for.

    Arguments:
        model: The model's name, `architecture.tag`.
        plugin: The distribution that brings it; None if the card does not say.
    """

    model: str
    plugin: str | None = None


class _ConfigHead(BaseModel):
    """The field of every `config.json` that names the architecture."""

    architecture: ArchitectureName | None = None


def pull_model(
    name: str,
    *,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> tuple[Registration, Pulled]:
    """The weights in a repository, checked with the Hub's own hashes, and the model they are for.

    Arguments:
        name: `hub:ORG/NAME[@REVISION]`; without a revision the main branch, and the result's note
            names its commit.
        offline: Use no network.
        endpoint: Address of the Hub; by default that of huggingface_hub.
        cache_dir: The Hugging Face cache; by default where it always is.

    Raises:
        InputError: If the name is not `hub:ORG/NAME[@REVISION]`.
        HubError: If the Hub does not have them, or cannot be reached and they are not in the cache.
        WeightsError: If they are damaged, or do not say what they are for.
        ModelNameError: If no installed plugin brings the model; the message says what to install.
    """
    repo, revision = split_repository(name)
    pulled = pull_repository(
        repo, revision, offline=offline, endpoint=endpoint, cache_dir=cache_dir
    )
    assert pulled.folder is not None
    registration = find_registration(pulled.folder, repo)
    if revision is None:
        commit = pulled.commit
        which = f"main of {repo} is {commit}; write {HUB_PREFIX}{repo}@{commit} to have it again."
        pulled = replace(pulled, note=f"{pulled.note} {which}".lstrip())
    return registration, replace(pulled, model=registration.spec.name)


def find_registration(folder: Path, where: str | None = None) -> Registration:
    """The installed model that the weights in a folder are for.

    The card names it, or else `config.json` names the architecture, which means its default model;
    or the one that feeds that, if it has no networks of its own.

    Arguments:
        folder: Holds `config.json` and perhaps a card.
        where: What to call it in messages, if not by its path.

    Raises:
        WeightsError: If neither names one.
        ModelNameError: If no installed plugin brings the model; the message says what to install.
    """
    named = read_label(folder / CARD_FILE)
    label = named or CardLabel(_architecture(folder, where))
    try:
        found = find(label.model)
        return found if named or found.spec.source is None else find(found.spec.source)
    except ModelNameError as error:
        if label.model in read_index() or label.plugin is None:
            msg = f"{where or folder} holds weights of {label.model}: {error}"
        else:
            msg = (
                f"{where or folder} holds weights of {label.model}, which is not installed; if you "
                f"trust its authors, type `pip install {label.plugin}`, as its card says."
            )
        raise ModelNameError(msg) from error


def read_label(card: Path) -> CardLabel | None:
    """The label of a card; None if there is no card, or no label on it."""
    if not card.is_file():
        return None
    with card.open("rb") as file:
        text = file.read(READ_BYTES).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    matter = _FRONT_MATTER.match(text)
    label = matter and _LABEL.search(matter["facts"])
    model = label and _MODEL.search(label["lines"])
    if not label or not model:
        return None
    plugin = _PLUGIN.search(label["lines"])
    return CardLabel(model[1], plugin[1] if plugin else None)


def labelled(text: str, label: CardLabel) -> str:
    """The text of a card with a label at the end of its front matter, which is made if need be.

    Example:
        >>> print(labelled("---\\nlicense: mit\\n---\\n# A card", CardLabel("toy.ild", "zoo-toy")))
        ---
        license: mit
        calozoo:
          model: toy.ild
          plugin: zoo-toy
        ---
        # A card
    """
    text = text.replace("\r\n", "\n")
    matter = _FRONT_MATTER.match(text)
    lines = f"calozoo:\n  model: {label.model}\n"
    if label.plugin is not None:
        lines += f"  plugin: {label.plugin}\n"
    if matter is None:
        return f"---\n{lines}---\n\n{text}"
    end = matter.end("facts")
    return text[:end] + lines + text[end:]


def _architecture(folder: Path, where: str | None) -> str:
    architecture = read_config(folder, _ConfigHead).architecture
    if architecture is None:
        msg = (
            f"{where or folder} does not say which model its weights are of; its {CONFIG_FILE} "
            "needs an architecture, or its card the lines that `calozoo publish` writes."
        )
        raise WeightsError(msg)
    return architecture
