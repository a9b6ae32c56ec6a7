"""Files of a model: its card and what it must say, and corrupted weights it must refuse."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from calozoo_core.generator import ModelSpec
from calozoo_core.io.array_file import read_header
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, WEIGHT_FILES

__all__ = ["HARMS", "check_card", "differing_files", "find_card"]

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


Harm = Callable[[Path, Path], Iterator[tuple[str, bool]]]
"""Writes spoiled copies of a folder to another, one after the other; for each it says where the
harm is, and whether a model must refuse it, or may also do well with it."""


def differing_files(one: Path, other: Path) -> list[str]:
    """Names of the weights files that are not the same in both folders, byte for byte."""
    return [n for n in WEIGHT_FILES if (one / n).read_bytes() != (other / n).read_bytes()]


def _with_unknown_fields(folder: Path, spoiled: Path) -> Iterator[tuple[str, bool]]:
    """A field that no schema has, in each table of the configuration in turn."""
    for place, table in _values(_copied(folder, spoiled), dict):
        yield _changed(folder, spoiled, place, {**table, "no_such_field": 1}), True


def _with_large_numbers(folder: Path, spoiled: Path) -> Iterator[tuple[str, bool]]:
    """Each whole number of the configuration twice as large, and absurdly large."""
    for place, number in _values(_copied(folder, spoiled), int):
        for larger in (2 * number + 2, 10**12):
            # It may be no size at all: a seed, the number of showers a factor was fitted on.
            yield _changed(folder, spoiled, place, larger), False


def _with_values_that_are_no_numbers(folder: Path, spoiled: Path) -> Iterator[tuple[str, bool]]:
    """A tensor with NaN as its first element, and one with infinity as its last."""
    _copied(folder, spoiled)
    whole = (folder / TENSORS_FILE).read_bytes()
    with (folder / TENSORS_FILE).open("rb") as file:
        claims = read_header(file)
        data = file.tell()
    floats = [n for n, claim in claims.items() if claim.dtype == "float32" and claim.end]
    for name, at, value in [
        *((name, claims[name].begin, np.nan) for name in floats[:1]),
        *((name, claims[name].end - 4, np.inf) for name in floats[-1:]),
    ]:
        spoilt = bytearray(whole)
        spoilt[data + at : data + at + 4] = struct.pack("<f", value)
        (spoiled / TENSORS_FILE).write_bytes(spoilt)
        yield name, True


def _cut_short(folder: Path, spoiled: Path) -> Iterator[tuple[str, bool]]:
    """Each file without its end."""
    for name in WEIGHT_FILES:
        _copied(folder, spoiled)
        (spoiled / name).write_bytes((folder / name).read_bytes()[:-9])
        yield name, True


HARMS: Final[Mapping[str, Harm]] = MappingProxyType(
    {
        "an unknown field": _with_unknown_fields,
        "a larger number": _with_large_numbers,
        "a value that is not finite": _with_values_that_are_no_numbers,
        "its end missing": _cut_short,
    }
)


def _copied(folder: Path, spoiled: Path) -> Any:
    """Copy the weights, and read their configuration."""
    spoiled.mkdir(exist_ok=True)
    for name in WEIGHT_FILES:
        shutil.copyfile(folder / name, spoiled / name)
    return json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))


Found = tuple[tuple[str | int, ...], Any]
"""A value of a configuration, behind the keys that lead to it."""

MANY_ALIKE: Final = 12
"""Of more values than this in lists of one place, so many are changed."""


def _values(config: Any, kind: type) -> list[Found]:
    """Values of exactly this type in a configuration, with the keys that lead to them.

    Those that differ only by indices into lists are alike: all of a few, and of many the first, the
    last and a fixed random choice.
    """
    alike: dict[tuple[str | None, ...], list[Found]] = {}
    for place, value in _all_values(config, kind):
        path = tuple(key if isinstance(key, str) else None for key in place)
        alike.setdefault(path, []).append((place, value))
    return [one for group in alike.values() for one in _chosen(group)]


def _chosen(group: list[Found]) -> list[Found]:
    if len(group) <= MANY_ALIKE:
        return group
    return [group[0], *random.Random(0).sample(group[1:-1], MANY_ALIKE - 2), group[-1]]


def _all_values(config: Any, kind: type) -> Iterator[Found]:
    if type(config) is kind:
        yield (), config
    if isinstance(config, dict):
        inner: Iterable[tuple[str | int, Any]] = config.items()
    else:
        inner = enumerate(config) if isinstance(config, list) else ()
    for key, value in inner:
        yield from (((key, *rest), found) for rest, found in _all_values(value, kind))


def _changed(folder: Path, spoiled: Path, place: tuple[str | int, ...], value: Any) -> str:
    """Write the configuration with one value replaced, and say which."""
    config = {"top": json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))}
    table: Any = config
    keys = ("top", *place)
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = deepcopy(value)
    (spoiled / CONFIG_FILE).write_text(json.dumps(config["top"]), encoding="utf-8")
    return ".".join(map(str, keys[1:])) or "the top"
