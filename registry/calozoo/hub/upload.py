"""Uploads to the Hub: files into a commit of a repository, and a tag for that commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.hub.cache import is_intact
from calozoo.hub.download import Hub
from calozoo.hub.errors import LOG_IN, HubUnreachableError, NotOnHubError, plainly, upload_bars
from calozoo_core.errors import CalozooError, HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["HubRepo", "card_facts", "front_matter"]


@dataclass(frozen=True)
class HubRepo:
    """A repository on the Hub that is written to; it need not exist yet.

    Every method raises HubError, with one sentence, if the Hub cannot be reached or refuses.

    Arguments:
        hub: The Hub.
        name: As `organisation/name`.
    """

    hub: Hub
    name: str

    def check_token(self) -> None:
        """Refuse to go on without a token that the Hub accepts."""
        from huggingface_hub import get_token

        if not get_token():
            msg = f"publishing needs a token of the Hub; {LOG_IN}."
            raise HubError(msg)
        with self._plainly():
            self._api().whoami()

    def is_public(self) -> bool | None:
        """True if everybody can see it; None if it does not exist."""
        try:
            with self._plainly():
                return not self._api().model_info(self.name).private
        except NotOnHubError:
            return None

    def refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """The commits of its branches, and of its tags, by name."""
        with self._plainly():
            refs = self._api().list_repo_refs(self.name)
        return (
            {ref.name: ref.target_commit for ref in refs.branches},
            {ref.name: ref.target_commit for ref in refs.tags},
        )

    def create(self, *, private: bool) -> None:
        """Create the repository, unless it exists.

        Arguments:
            private: Only for those it is granted to; else as new ones of the account are.
        """
        with self._plainly():
            self._api().create_repo(self.name, private=private or None, exist_ok=True)

    def upload(self, files: Mapping[str, Path], message: str) -> str:
        """Commit files to the main branch, beside those that are there.

        Files that have not changed are not sent.

        Arguments:
            files: What to upload, by path in the repository.
            message: Of the commit.

        Returns:
            The commit; the present one if no file has changed.

        Raises:
            HubError: If the files are others afterwards than were sent.
        """
        from huggingface_hub import CommitOperationAdd

        sent = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
        with self._plainly(), upload_bars():
            try:
                made = self._api().create_commit(self.name, sent, commit_message=message)
            except ValueError as error:
                if "README.md" not in str(error):
                    raise
                why = _one_line(error).removeprefix("Invalid metadata in README.md. - ")
                msg = f"the Hub refuses the front matter of README.md ({why})."
                raise HubError(msg) from error
        if not self.holds(made.oid, files):
            msg = f"the files of {self.name} changed while they were sent; publish again."
            raise HubUnreachableError(msg)
        return made.oid

    def holds(self, commit: str, files: Mapping[str, Path]) -> bool:
        """True if a commit has these files, byte for byte."""
        there = self.hub.digests(self.name, commit)
        return all(name in there and is_intact(path, there[name]) for name, path in files.items())

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit."""
        with self._plainly():
            self._api().create_tag(self.name, tag=name, revision=commit)

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(
            endpoint=self.hub.endpoint, library_name="calozoo", library_version=version("calozoo")
        )

    def _plainly(self) -> AbstractContextManager[None]:
        return plainly(self.name, endpoint=self.hub.endpoint, doing="published to")


def front_matter(
    model: str, license_name: str, tags: Sequence[str], results: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The front matter of a card, from its first line `---` to its last.

    Arguments:
        model: Name of the model.
        license_name: Its SPDX identifier.
        tags: Tags besides those of every model of calozoo.
        results: Measured values, each the arguments of `huggingface_hub.EvalResult`.
    """
    from huggingface_hub import EvalResult, ModelCardData

    facts = ModelCardData(
        license=license_name.lower(),
        library_name="calozoo",
        tags=["calorimeter", "fast-simulation", "particle-physics", *tags],
        model_name=model if results else None,  # it is part of the results
        eval_results=[EvalResult(**result) for result in results] or None,
    )
    return f"---\n{facts.to_yaml()}\n---"


def card_facts(card: Path) -> dict[str, Any]:
    """The front matter of a card; empty if it has none.

    Raises:
        CalozooError: If it is not a YAML table.
    """
    from huggingface_hub import metadata_load

    try:
        return metadata_load(card) or {}
    except Exception as error:  # PyYAML's own errors, and those of huggingface_hub
        msg = f"the front matter of {card} is not YAML ({_one_line(error)}); correct it."
        raise CalozooError(msg) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
