"""Resolution of weights: from the Hugging Face cache, the plugin's own wheel, or the Hub."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.hub import Hub, HubUnreachableError, NotOnHubError
from calozoo.hub.cache import PULLED_FILES, CachedRepo, default_cache, is_commit
from calozoo_core.errors import HubError, OutputExistsError, WeightsError
from calozoo_core.io.atomic import atomic_path, copy_bytes, kept_folder
from calozoo_core.weights import WEIGHT_FILES, sha256

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo.models.index import IndexEntry
    from calozoo_core.generator import ModelSpec

__all__ = ["Pulled", "PulledFile", "bundled_folder", "is_offline", "pull", "pull_repository"]


@dataclass(frozen=True)
class PulledFile:
    """Weights file: its name, size in bytes and sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Pulled:
    """Weights of a model on this machine, compared with their digests.

    Arguments:
        model: The model's name.
        source: Where they were found, for people to read.
        folder: Their folder; None for a model that needs no weights.
        files: The files in the folder.
        commit: Commit of the repository they come from; None for the plugin's own.
        note: Remark on the choice of this source; mostly empty.
    """

    model: str
    source: str
    folder: Path | None
    files: tuple[PulledFile, ...]
    commit: str | None = None
    note: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """The weights as JSON has them."""
        return {
            "source": self.source,
            "commit": self.commit,
            "folder": None if self.folder is None else str(self.folder),
            "bytes": self.size,
            "files": [asdict(file) for file in self.files],
            "note": self.note or None,
        }

    def copy_to(self, folder: Path) -> Pulled:
        """Copy the files to a folder, all of them or none, and check the copies.

        Raises:
            OutputExistsError: If the folder has another file of such a name.
            WeightsError: If a copy differs.
        """
        if self.folder is None:
            msg = f"{self.model} has no weights to copy; leave --dir out."
            raise WeightsError(msg)
        for file in self.files:
            target = folder / file.name
            if target.exists() and sha256(target) != file.sha256:
                msg = f"{target} is another file; choose another --dir, or delete it."
                raise OutputExistsError(msg)
        with kept_folder(folder), ExitStack() as parts:
            for file in self.files:
                target = folder / file.name
                part = parts.enter_context(atomic_path(target))
                copy_bytes(self.folder / file.name, part)
                if sha256(part) != file.sha256:
                    msg = f"{target} could not be copied whole; copy it to another disk."
                    raise WeightsError(msg)
        return replace(self, folder=folder)


def pull(
    registration: Registration,
    entry: IndexEntry | None,
    *,
    revision: str | None = None,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> Pulled:
    """The weights of a model: from the cache, else from the plugin's wheel, else from the Hub.

    Without a revision these are the weights that the index pins, or the bundled ones if it pins
    nothing newer, or if the Hub cannot be reached; then the result has a note. Another revision
    comes from the cache or the Hub only.

    Arguments:
        registration: The model.
        entry: Its index entry.
        revision: A branch, tag or commit of its repository.
        offline: Use no network.
        endpoint: Address of the Hub; by default that of huggingface_hub.
        cache_dir: The Hugging Face cache; by default where it always is.

    Raises:
        HubError: If the Hub does not have them, or cannot be reached and they are nowhere else.
        WeightsError: If a file has another sha256 than it should.
    """
    cache, hub = _places(cache_dir, endpoint, offline=offline)
    spec = registration.spec
    if revision is not None and (entry is None or revision != entry.revision):
        if entry is None or entry.repo is None:
            msg = f"{spec.name} has no repository on the Hub; leave out '@{revision}'."
            raise HubError(msg)
        return _pull_revision(spec.name, CachedRepo(cache, entry.repo), revision, hub)
    if spec.weights is None:
        return Pulled(spec.name, "needs no weights", None, ())
    if entry is None or entry.repo is None or entry.revision is None:
        return _pull_bundled(registration, entry)
    return _pull_pinned(registration, entry, CachedRepo(cache, entry.repo), entry.revision, hub)


def pull_repository(
    repo: str,
    revision: str | None,
    *,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> Pulled:
    """The weights in a repository that no index needs to know: from the cache, or from the Hub.

    The result's model is the name of the repository.

    Arguments:
        repo: As `organisation/name`.
        revision: A branch, tag or commit of it; None for the main branch.
        offline: As for `pull`, like the others.

    Raises:
        HubError: If the Hub does not have them, or cannot be reached and they are not in the cache.
        WeightsError: If a file has another digest than the Hub says.
    """
    cache, hub = _places(cache_dir, endpoint, offline=offline)
    return _pull_revision(f"hub:{repo}", CachedRepo(cache, repo), revision or "main", hub)


def bundled_folder(spec: ModelSpec) -> Path | None:
    """The folder of the plugin's own weights; None if it brings none."""
    if spec.weights is None:
        return None
    package, _, inner = spec.weights.partition(":")
    folder = files(package) / inner
    if not isinstance(folder, Path) or not all((folder / name).is_file() for name in WEIGHT_FILES):
        return None
    return folder


def is_offline() -> bool:
    """True if HF_HUB_OFFLINE forbids to use the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "TRUE", "YES"}


def _places(
    cache_dir: Path | None, endpoint: str | None, *, offline: bool
) -> tuple[Path, Hub | None]:
    """The cache, and the Hub; None for the Hub if the network must not be used."""
    cache = cache_dir or default_cache()
    return cache, None if offline or is_offline() else Hub(cache, endpoint)


def _pull_revision(model: str, cached: CachedRepo, revision: str, hub: Hub | None) -> Pulled:
    """The weights of a revision that the index does not pin."""
    commit, note = cached.commit(revision), ""
    if hub is not None and not is_commit(revision):
        try:
            commit = hub.resolve(cached.repo, revision)
        except HubUnreachableError as error:
            if commit is None or not cached.has(commit):
                raise
            note = f"{error} Using {revision} as it was last seen."
    if commit is not None and cached.has(commit):
        cached.check(commit, {})
        with suppress(OSError):  # a cache that is shared may be for reading only
            cached.remember(revision, commit)
        return replace(_cached(model, cached, commit), note=note)
    if hub is None or commit is None:
        msg = f"{cached.repo}@{revision} is not in the cache; pull {model}@{revision} while online."
        raise HubError(msg)
    hub.fetch(cached.repo, commit, {})
    cached.remember(revision, commit)
    return _fetched(model, cached, commit)


def _pull_pinned(
    registration: Registration, entry: IndexEntry, cached: CachedRepo, commit: str, hub: Hub | None
) -> Pulled:
    """The weights that the index pins, or the bundled ones if those are the same or newer."""
    model = registration.spec.name
    if cached.has(commit):
        cached.check(commit, entry.sha256)
        return _cached(model, cached, commit)
    bundled = _bundled(registration, entry)
    if bundled is not None and not _is_outdated(bundled, registration, entry):
        return bundled
    if hub is None:
        missing = f"{model} of the Hub is not in the cache, and this is offline."
        error: HubError = HubError(missing)
    else:
        try:
            hub.fetch(cached.repo, commit, entry.sha256)
            return _fetched(model, cached, commit)
        except (HubUnreachableError, NotOnHubError) as caught:
            error = caught
    if bundled is None:
        raise error
    return replace(bundled, note=f"{error} Using the weights {bundled.source} instead.")


def _pull_bundled(registration: Registration, entry: IndexEntry | None) -> Pulled:
    """The bundled weights of a model that has none on the Hub."""
    bundled = _bundled(registration, entry)
    if bundled is None:
        msg = (
            f"{registration.spec.name} has no weights: {registration.distribution} "
            f"{registration.version} holds none and none are published; install a newer one."
        )
        raise HubError(msg)
    return bundled


def _bundled(registration: Registration, entry: IndexEntry | None) -> Pulled | None:
    """The bundled weights, compared with the index if it has the hashes of this version."""
    folder = bundled_folder(registration.spec)
    if folder is None:
        return None
    source = f"bundled with {registration.distribution} {registration.version}"
    found = _found(registration.spec.name, source, folder)
    if entry is not None and entry.version == registration.version:
        for file in found.files:
            if file.sha256 != entry.sha256.get(file.name, file.sha256):
                msg = (
                    f"{folder / file.name} does not have the sha256 it should have; type "
                    f"`pip install --force-reinstall --no-deps {registration.distribution}`."
                )
                raise WeightsError(msg)
    return found


def _is_outdated(bundled: Pulled, registration: Registration, entry: IndexEntry) -> bool:
    """True if the index pins newer weights than the installed plugin brings."""
    if entry.version is not None and _release(registration.version) > _release(entry.version):
        return False
    return any(entry.sha256.get(file.name, file.sha256) != file.sha256 for file in bundled.files)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


def _found(model: str, source: str, folder: Path, commit: str | None = None) -> Pulled:
    paths = [folder / name for name in PULLED_FILES if (folder / name).is_file()]
    listed = tuple(PulledFile(path.name, path.stat().st_size, sha256(path)) for path in paths)
    return Pulled(model, source, folder, listed, commit)


def _cached(model: str, cached: CachedRepo, commit: str) -> Pulled:
    source = f"in the Hugging Face cache ({cached.repo}@{commit[:12]})"
    return _found(model, source, cached.snapshot(commit), commit)


def _fetched(model: str, cached: CachedRepo, commit: str) -> Pulled:
    source = f"from the Hub ({cached.repo}@{commit[:12]})"
    return _found(model, source, cached.snapshot(commit), commit)
