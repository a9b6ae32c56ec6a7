"""Made-up batches for the tests of the Python API."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

__all__ = ["batches_with_selections", "make_hits", "make_incident", "make_showers"]


def make_showers(n: int, seed: int = 0, *, time: bool = False, position: bool = False) -> Showers:
    """Showers with random points; some have none."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, n)
    total = int(counts.sum())
    return Showers(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        x=rng.normal(size=total),
        y=rng.normal(size=total),
        layer=rng.integers(0, 30, total),
        energy=rng.exponential(size=total),
        incident=make_incident(n, rng, position=position),
        representation="x25",
        detector="ild_siecal_regular",
        time=rng.exponential(size=total) if time else None,
    )


def make_incident(n: int, rng: np.random.Generator, *, position: bool = False) -> Incident:
    """Random primaries; none if n is 0."""
    direction = rng.uniform((-1, -1, 1), (1, 1, 2), (n, 3))
    return Incident(
        rng.uniform(1, 100, n), direction, "gamma", rng.normal(size=(n, 3)) if position else None
    )


def make_hits(n: int, seed: int = 0) -> Hits:
    """Random hits of n showers."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, n)
    total = int(counts.sum())
    x, y, z, energy = rng.normal(size=(4, total)).astype(np.float32)
    return Hits(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        cell=rng.integers(0, 1000, total),
        layer=rng.integers(0, 30, total).astype(np.uint8),
        x=x,
        y=y,
        z=z,
        energy=np.abs(energy),
    )


@st.composite
def batches_with_selections(draw, smallest=0):
    """A number of showers, a selection of them, and the numbers that it selects."""
    n = draw(st.integers(smallest, 12))
    numbers = np.arange(n)
    options = [
        st.slices(n),
        st.lists(st.booleans(), min_size=n, max_size=n).map(lambda m: np.array(m, bool)),
    ]
    if n:
        row = st.integers(-n, n - 1)
        options += [st.lists(row), st.lists(row).map(lambda rows: np.array(rows, np.int32))]
    selection = draw(st.one_of(options))
    chosen = np.asarray(selection, np.int64) if isinstance(selection, list) else selection
    return n, selection, numbers[chosen].tolist()
