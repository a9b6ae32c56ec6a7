"""Which model a card is of: the lines of its front matter that calozoo itself reads.

They are found as text, and only at its beginning: a card comes from strangers, and a YAML parser
can be kept busy for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CardLabel", "labelled", "read_label"]

READ_BYTES: Final = 1 << 16

_FRONT_MATTER: Final = re.compile(
    r"\A\s*---[ \t]*\n(?P<facts>.*?^)---[ \t]*$", re.DOTALL | re.MULTILINE
)
_LABEL: Final = re.compile(r"^calozoo:[ \t]*\n(?P<lines>(?:[ \t]+\S.*\n)+)", re.MULTILINE)
_LINE: Final = r"^[ \t]+{}:[ \t]*[\"']?({})[\"']?[ \t]*$"
_MODEL: Final = re.compile(
    _LINE.format("model", r"[a-z0-9][a-z0-9_-]*\.[a-z0-9][a-z0-9_+-]*"), re.MULTILINE
)
_PLUGIN: Final = re.compile(_LINE.format("plugin", r"[A-Za-z0-9][\w.-]*"), re.MULTILINE)


@dataclass(frozen=True)
class CardLabel:
    """What a card says its weights are for.

    Arguments:
        model: The model's name, `architecture.tag`.
        plugin: The distribution that brings it; None if the card does not say.
    """

    model: str
    plugin: str | None = None


def read_label(card: Path) -> CardLabel | None:
    """The label of a card; None if there is no card, or no label on it."""
    if not card.is_file():
        return None
    with card.open("rb") as file:
        text = file.read(READ_BYTES).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    matter = _FRONT_MATTER.match(text)
    label = matter and _LABEL.search(matter["facts"])
    model = label and _MODEL.search(label["lines"])
    if not label or not model:
        return None
    plugin = _PLUGIN.search(label["lines"])
    return CardLabel(model[1], plugin[1] if plugin else None)


def labelled(text: str, label: CardLabel) -> str:
    """A card's text with a label at the end of its front matter, which is made if there is none.

    Example:
        >>> print(labelled("---\\nlicense: mit\\n---\\n# A card", CardLabel("toy.ild", "zoo-toy")))
        ---
        license: mit
        calozoo:
          model: toy.ild
          plugin: zoo-toy
        ---
        # A card
    """
    text = text.replace("\r\n", "\n")
    matter = _FRONT_MATTER.match(text)
    lines = f"calozoo:\n  model: {label.model}\n"
    if label.plugin is not None:
        lines += f"  plugin: {label.plugin}\n"
    if matter is None:
        return f"---\n{lines}---\n\n{text}"
    end = matter.end("facts")
    return text[:end] + lines + text[end:]
