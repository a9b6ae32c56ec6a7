"""Folders of cards: measurements.json of each model, and the page that is made of it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote

from calozoo.benchmark.measurements import Measurements, read_measurements
from calozoo.cards.card_markdown import card_markdown
from calozoo.models.index import read_index
from calozoo.physics.results import PhysicsResult
from calozoo_core.errors import CalozooError
from calozoo_core.io.atomic import write_atomic

__all__ = [
    "CARD",
    "MEASUREMENTS",
    "add_physics",
    "card_link",
    "check_cards",
    "find_card",
    "own_cards",
    "read_cards",
    "write_card",
]

CARD: Final = "README.md"
MEASUREMENTS: Final = "measurements.json"

PUBLISHED_CARDS: Final = "https://github.com/calozoo/calozoo/blob/main/cards/calozoo_cards"


def own_cards() -> Path:
    """Folder of the cards that calozoo comes with."""
    return Path(str(files("calozoo_cards")))


def read_cards(folder: Path | None = None) -> list[Measurements]:
    """Measurements of all cards of a folder, sorted by name.

    Arguments:
        folder: Folder with a folder for each model; by default the cards that calozoo comes with.

    Raises:
        CalozooError: If one of them was not written by `calozoo benchmark`.
    """
    paths = sorted((own_cards() if folder is None else folder).glob(f"*/{MEASUREMENTS}"))
    return [read_measurements(path) for path in paths]


def find_card(model: str, folder: Path | None = None) -> Path:
    """Folder with the card of a model.

    Arguments:
        model: `architecture.tag`, or an architecture, which means its first tag with a card.
        folder: As in `read_cards`.

    Raises:
        CalozooError: If it has none; the message says how to make one.
    """
    place = own_cards() if folder is None else folder
    found = sorted(path.parent.name for path in place.glob(f"*/{MEASUREMENTS}"))
    there = list(dict.fromkeys([*(name for name in read_index() if name in found), *found]))
    for name in there:
        if model in (name, name.partition(".")[0]):
            return place / name
    nearest = difflib.get_close_matches(model, [*there, *(n.partition(".")[0] for n in there)], n=1)
    guess = f" Did you mean {nearest[0]}?" if nearest else ""
    command = f"calozoo benchmark {model} --out {place}"
    msg = f"there is no card of '{model}'.{guess} `{command}` makes one."
    raise CalozooError(msg)


def card_link(model: str, page: Path, folder: Path | None = None) -> str:
    """Address of a model's card, from a page.

    Arguments:
        model: Name of the model.
        page: The page that links to it.
        folder: As in `read_cards`; the cards that calozoo comes with are in its repository.

    Returns:
        An address, or the path of the card relative to the page.
    """
    if folder is None:
        return f"{PUBLISHED_CARDS}/{model}/{CARD}"
    card = (folder / model / CARD).resolve()
    return quote(Path(os.path.relpath(card, page.resolve().parent)).as_posix())


def write_card(folder: Path, measurements: Measurements) -> Path:
    """Write a model's measurements and its card into a folder of their own, which is returned."""
    place = folder / measurements.spec.name
    place.mkdir(parents=True, exist_ok=True)
    for name, text in ((MEASUREMENTS, measurements.as_json()), (CARD, card_markdown(measurements))):
        write_atomic(place / name, text)
    return place


def check_cards(folder: Path, models: Sequence[str]) -> None:
    """Refuse a folder that lacks the card of a model.

    Raises:
        CalozooError: If there is none; the message says how to make one.
    """
    for model in models:
        read_measurements(find_card(model, folder) / MEASUREMENTS)


def add_physics(folder: Path, model: str, result: PhysicsResult) -> tuple[Path, tuple[float, ...]]:
    """Put a result of `calozoo physics` into the card of a model.

    Arguments:
        folder: Folder of the cards.
        model: Full name of the model.
        result: The result; it replaces an older one of the same test, of which pairs of other
            energies are kept, if they are of the same weights and finder.

    Returns:
        Folder of the card, and energies in GeV of the pairs that were not kept.

    Raises:
        CalozooError: If the model has no card there.
    """
    before = read_measurements(find_card(model, folder) / MEASUREMENTS)
    after = before.with_physics(result)
    there = _pair_energies(after)
    return write_card(folder, after), tuple(e for e in _pair_energies(before) if e not in there)


def _pair_energies(measured: Measurements) -> list[float]:
    return [energy for result in measured.physics for energy in result.pair_energies]
