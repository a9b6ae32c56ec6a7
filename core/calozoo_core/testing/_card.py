"""A model's card: where it may lie, and what it must say."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from calozoo_core.generator import ModelSpec

__all__ = ["check_card", "find_card"]

CARD_FILE = "README.md"
MAX_CARD_BYTES = 1 << 20

FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
LICENSE = re.compile(r"""^license: *["']?([^"'\n]*?)["']? *$""", re.MULTILINE)


def find_card(spec: ModelSpec) -> Path:
    """The card of a model: README.md beside its weights, in `cards/` of its package, or calozoo's.

    Where it comes with the package, it is in the folder `cards/MODEL` that `calozoo benchmark MODEL
    --out cards` writes. The cards of calozoo's own models are the data of `calozoo_cards`.

    Raises:
        AssertionError: If it is in none of these places.
    """
    for place in _places(spec):
        if (place / CARD_FILE).is_file():
            return place / CARD_FILE
    package = spec.factory.partition(":")[0].partition(".")[0]
    msg = (
        f"{spec.name} has no card; make one with `calozoo benchmark {spec.name} --out cards` in "
        f"the folder of {package}, or write a {CARD_FILE} beside its weights."
    )
    raise AssertionError(msg)


def check_card(card: Path, spec: ModelSpec) -> None:
    """A card names its model, begins with the licence as the Hub reads it, and cites the papers.

    Raises:
        AssertionError: If it does not.
    """
    with card.open("rb") as file:
        content = file.read(MAX_CARD_BYTES + 1)
    assert len(content) <= MAX_CARD_BYTES, f"{card} is larger than {MAX_CARD_BYTES} bytes."
    text = content.decode("utf-8", "replace")
    front = FRONT_MATTER.match(text)
    assert front, f"{card} does not begin with a front matter between two lines of `---`."
    line = LICENSE.search(front[1])
    given = line[1] if line else ""
    assert given.lower() == spec.license.lower(), (
        f"{card} gives the licence as {given!r}, the spec as {spec.license!r}."
    )
    for needed in (spec.name, *spec.papers):
        assert needed in text[front.end() :], f"{card} does not mention {needed}."


def _places(spec: ModelSpec) -> Iterator[Path]:
    """Folders that may hold the card, in the order they are looked at."""
    package = spec.factory.partition(":")[0].partition(".")[0]
    if spec.weights is not None:
        owner, _, inner = spec.weights.partition(":")
        yield from (folder / inner for folder in _folders(owner))
    yield from (folder / "cards" / spec.name for folder in _folders(package))
    yield from (folder / spec.name for folder in _folders("calozoo_cards"))


def _folders(package: str) -> list[Path]:
    """Folders of a package, without importing it; none if it is a module, or not installed."""
    found = importlib.util.find_spec(package)
    return [Path(path) for path in (found.submodule_search_locations or ())] if found else []
