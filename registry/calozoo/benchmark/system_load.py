"""How busy the machine is with other things."""

from __future__ import annotations

import os

__all__ = ["load_average"]


def load_average() -> float:
    """Programs that wanted to run, on average over the last minute; 0 where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
