"""Counter-based random streams: shower i depends on the seed and on i, and on nothing else."""

from __future__ import annotations

import operator
import zlib

import numpy as np

from calozoo_core.errors import InputError

__all__ = ["check_seed", "stream"]


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """The random numbers of one shower, for one purpose.

    Philox is counter-based: a stream is a key and a counter, so that stream number a million is
    there without the ones before it, and two streams never meet. The key is the seed and the
    purpose; the counter starts at the shower's index, 2^192 numbers away from its neighbour's.

    References:
        | Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011)

    Arguments:
        seed: The user's seed, 0 <= seed < 2^64.
        index: Number of the shower in the sample, 0 <= index < 2^64.
        purpose: What the numbers are for, so that drawing more of one kind never shifts another.

    Raises:
        InputError: If the seed or the index is out of range.

    Example:
        >>> a = stream(1, 41, "noise").random()
        >>> a == stream(1, 41, "noise").random()
        True
        >>> a == stream(1, 42, "noise").random()
        False
    """
    key = np.array([_word("seed", seed), zlib.crc32(purpose.encode())], dtype=np.uint64)
    counter = np.array([0, 0, 0, _word("index of a shower", index)], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def check_seed(seed: int) -> int:
    """The seed as a plain whole number.

    Raises:
        InputError: If it is none, or out of range.
    """
    return _word("seed", seed)


def _word(what: str, value: int) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        msg = f"The {what} must be a whole number from 0 to 2^64 - 1, not {value!r}."
        raise InputError(msg)
    return number
