"""Sorting into groups: the same whether the keys fit into 64 bits or not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calozoo_core.ragged import group

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
