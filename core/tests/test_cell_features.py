"""Features of cells: named column by column, finite, and independent of the order of deposits."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.observables.cell_features import FEATURE_GROUPS, cell_features, feature_columns
from calozoo_core.observables.deposits import Deposits

ILD = load_detector("ild_siecal_regular")


def deposits(seed: int = 0, counts: tuple[int, ...] = (400, 0, 1, 250)) -> Deposits:
    """Cells of made-up showers on the grid, one of them empty and one with a single cell."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    return Deposits(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        layer=rng.integers(0, 30, n).astype(np.uint8),
        dx=rng.integers(-12, 13, n) * ILD.cell_mm,
        dy=rng.integers(-12, 13, n) * ILD.cell_mm,
        energy=rng.exponential(1.0, n) + 0.1,
        incident=Incident([10, 20, 30, 40], (0, 0, 1)),
        detector=ILD,
    )


def test_every_column_has_a_name_and_every_group_columns():
    columns = feature_columns(ILD.n_layers)

    assert tuple(columns) == ("primary", *FEATURE_GROUPS)
    assert all(columns.values())
    names = [name for group in columns.values() for name in group]
    assert cell_features(deposits()).shape == (4, len(names))
    assert len(set(names)) == len(names)


def test_features_are_finite_also_of_empty_showers():
    assert np.isfinite(cell_features(deposits())).all()
    assert np.isfinite(cell_features(deposits(counts=(0, 0, 0, 0)))).all()


def test_the_order_of_the_cells_of_a_shower_changes_nothing():
    cells = deposits()
    rng = np.random.default_rng(1)
    order = np.concatenate(
        [
            rng.permutation(np.arange(a, b))
            for a, b in zip(cells.offsets, cells.offsets[1:], strict=False)
        ]
    )
    shuffled = Deposits(
        cells.offsets,
        *(values[order] for values in (cells.layer, cells.dx, cells.dy, cells.energy)),
        cells.incident,
        ILD,
    )
    np.testing.assert_allclose(cell_features(shuffled), cell_features(cells), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize("group", ["layers", "cells_per_layer"])
def test_layers_are_counted_layer_by_layer(group):
    cells = deposits()
    columns = feature_columns(ILD.n_layers)
    start = sum(
        len(names)
        for name, names in columns.items()
        if list(columns).index(name) < list(columns).index(group)
    )
    found = cell_features(cells)[0, start : start + ILD.n_layers]
    layer = cells.layer[:400]
    expected = np.bincount(layer, cells.energy[:400] if group == "layers" else None, minlength=30)
    np.testing.assert_allclose(
        found, np.log(expected + 0.05) if group == "layers" else expected, rtol=1e-5
    )
