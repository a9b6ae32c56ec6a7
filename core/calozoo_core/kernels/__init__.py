"""Compiled kernels: what numpy does in many small steps, in one step of C each.

They are built where there is a compiler, and come with the wheels. Everything works without them;
numpy is the reference, and both give the same showers of the same seeds: bit for bit, but to
rounding where a kernel computes a network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Final, Literal

__all__ = ["SWITCH", "compiled_lanes", "implementation", "numpy_only", "use_compiled"]

SWITCH: Final = "CALOZOO_KERNELS"
"""Environment variable that is "numpy" to do without the compiled kernels."""

INTERFACE: Final = 10
"""Number of the arguments of the kernels; those built of other sources are not used."""

_is_refused: Final = ContextVar("calozoo_numpy_only", default=False)


def use_compiled() -> bool:
    """True if the compiled kernels `calozoo_core.kernels._compiled` compute, and not numpy."""
    return not _is_refused.get() and _is_built()


def compiled_lanes() -> int:
    """Numbers in a vector of the compiled networks, 8 or 16; 0 if numpy computes networks.

    They need AVX2 or AVX-512; without, the library of linear algebra behind numpy is faster.
    """
    return _lanes() if use_compiled() else 0


def implementation() -> Literal["compiled", "numpy"]:
    """Name of what computes: the compiled kernels, or numpy."""
    return "compiled" if use_compiled() else "numpy"


@contextmanager
def numpy_only() -> Iterator[None]:
    """Have numpy compute in a block, in this thread.

    Example:
        >>> with numpy_only():
        ...     implementation()
        'numpy'
    """
    token = _is_refused.set(True)
    try:
        yield
    finally:
        _is_refused.reset(token)


@cache
def _is_built() -> bool:
    if os.environ.get(SWITCH) == "numpy":
        return False
    try:
        built = import_module("calozoo_core.kernels._compiled")
    except ImportError:  # there was no compiler
        return False
    return bool(built.INTERFACE == INTERFACE)


@cache
def _lanes() -> int:
    return int(import_module("calozoo_core.kernels._compiled").LANES)
