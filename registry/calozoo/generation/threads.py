"""Number of threads, without importing torch for a model that does not need it."""

from __future__ import annotations

import os
import sys

from calozoo_core.cores import available_cores
from calozoo_core.errors import InputError

__all__ = ["use_threads"]

MAX_THREADS = 1024


def use_threads(threads: int | None = None) -> None:
    """Set the number of threads for models that are loaded from now on, and for torch at once.

    The number goes into OMP_NUM_THREADS, which torch reads when it is imported, and models in numpy
    when they sample: threads share whole showers. Linear algebra keeps to one thread, which
    OPENBLAS_NUM_THREADS says to numpy when that is imported.

    Arguments:
        threads: Number of threads; None for OMP_NUM_THREADS if it is set, or else every core this
            process may use.

    Raises:
        InputError: If it is not 1 to 1024.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if threads is None:
        if "OMP_NUM_THREADS" in os.environ:
            return
        threads = available_cores()
    if not 1 <= threads <= MAX_THREADS:
        bound = "at least 1" if threads < 1 else f"at most {MAX_THREADS}"
        msg = f"The number of threads must be {bound}, not {threads}."
        raise InputError(msg)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
