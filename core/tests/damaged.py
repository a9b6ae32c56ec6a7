"""What reading a damaged shower file ends in: all that it holds, or one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from shower_strategies import same_showers

from calozoo_core.errors import ShowerFileError
from calozoo_core.io import ShowerFile

__all__ = ["read", "refusal", "same"]


def read(path):
    """All that a file holds."""
    with ShowerFile(path) as file:
        return file[:], file.hits()


def same(read, showers, hits):
    return same_showers(read[0], showers) and all(
        np.array_equal(getattr(read[1], name), values) for name, values in vars(hits).items()
    )


def refusal(path):
    with pytest.raises(ShowerFileError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith((str(path), "There is no shower file"))
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 200
    return message
