"""What a check of the doctor comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Status"]

Status = Literal["ok", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Arguments:
        check: What was looked at: `plugin`, `cache`, ...
        subject: Which of them; empty where there is but one.
        status: "broken" is what keeps something from working, "warning" what may.
        detail: What was found.
        advice: What to type, or to do; empty if nothing needs doing.
    """

    check: str
    subject: str
    status: Status
    detail: str
    advice: str = ""
