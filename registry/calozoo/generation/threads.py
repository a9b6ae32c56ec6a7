"""Number of threads, without importing torch for a model that does not need it."""

from __future__ import annotations

import os
import sys

from calozoo_core.cores import available_cores
from calozoo_core.errors import InputError

__all__ = ["threads_in_use", "use_threads"]


def use_threads(threads: int | None = None) -> None:
    """Set the number of threads for models that are loaded from now on, and for torch at once.

    If torch is not imported yet, the number goes into OMP_NUM_THREADS, which torch and the linear
    algebra of numpy read when they are imported.

    Arguments:
        threads: Number of threads; None for OMP_NUM_THREADS if it is set, or else every core this
            process may use.

    Raises:
        InputError: If it is not positive.
    """
    if threads is None:
        if "OMP_NUM_THREADS" in os.environ:
            return
        threads = available_cores()
    if threads < 1:
        msg = f"The number of threads must be at least 1, not {threads}."
        raise InputError(msg)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    else:
        os.environ["OMP_NUM_THREADS"] = str(threads)


def threads_in_use() -> int:
    """Number of threads of torch; 1 if torch is not imported."""
    return int(sys.modules["torch"].get_num_threads()) if "torch" in sys.modules else 1
