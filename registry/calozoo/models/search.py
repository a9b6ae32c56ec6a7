"""Search for models by words: in the installed plugins, the index, and on the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from calozoo.models import discovery
from calozoo.models.index import read_index

if TYPE_CHECKING:
    from calozoo.hub import Hub
    from calozoo.models.discovery import Registration
    from calozoo.models.index import IndexEntry

__all__ = ["Match", "search", "search_hub"]

PARTICLES = {"gamma": "photon", "e-": "electron", "e+": "positron"}
"""Other names of particles, by PDG name."""


@dataclass(frozen=True)
class Match:
    """Result of a search: one model.

    Arguments:
        name: Its name; that of the repository for a model on the Hub.
        where: Where it was found.
        summary: One sentence; empty for a model on the Hub.
        next: The command to type next.
    """

    name: str
    where: Literal["installed", "index", "hub"]
    summary: str
    next: str


def search(text: str) -> list[Match]:
    """The models of the installed plugins and of the index whose description has these words.

    Arguments:
        text: Words, all of which must occur: in the name, the summary, the detector, the particles,
            the representation, the licence, the addresses of papers, or the distribution. Case is
            ignored.

    Returns:
        The models whose name has the words first, then the others, by name.

    Example:
        >>> [match.name for match in search("analytic toy")]
        ['toy.ild-photon']
    """
    words, index = text.lower().split(), read_index()
    here = discovery.registered()
    found = [
        Match(name, "installed", registration.spec.summary, f"calozoo info {name}")
        for name, registration in here.items()
        if _has(words, [*_of_spec(registration), *_of_entry(index.get(name))])
    ]
    found += [
        Match(name, "index", entry.summary, f"pip install {entry.distribution}")
        for name, entry in index.items()
        if name not in here and _has(words, _of_entry(entry))
    ]
    return sorted(found, key=lambda match: (not _has(words, [match.name]), match.name))


def search_hub(text: str, hub: Hub) -> list[Match]:
    """The repositories on the Hub that are tagged `calozoo` and unknown to the index.

    Arguments:
        text: Text to look for in their names.
        hub: The Hub.

    Raises:
        HubError: If the Hub cannot be reached.
    """
    known = {entry.repo for entry in read_index().values()}
    return [
        Match(repo, "hub", "", f"calozoo pull hub:{repo}")
        for repo in hub.search(text)
        if repo not in known
    ]


def _has(words: Iterable[str], texts: Iterable[str]) -> bool:
    """True if each word occurs in one of the texts."""
    lower = [text.lower() for text in texts]
    return all(any(word in text for text in lower) for word in words)


def _of_spec(registration: Registration) -> Iterator[str]:
    spec = registration.spec
    yield from (spec.name, spec.summary, spec.detector, spec.representation, spec.license)
    yield from (*spec.aliases, *spec.papers, registration.distribution)
    for particle in spec.conditions.particles:
        yield f"{particle} {PARTICLES.get(particle, '')}"


def _of_entry(entry: IndexEntry | None) -> Iterator[str]:
    if entry is not None:
        yield from (entry.name, entry.summary, entry.distribution, entry.repo or "", *entry.aliases)
