"""Showers out of thin air, and a Python of one's own to spoil."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

__all__ = ["made_up", "run", "sha256"]


def made_up(n=20, per_shower=50, positions=False):
    """Showers with points anywhere, and positions of their primaries if asked for."""
    rng = np.random.default_rng(n)
    total = n * per_shower
    return Showers(
        offsets=np.arange(n + 1) * per_shower,
        x=rng.normal(0, 20, total),
        y=rng.normal(0, 20, total),
        layer=rng.integers(0, 30, total),
        energy=rng.exponential(0.3, total),
        incident=Incident(
            rng.uniform(1, 127, n),
            rng.uniform(0.1, 1, (n, 3)),
            position=rng.normal(0, 1e3, (n, 3)) if positions else None,
        ),
        representation="x25",
        detector="ild_siecal_regular",
    )


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(source, *arguments):
    """A Python of its own, for what must not happen to this one."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
