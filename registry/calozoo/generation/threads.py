"""How many threads a model's arithmetic uses, without importing torch for a model that does not."""

from __future__ import annotations

import os
import sys

from calozoo_core.errors import InputError

__all__ = ["cores", "threads_in_use", "use_threads"]


def use_threads(threads: int | None = None) -> None:
    """Set the number of threads for models that are loaded from now on, and for torch at once.

    Torch may not be imported yet, and may never be: then it is told by the variable it reads when
    it is, OMP_NUM_THREADS.

    Arguments:
        threads: How many; None for what OMP_NUM_THREADS says, or else every core this process may
            run on.

    Raises:
        InputError: If it is not positive.
    """
    if threads is None:
        if "OMP_NUM_THREADS" in os.environ:
            return
        threads = cores()
    if threads < 1:
        msg = f"The number of threads must be at least 1, not {threads}."
        raise InputError(msg)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    else:
        os.environ["OMP_NUM_THREADS"] = str(threads)


def threads_in_use() -> int:
    """The number of threads torch uses; 1 where no torch was needed."""
    return int(sys.modules["torch"].get_num_threads()) if "torch" in sys.modules else 1


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
