"""Downloads from the Hub: the commit of a revision, and the files of a commit, into the cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from calozoo.hub.cache import CARD_FILE, PULLED_FILES, CachedRepo, is_commit
from calozoo.hub.errors import (
    HubUnreachableError,
    NotOnHubError,
    download_bars,
    plainly,
    short,
)
from calozoo_core.errors import HubError
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, WEIGHT_FILES

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from huggingface_hub.hf_api import RepoSibling

__all__ = ["MAX_TEXT_BYTES", "Hub"]

TIMEOUT = 10.0
"""Seconds to wait for an answer of the Hub."""

MAX_TEXT_BYTES = 1 << 20
"""Size of the longest configuration or card that is fetched."""


@dataclass(frozen=True)
class Hub:
    """A Hub, and the cache that its files are downloaded to.

    Arguments:
        cache: The Hugging Face cache.
        endpoint: Address of the Hub; None for the one huggingface_hub is set up for.
    """

    cache: Path
    endpoint: str | None = None

    def resolve(self, repo: str, revision: str) -> str:
        """The present commit of a branch or tag.

        Arguments:
            repo: As `organisation/name`.
            revision: The branch or tag.

        Raises:
            NotOnHubError: If there is no such repository or revision.
            HubUnreachableError: If the Hub does not answer.
        """
        with self._plainly(repo, revision):
            commit = self._about(repo, revision).sha
        if commit is None or not is_commit(commit):
            msg = f"the Hub gave no commit for {repo}@{revision}; name a commit instead."
            raise NotOnHubError(msg)
        return commit

    def fetch(self, repo: str, commit: str, digests: Mapping[str, str]) -> None:
        """Download the weights files of a commit into the cache, and check every one.

        A broken connection is resumed where it broke; files that are here already are not fetched
        again. Only the configuration, the tensors and the card are fetched, by one process at a
        time, and the tensors last: whoever sees them in the cache sees the rest.

        Arguments:
            repo: As `organisation/name`.
            commit: Its full hash.
            digests: The sha256 that is known of each file beforehand; other files are compared
                with the digests that the Hub gives.

        Raises:
            NotOnHubError: If there is no such repository, commit or file.
            HubUnreachableError: If the Hub does not answer, or breaks off.
            HubError: If the repository lists a path that leaves its folder, or the cache cannot be
                written.
            WeightsError: If a file has another digest; it is not kept.
        """
        cached = CachedRepo(self.cache, repo)
        with self._plainly(repo, commit):
            # First, since this fails at once if the Hub does not answer, where a download tries for
            # half a minute.
            listed = self._listed(repo, commit)
            _refuse_foreign_paths(repo, listed)
            _refuse_incomplete(repo, commit, listed)
            _refuse_long_texts(repo, listed)
            with cached.locked():
                if not cached.has(commit):  # or else another process was faster
                    self._download(repo, commit)
        cached.check(commit, {**_digests(listed), **digests})
        if not cached.has(commit):
            msg = f"{repo}@{short(commit)} did not arrive whole; pull the model again."
            raise HubUnreachableError(msg)

    def digests(self, repo: str, revision: str) -> dict[str, str]:
        """The digest of every file of a revision, by path, as the Hub gives it.

        That is the sha256 of a large file, and git's name of the blob for a small one; empty if the
        Hub gives none.

        Raises:
            NotOnHubError: If there is no such repository or revision.
            HubUnreachableError: If the Hub does not answer.
        """
        with self._plainly(repo, revision):
            return _digests(self._listed(repo, revision))

    def search(self, text: str, limit: int = 100) -> list[str]:
        """The repositories of models that are tagged `calozoo`, as `organisation/name`.

        Arguments:
            text: What the Hub is asked to look for; empty for all.
            limit: At most so many.

        Raises:
            HubUnreachableError: If the Hub does not answer.
        """
        from huggingface_hub import HfApi

        self.reach()
        with plainly("the list of models", endpoint=self.endpoint):
            api = HfApi(endpoint=self.endpoint)
            found = api.list_models(filter="calozoo", search=text or None, limit=limit)
            return [model.id for model in found]

    def reach(self) -> str:
        """The address of the Hub, if it answers to one small request.

        Raises:
            HubUnreachableError: If it does not.
        """
        from huggingface_hub import constants, get_session

        address = self.endpoint or constants.ENDPOINT
        with plainly("the list of models", endpoint=self.endpoint):
            url = f"{address}/api/models?filter=calozoo&limit=1"
            answer = get_session().get(url, timeout=TIMEOUT)
        if answer.status_code >= 500:
            msg = f"{address} answers {answer.status_code}; try again later."
            raise HubUnreachableError(msg)
        return address

    def _download(self, repo: str, commit: str) -> None:
        from huggingface_hub import snapshot_download

        with download_bars() as bar:
            for names in ([name for name in PULLED_FILES if name != TENSORS_FILE], [TENSORS_FILE]):
                snapshot_download(
                    repo,
                    revision=commit,
                    allow_patterns=names,
                    cache_dir=self.cache,
                    endpoint=self.endpoint,
                    library_name="calozoo",
                    library_version=version("calozoo"),
                    tqdm_class=bar,
                )

    def _listed(self, repo: str, revision: str) -> dict[str, RepoSibling]:
        files = self._about(repo, revision).siblings or []
        return {file.rfilename: file for file in files}

    def _about(self, repo: str, revision: str) -> ModelInfo:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint).model_info(
            repo, revision=revision, files_metadata=True, timeout=TIMEOUT
        )

    def _plainly(self, repo: str, revision: str) -> AbstractContextManager[None]:
        return plainly(repo, revision, endpoint=self.endpoint, cache=self.cache)


def _digests(listed: Mapping[str, RepoSibling]) -> dict[str, str]:
    return {
        name: (file.lfs.sha256 if file.lfs is not None else file.blob_id) or ""
        for name, file in listed.items()
    }


def _refuse_foreign_paths(repo: str, paths: Mapping[str, RepoSibling]) -> None:
    for path in paths:
        parts = (*PurePosixPath(path).parts, *PureWindowsPath(path).parts)
        if path.startswith("/") or PureWindowsPath(path).anchor or ".." in parts:
            msg = f"{repo} lists {path!r}, a path that leaves its folder; nothing was fetched."
            raise HubError(msg)


def _refuse_incomplete(repo: str, commit: str, paths: Mapping[str, RepoSibling]) -> None:
    for name in WEIGHT_FILES:
        if name not in paths:
            msg = f"{repo}@{short(commit)} has no {name}; it does not hold weights for calozoo."
            raise NotOnHubError(msg)


def _refuse_long_texts(repo: str, paths: Mapping[str, RepoSibling]) -> None:
    for name in (CONFIG_FILE, CARD_FILE):
        if name in paths and (paths[name].size or 0) > MAX_TEXT_BYTES:
            msg = (
                f"{name} of {repo} is larger than {MAX_TEXT_BYTES} bytes, which none should be; "
                "nothing was fetched."
            )
            raise HubError(msg)
