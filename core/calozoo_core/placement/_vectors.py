"""Positions and momenta as users give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.errors import InputError
from calozoo_core.typing import FloatArray

__all__ = ["as_text", "vectors"]


def vectors(what: str, values: ArrayLike) -> FloatArray:
    """Finite vectors of shape (n, 3), as 64-bit numbers.

    Raises:
        InputError: If the values are none; the message says what they should be.
    """
    try:
        rows = np.atleast_2d(np.asarray(values, np.float64))
    except (TypeError, ValueError) as error:
        msg = f"A {what} must be three numbers, not {values!r}."
        raise InputError(msg) from error
    if rows.ndim != 2 or rows.shape[1] != 3:
        msg = f"Each {what} must be three numbers, but their shape is {np.shape(values)}."
        raise InputError(msg)
    if not np.isfinite(rows).all():
        msg = f"A {what} must be three finite numbers."
        raise InputError(msg)
    return rows


def as_text(vector: FloatArray) -> str:
    """A vector as it is typed at the command line."""
    return ",".join(f"{component:g}" for component in vector)
