"""Filled voxels of Geant4's showers beside Geant4's showers."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.random import stream


@pytest.fixture(scope="module")
def filled(geant4_showers):
    table = load_table(geant4_showers.detector)
    energies = voxel_energies(geant4_showers, table.config.mesh)
    streams = [stream(1, i, "clumps") for i in range(len(geant4_showers))]
    return fill(energies, geant4_showers.incident, table, streams)


def accumulated(showers):
    sums = ObservableAccumulator(showers.detector)
    sums.add(showers)
    return sums


@pytest.fixture(scope="module")
def ratios(filled, geant4_showers):
    """Ratios of filled to true by name: those of a model that draws the true voxels."""
    figures = ratio_figures(accumulated(filled), accumulated(geant4_showers))
    return {figure.name: figure.value for figure in figures}


def test_filled_cells_have_as_many_neighbours_as_geant4s_at_every_radius(ratios):
    shares = {name: value for name, value in ratios.items() if "cells.neighbour" in name}
    assert len(shares) == 6
    # The table is finer than Geant4's showers here, whose x25 points have too few neighbours as
    # cells, most of all far out.
    outside = shares.pop("cells.neighbour_adjacent@80+mm")
    assert shares == pytest.approx(dict.fromkeys(shares, 1), abs=0.05)
    assert 1 <= outside < 1.15


def test_filled_showers_have_as_many_cells_as_geant4s_at_every_energy(filled, geant4_showers):
    energy = geant4_showers.incident.energy
    for low, high in ((1, 20), (20, 60), (60, 100), (100, 128)):
        chosen = (energy >= low) & (energy < high)
        pair = [accumulated(showers[chosen]) for showers in (filled, geant4_showers)]
        (cells,) = (f.value for f in ratio_figures(*pair) if f.name == "cells.occupancy")
        assert cells == pytest.approx(1, abs=0.02), (low, high)


def test_filled_showers_have_as_many_hot_cells_as_geant4s(ratios):
    assert ratios["cells.hot_1e-2"] == pytest.approx(1, abs=0.03)
    assert ratios["cells.hot_1e-3"] == pytest.approx(1, abs=0.10)


def test_filled_showers_have_the_energy_and_the_centre_of_geant4s(filled, geant4_showers):
    ratio = filled.visible_energy / geant4_showers.visible_energy
    assert ratio.mean() == pytest.approx(1, abs=0.003)
    assert ratio.std() < 0.02
    found, expected = (accumulated(one).responses.centre_mm for one in (filled, geant4_showers))
    for one, other in zip(found.T, expected.T, strict=True):
        # Of the middle 68 %: few showers with one deposit far out decide the standard deviation.
        width, true_width = (np.diff(np.quantile(v, (0.16, 0.84))) for v in (one, other))
        assert width / true_width == pytest.approx(1, abs=0.08)
        assert np.corrcoef(one, other)[0, 1] > 0.9
