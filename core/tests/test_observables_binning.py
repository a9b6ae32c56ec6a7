"""Bins: what lies where, to the last bit at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from calozoo_core.detector import load_detector
from calozoo_core.observables import Binning, observables


@st.composite
def binnings(draw):
    spacing = draw(st.sampled_from(["linear", "log"]))
    low = draw(st.floats(1e-3, 10) if spacing == "log" else st.floats(-500, 500))
    high = low + draw(st.floats(1e-2, 1e3))
    return Binning(low=low, high=high, bins=draw(st.integers(1, 300)), spacing=spacing, unit="mm")


@given(binnings(), st.lists(st.floats(-1e4, 1e4), max_size=20))
def test_a_value_lies_between_the_edges_of_its_bin(binning, values):
    edges = binning.edges
    tried = np.concatenate([values, edges, np.nextafter(edges, -np.inf), [0.0, -np.inf, np.inf]])
    expected = np.searchsorted(edges, tried, side="right")
    np.testing.assert_array_equal(binning.index(tried), expected)


@given(binnings())
def test_a_binning_survives_json(binning):
    again = Binning.model_validate_json(binning.model_dump_json())
    assert again == binning
    np.testing.assert_array_equal(again.edges, binning.edges)


@pytest.mark.parametrize(
    ("low", "high", "spacing"), [(1, 1, "linear"), (2, 1, "linear"), (0, 1, "log"), (-1, 1, "log")]
)
def test_bins_that_do_not_rise_are_refused(low, high, spacing):
    with pytest.raises(ValidationError, match="there are no"):
        Binning(low=low, high=high, bins=3, spacing=spacing, unit="mm")


@pytest.mark.parametrize(
    ("name", "low", "high", "bins", "width"),
    [
        ("points.spectrum", 1e-3, 100, 100, 0.05),
        ("cells.spectrum", 0.01, 1100, 100, 0.050414),
        ("points.occupancy", 0, 10_000, 50, 200),
        ("cells.occupancy", 0, 3000, 50, 60),
        ("cells.visible_energy", 0, 4000, 50, 80),
        ("cells.centre_x", -250, 250, 2000, 0.25),
        ("cells.centre_z", 0, 30, 60, 0.5),
        ("cells.layer_energy", 0, 30, 30, 1),
        ("cells.radial_energy_30", 0, 30, 30, 1),
        ("cells.radial_energy_100", 0, 100, 20, 5),
    ],
)
def test_bins_are_those_that_the_observable_is_defined_with(name, low, high, bins, width):
    binning = observables("ild_siecal_regular")[name].binning
    assert (binning.low, binning.high, binning.bins) == (low, high, bins)
    edges = np.log10(binning.edges) if binning.spacing == "log" else binning.edges
    assert np.diff(edges) == pytest.approx(width, rel=1e-4)


def test_rings_of_cells_are_a_cell_wide_and_begin_half_a_cell_below_the_axis():
    edges = observables("ild_siecal_regular")["cells.radial_count"].binning.edges
    assert edges[:2] == pytest.approx([-2.5441666, 2.5441666])
    assert np.diff(edges) == pytest.approx(5.0883331)


def test_a_detector_with_more_layers_has_bins_for_them():
    par04 = load_detector("par04_siw")
    assert observables(par04)["cells.layer_energy"].binning.bins == par04.n_layers > 30
