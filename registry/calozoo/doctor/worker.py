"""`python -m calozoo.doctor.worker JOBS`: looks at one thing after another, a line of JSON each.

What is looked at may print, hang, or end this process; `doctor.subprocess_check` copes with that.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TextIO

__all__ = ["main"]


def main(jobs: list[tuple[str, dict[str, object]]], out: TextIO) -> None:
    """Call the functions that the jobs name, as `module:function`, and write what they return."""
    out.write("\n")  # Python is up: the time of the first job begins
    out.flush()
    for path, arguments in jobs:
        answer: dict[str, object] = {"value": None}
        module, _, function = path.partition(":")
        try:
            answer["value"] = getattr(importlib.import_module(module), function)(**arguments)
        except (Exception, SystemExit) as error:
            answer["trouble"] = f"raised {type(error).__name__}: {' '.join(str(error).split())}"
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    # Whatever is imported may print; only answers go out.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    main(json.loads(sys.argv[1]), answers)
