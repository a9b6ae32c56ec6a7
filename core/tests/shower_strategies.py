"""Primaries and showers for hypothesis: few, ragged, with empty ones among them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

__all__ = ["incidents", "point_columns", "same_showers", "showers"]

# Coarse numbers, so that equal positions and equal energies turn up.
positions = st.integers(-2000, 2000).map(lambda i: i / 8)
energies = st.integers(1, 64).map(lambda i: i / 16)


@st.composite
def incidents(draw, n=None):
    n = draw(st.integers(1, 5)) if n is None else n
    energy = draw(npst.arrays(np.float64, n, elements=st.floats(1e-3, 1e3)))
    slope = draw(npst.arrays(np.float64, (n, 2), elements=st.floats(-5, 5)))
    return Incident(energy, np.column_stack([slope, np.ones(n)]))


@st.composite
def point_columns(draw, n):
    columns = {
        "x": draw(npst.arrays(np.float32, n, elements=positions)),
        "y": draw(npst.arrays(np.float32, n, elements=positions)),
        "layer": draw(npst.arrays(np.uint8, n, elements=st.integers(0, 29))),
        "energy": draw(npst.arrays(np.float32, n, elements=energies)),
    }
    if draw(st.booleans()):
        columns["time"] = draw(npst.arrays(np.float32, n, elements=st.integers(0, 100)))
    return columns


@st.composite
def showers(draw, representation="steps"):
    counts = draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))
    return Showers(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        **draw(point_columns(sum(counts))),
        incident=draw(incidents(len(counts))),
        representation=representation,
        detector="ild_siecal_regular",
    )


def same_showers(one, other):
    """Whether two batches are equal to the last bit."""
    arrays = [
        (getattr(one, name), getattr(other, name))
        for name in ("offsets", "x", "y", "layer", "energy", "time")
    ]
    arrays.append((one.incident.energy, other.incident.energy))
    arrays.append((one.incident.direction, other.incident.direction))
    names = [
        (s.representation, s.detector, s.incident.particle, s.time is None) for s in (one, other)
    ]
    return names[0] == names[1] and all(
        a is b is None or (a.dtype == b.dtype and np.array_equal(a, b)) for a, b in arrays
    )
