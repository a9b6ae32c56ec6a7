"""Counter-based random streams: shower i depends on the seed and on i, and on nothing else."""

from __future__ import annotations

import operator
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    # numpy takes every ISeedSequence, and its types name one of them only.
    bits = np.random.Philox(_Key(key), counter=counter)  # type: ignore[arg-type]
    return np.random.Generator(bits)


class _Key(np.random.bit_generator.ISeedSequence):
    """A key as the seed of a Philox, which else asks the system for entropy that it does not use.

    Arguments:
        key: Two words, shape (2,), uint64.
    """

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """The key, whatever is asked for: Philox asks for two words of 64 bits."""
        return self._key


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
