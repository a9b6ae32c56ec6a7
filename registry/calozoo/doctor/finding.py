"""Finding: the result of a check, as one line of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Status"]

Status = Literal["ok", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of a check.

    Arguments:
        check: Name of the check: `plugin`, `cache`, ...
        subject: The thing that was checked; empty where there is only one.
        status: "broken" if something does not work, "warning" if it may not.
        detail: What was found.
        advice: What to type or do; empty if nothing.
    """

    check: str
    subject: str
    status: Status
    detail: str
    advice: str = ""
