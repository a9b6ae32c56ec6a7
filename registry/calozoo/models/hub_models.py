"""Models in a repository of the Hub that no index needs to know: `hub:ORG/NAME[@REVISION]`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from calozoo.hub.cache import CARD_FILE
from calozoo.models.card_metadata import CardLabel, read_label
from calozoo.models.index import read_index
from calozoo.models.names import HUB_PREFIX, find, split_repository
from calozoo.models.weights import Pulled, pull_repository
from calozoo_core.errors import ModelNameError, WeightsError
from calozoo_core.generator import ArchitectureName
from calozoo_core.weights import CONFIG_FILE, read_config

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration

__all__ = ["find_registration", "pull_model"]


class _ConfigHead(BaseModel):
    """What every weights configuration may say of its model."""

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
            says which commit that is.
        offline: Ask nothing of the network.
        endpoint: Address of the Hub; by default that of huggingface_hub.
        cache_dir: The Hugging Face cache; by default where it always is.

    Raises:
        InputError: If the name is none.
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

    Its card says so, or else `config.json`, which names the architecture: then it is the first
    model of that.

    Arguments:
        folder: Holds `config.json` and perhaps a card.
        where: What to call it in messages, if not by its path.

    Raises:
        WeightsError: If neither says.
        ModelNameError: If no installed plugin brings the model; the message says what to install.
    """
    label = read_label(folder / CARD_FILE) or CardLabel(_architecture(folder, where))
    try:
        return find(label.model)
    except ModelNameError as error:
        if label.model in read_index() or label.plugin is None:
            msg = f"{where or folder} holds weights of {label.model}: {error}"
        else:
            msg = (
                f"{where or folder} holds weights of {label.model}, which is not installed; if you "
                f"trust its authors, type `pip install {label.plugin}`, as its card says."
            )
        raise ModelNameError(msg) from error


def _architecture(folder: Path, where: str | None) -> str:
    architecture = read_config(folder, _ConfigHead).architecture
    if architecture is None:
        msg = (
            f"{where or folder} does not say which model its weights are of; its {CONFIG_FILE} "
            "needs an architecture, or its card the lines that `calozoo publish` writes."
        )
        raise WeightsError(msg)
    return architecture
