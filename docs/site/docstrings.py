"""Docstrings of this project, as the documentation site reads them."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Sections"]

EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
LISTED = re.compile(r"^(    )\| ", re.MULTILINE)


class Sections(griffe.Extension):
    """Section names in the words of the parser, and lines of references as lists."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = EXAMPLE.sub("Examples:", obj.docstring.value)
            obj.docstring.value = LISTED.sub(r"\1- ", text)
