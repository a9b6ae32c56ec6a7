"""Groups of rows, whether their keys fit into 64 bits or not; sums and blocks of ragged rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calozoo_core import ragged
from calozoo_core.ragged import group, row_blocks, row_sums

near = st.integers(-3, 3)
far = st.sampled_from([-(2**40), 0, 2**40])


def rows(elements):
    return st.integers(0, 20).flatmap(lambda n: npst.arrays(np.int64, (n, 3), elements=elements))


@given(rows(near) | rows(far) | rows(near | far))
def test_groups_are_the_distinct_rows_in_order(table):
    order, starts = group(*table.T)
    assert sorted(order.tolist()) == list(range(len(table)))
    distinct, first = np.unique(table, axis=0, return_index=True)
    np.testing.assert_array_equal(table[order][starts], distinct)
    # Rows of a group stay in the order they came in, so its first is the first there is.
    np.testing.assert_array_equal(order[starts], first)


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12))
def test_blocks_hold_every_row_and_point_once(counts, size):
    offsets = np.cumsum([0, *counts])
    rows, points = [], []
    for block, part in row_blocks(offsets, size):
        rows += range(block.start, block.stop)
        points += range(part.start, part.stop)
        first = offsets[block] // size
        assert len(set(first.tolist())) == 1
    assert rows == list(range(len(counts)))
    assert points == list(range(sum(counts)))


def test_sums_of_rows_are_those_of_all_values_at_once(monkeypatch):
    rng = np.random.default_rng(3)
    offsets = np.cumsum([0, *rng.integers(1, 40, 300)]).astype(np.int32)
    values = rng.exponential(1, offsets[-1]).astype(np.float16)
    whole = np.add.reduceat(values, offsets[:-1], dtype=np.float64).astype(np.float32)
    monkeypatch.setattr(ragged, "_BLOCK", 100)
    np.testing.assert_array_equal(row_sums(values, offsets, np.float64, np.float32), whole)
