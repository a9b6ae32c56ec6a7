"""Stick breaking: shares of a whole, and the logits of each over itself and those behind it."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.typing import Float32Array

__all__ = ["RATIO_FLOOR", "break_stick", "stick_logits"]

RATIO_FLOOR: Final = 1e-6
"""Ratios are kept this far from 0 and 1, or their logits would not be finite."""

LARGEST_LOGIT: Final = 14
"""Logits are kept this close to zero, so that no share is exactly zero."""


def stick_logits(values: Float32Array) -> Float32Array:
    """Logits of the ratio of each value to the sum of itself and those behind it, one fewer.

    Arguments:
        values: Positive values, shape (..., n).

    Returns:
        Logits, shape (..., n - 1).

    Example:
        >>> stick_logits(np.array([2, 1, 1], np.float32)).tolist()
        [0.0, 0.0]
    """
    behind = np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]
    ratio = np.clip(values[..., :-1] / behind[..., :-1], RATIO_FLOOR, 1 - RATIO_FLOOR)
    logits: Float32Array = np.log(ratio / (1 - ratio))
    return logits


def break_stick(logits: Float32Array) -> Float32Array:
    """Shares of 1, one more than logits; the inverse of `stick_logits`, up to the sum.

    Arguments:
        logits: Shape (..., n - 1).

    Returns:
        Shares, shape (..., n).

    Example:
        >>> break_stick(np.zeros(2, np.float32)).tolist()
        [0.5, 0.25, 0.25]
    """
    ratio = 1 / (1 + np.exp(-np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)))
    shares = np.ones((*logits.shape[:-1], logits.shape[-1] + 1), np.float32)
    np.cumprod(1 - ratio, axis=-1, out=shares[..., 1:])
    shares[..., :-1] *= ratio
    return shares
