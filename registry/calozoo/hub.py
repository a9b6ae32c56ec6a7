"""The Hugging Face Hub: what a revision is, and the files of a commit into the cache."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from calozoo import __version__
from calozoo.cache import PULLED_FILES, CachedRepo, is_commit
from calozoo_core.errors import HubError
from calozoo_core.weights import WEIGHT_FILES

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from tqdm import tqdm

__all__ = ["Hub", "HubUnreachableError", "NotOnHubError"]

TIMEOUT = 10.0
"""Seconds after which a Hub that does not answer is taken to be away."""


class NotOnHubError(HubError):
    """The Hub was reached and does not have it."""


class HubUnreachableError(HubError):
    """The Hub could not be reached, or broke off."""


@dataclass(frozen=True)
class Hub:
    """A Hub and the cache that its files go to.

    Arguments:
        cache: The Hugging Face cache.
        endpoint: Address of the Hub; None for the one huggingface_hub is set up for.
    """

    cache: Path
    endpoint: str | None = None

    def resolve(self, repo: str, revision: str) -> str:
        """The commit that a branch or tag is, now.

        Arguments:
            repo: As `organisation/name`.
            revision: What to look up.

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
        """Bring the weights files of a commit into the cache, and check every one.

        A connection that breaks is resumed where it broke; files that are here already are not
        fetched again. Only the configuration, the tensors and the card are ever asked for.

        Arguments:
            repo: As `organisation/name`.
            commit: Its full hash.
            digests: The sha256 that is known of each file beforehand; others are compared with
                what the Hub itself says of them.

        Raises:
            NotOnHubError: If there is no such repository, commit or file.
            HubUnreachableError: If the Hub does not answer, or breaks off.
            HubError: If the repository lists a path that leaves its folder, or the cache cannot be
                written.
            WeightsError: If a file is not what it should be; it is not kept.
        """
        from huggingface_hub import snapshot_download

        with self._plainly(repo, commit):
            listed = self._listed(repo, commit)
            _refuse_foreign_paths(repo, listed)
            _refuse_incomplete(repo, commit, listed)
            with _progress_bars() as bar:
                snapshot_download(
                    repo,
                    revision=commit,
                    allow_patterns=list(PULLED_FILES),
                    cache_dir=self.cache,
                    endpoint=self.endpoint,
                    library_name="calozoo",
                    library_version=__version__,
                    tqdm_class=bar,
                )
        cached = CachedRepo(self.cache, repo)
        cached.check(commit, {**listed, **digests})
        if not cached.has(commit):
            msg = f"{repo}@{_short(commit)} did not arrive whole; pull the model again."
            raise HubUnreachableError(msg)

    def _listed(self, repo: str, commit: str) -> dict[str, str]:
        """The digest of every file of a commit, by path, as the Hub says it; empty if it does not.

        Asked for first, since a Hub that is away shows here at once, where huggingface_hub's
        downloads try for half a minute.
        """
        files = self._about(repo, commit).siblings or []
        return {
            file.rfilename: (file.lfs.sha256 if file.lfs is not None else file.blob_id) or ""
            for file in files
        }

    def _about(self, repo: str, revision: str) -> ModelInfo:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint).model_info(
            repo, revision=revision, files_metadata=True, timeout=TIMEOUT
        )

    @contextmanager
    def _plainly(self, repo: str, revision: str) -> Iterator[None]:
        """Keep huggingface_hub's warnings to itself, and say its errors in one sentence of ours."""
        from huggingface_hub import errors

        where = f"{repo}@{_short(revision)}"
        logger = logging.getLogger("huggingface_hub")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except HubError:
            raise
        except errors.GatedRepoError as error:
            msg = f"{repo} is open to people it has been granted to only; set HF_TOKEN."
            raise NotOnHubError(msg) from error
        except errors.RepositoryNotFoundError as error:
            msg = f"the Hub has no repository {repo}; if it is a private one, set HF_TOKEN."
            raise NotOnHubError(msg) from error
        except errors.RevisionNotFoundError as error:
            msg = f"the Hub has no revision {revision} of {repo}; leave out @{_short(revision)}."
            raise NotOnHubError(msg) from error
        except errors.HFValidationError as error:
            msg = f"{where} is not a name the Hub can have; write it as MODEL@REVISION."
            raise NotOnHubError(msg) from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            msg = f"the Hub answered {status} for {where}; try again later."
            raise HubUnreachableError(msg) from error
        except OSError as error:
            if error.errno is None or isinstance(error, ConnectionError):
                raise self._unreachable(where, error) from error
            msg = (
                f"{self.cache} cannot be written ({error.strerror}); set HF_HOME to another place."
            )
            raise HubError(msg) from error
        except Exception as error:  # httpx's own, whose module differs between versions
            raise self._unreachable(where, error) from error
        finally:
            logger.setLevel(level)

    def _unreachable(self, where: str, error: Exception) -> HubUnreachableError:
        """What to say when the way to the Hub is the trouble."""
        from huggingface_hub import constants

        reason = _reason(error)
        address = self.endpoint or constants.ENDPOINT
        msg = f"{where} cannot be fetched from {address} ({reason})."
        return HubUnreachableError(msg)


def _refuse_foreign_paths(repo: str, paths: Mapping[str, str]) -> None:
    for path in paths:
        parts = (*PurePosixPath(path).parts, *PureWindowsPath(path).parts)
        if path.startswith("/") or PureWindowsPath(path).anchor or ".." in parts:
            msg = f"{repo} lists {path!r}, a path that leaves its folder; nothing was fetched."
            raise HubError(msg)


def _refuse_incomplete(repo: str, commit: str, paths: Mapping[str, str]) -> None:
    for name in WEIGHT_FILES:
        if name not in paths:
            msg = f"{repo}@{_short(commit)} has no {name}; it does not hold weights for calozoo."
            raise NotOnHubError(msg)


@contextmanager
def _progress_bars() -> Iterator[type[tqdm]]:
    """The bars of a download: none where stderr is no terminal, and none left behind on one."""
    from tqdm import tqdm

    shown: list[tqdm] = []

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"leave": False, "disable": None})
            shown.append(self)

    try:
        yield Bar
    finally:
        # huggingface_hub leaves some open, which would blank lines of whatever is printed next.
        for bar in reversed(shown):
            bar.close()


def _short(revision: str) -> str:
    return revision[:12] if is_commit(revision) else revision


def _reason(error: BaseException) -> str:
    """The first cause of an error, in a few words."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    return re.sub(r"^\[Errno -?\d+\] |[.\s]+$", "", first)
