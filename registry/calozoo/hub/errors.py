"""Errors, warnings and progress bars of huggingface_hub, as calozoo shows them."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.hub.cache import is_commit
from calozoo_core.errors import HubError

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = [
    "HubUnreachableError",
    "NotOnHubError",
    "download_bars",
    "plainly",
    "short",
    "upload_bars",
]

LOG_IN = "type `hf auth login`, or set HF_TOKEN"


class NotOnHubError(HubError):
    """The Hub answered that it has no such repository, revision or file."""


class HubUnreachableError(HubError):
    """The Hub did not answer, or stopped answering."""


@contextmanager
def plainly(
    repo: str,
    revision: str | None = None,
    *,
    endpoint: str | None,
    cache: Path | None = None,
    doing: str = "fetched from",
) -> Iterator[None]:
    """Turn errors of huggingface_hub into a `HubError` of one sentence, and silence its warnings.

    Arguments:
        repo: The repository, as `organisation/name`.
        revision: A revision of it.
        endpoint: Address of the Hub; None for the one huggingface_hub is set up for.
        cache: Folder that files are written to; None if none are.
        doing: What cannot be done if the Hub does not answer.

    Raises:
        HubError: For every error that is not a bug.
    """
    from huggingface_hub import errors

    where = f"{repo}@{short(revision)}" if revision else repo
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
        msg = f"the Hub has no revision {revision} of {repo}; leave out @{short(revision or '')}."
        raise NotOnHubError(msg) from error
    except errors.HFValidationError as error:
        msg = f"{repo} is not a name the Hub can have; write ORG/NAME without '--' and '..'."
        raise NotOnHubError(msg) from error
    except errors.HfHubHTTPError as error:
        raise _refused(error.response.status_code, repo, where) from error
    except OSError as error:
        if error.errno is None or isinstance(error, ConnectionError):
            raise _unreachable(where, doing, endpoint, error) from error
        if cache is None:
            raise
        msg = f"{cache} cannot be written ({error.strerror}); set HF_HOME to another place."
        raise HubError(msg) from error
    except Exception as error:  # httpx's own, whose module differs between versions
        raise _unreachable(where, doing, endpoint, error) from error
    finally:
        logger.setLevel(level)


def _refused(status: int, repo: str, where: str) -> HubError:
    """The error for an HTTP status."""
    if status == 401:
        return HubError(f"the Hub does not accept this token; {LOG_IN} to another one.")
    if status == 403:
        return HubError(f"this token may not write to {repo}; {LOG_IN} to one that may.")
    if status in (409, 412):
        return HubError(f"somebody else has changed {repo} meanwhile; publish again.")
    return HubUnreachableError(f"the Hub answered {status} for {where}; try again later.")


def _unreachable(
    where: str, doing: str, endpoint: str | None, error: Exception
) -> HubUnreachableError:
    """The error for a connection that failed."""
    from huggingface_hub import constants

    address = endpoint or constants.ENDPOINT
    return HubUnreachableError(f"{where} cannot be {doing} {address} ({_reason(error)}).")


def _reason(error: BaseException) -> str:
    """The first cause of an error, as a few words."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    return re.sub(r"^\[Errno -?\d+\] |[.\s]+$", "", first)


@contextmanager
def download_bars() -> Iterator[type[tqdm]]:
    """Progress bars of a download: on a terminal only, and removed afterwards."""
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


@contextmanager
def upload_bars() -> Iterator[None]:
    """Progress bars of an upload: on a terminal only; huggingface_hub draws them into files too."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # lazy there
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def short(revision: str) -> str:
    """The first digits of a commit; a branch or tag as it is."""
    return revision[:12] if is_commit(revision) else revision
