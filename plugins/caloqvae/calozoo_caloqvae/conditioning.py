"""Bits of a primary: what the conditioned partition of the Boltzmann machine is set to."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.typing import Float32Array, IntArray

__all__ = ["BITS", "condition_bits", "gray_bits"]

ENERGY_BITS: Final = 16
"""Bits of the logarithm of the energy."""

DIRECTION_BITS: Final = 6
"""Bits of each component of the direction across the normal."""

BITS: Final = ENERGY_BITS + 2 * DIRECTION_BITS
"""Bits of a primary."""

RANGES: Final = ((ENERGY_BITS, -4.0, 3.0), (DIRECTION_BITS, 0.0, 1.0), (DIRECTION_BITS, -1.0, 1.0))
"""Bits and range of the first components of `primary_condition`; beyond it the last code holds."""


def condition_bits(condition: Float32Array, nodes: int) -> Float32Array:
    """Bits of primaries, repeated as often as they fit, zeros behind them, shape (n, nodes).

    Arguments:
        condition: `primary_condition`, shape (n, 4).
        nodes: Number of nodes of the conditioned partition, at least 28.
    """
    columns = [gray_bits(column, *code) for column, code in zip(condition.T, RANGES, strict=False)]
    once = np.concatenate(columns, axis=1)
    repeated = np.tile(once, (1, nodes // BITS))
    return np.pad(repeated, ((0, 0), (0, nodes - repeated.shape[1])))


def gray_bits(values: Float32Array, bits: int, low: float, high: float) -> Float32Array:
    """Bits of the reflected Gray code, the coarsest first, shape (n, bits).

    Neighbours differ in one bit.

    Arguments:
        values: Shape (n,).
        bits: Number of bits.
        low: Value of the first code.
        high: Value of the last code.

    Example:
        >>> gray_bits(np.array([0, 0.4, 0.6, 1], np.float32), 2, 0, 1).astype(int).tolist()
        [[0, 0], [0, 1], [1, 1], [1, 0]]
    """
    share = (values.astype(np.float64) - low) / (high - low)
    number: IntArray = np.clip((share * 2**bits).astype(np.int64), 0, 2**bits - 1)
    code = number ^ (number >> 1)
    return np.asarray((code[:, None] >> np.arange(bits)[::-1]) & 1, np.float32)
