"""Filled voxels of Geant4's showers beside Geant4's showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.detector import load_detector
from calozoo_core.io import read_showers
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.observables.deposits import merged_cells
from calozoo_core.random import stream
from calozoo_core.showers import Showers

TRUTH = Path(__file__).parent / "data" / "geant4_x225.h5"
"""160 photons of 5 to 127 GeV, whose points are as fine as the table's."""


DRAWS = 4
"""Fillings of each shower, so that less is chance."""


@pytest.fixture(scope="module")
def truth():
    showers = read_showers(TRUTH)
    assert showers.representation == load_table(showers.detector).config.representation
    return Showers.concatenate([showers] * DRAWS)


@pytest.fixture(scope="module")
def filled(truth):
    """Showers with the voxel energies of Geant4's, filled from the table."""
    table = load_table(truth.detector)
    energies = voxel_energies(truth, table.config.mesh)
    streams = [stream(1, i, "clumps") for i in range(len(truth))]
    return fill(energies, truth.incident, table, streams)


def accumulated(showers):
    sums = ObservableAccumulator(showers.detector)
    sums.add(showers)
    return sums


@pytest.fixture(scope="module")
def tallies(filled, truth):
    """Observables of the filled and of Geant4's showers."""
    return accumulated(filled), accumulated(truth)


@pytest.fixture(scope="module")
def ratios(tallies):
    """Ratios of filled to true by name: those of a model that draws the true voxels."""
    return {figure.name: figure.value for figure in ratio_figures(*tallies)}


def test_filled_points_have_as_many_neighbours_as_geant4s_at_every_radius(ratios):
    shares = {name: value for name, value in ratios.items() if "neighbour" in name}
    assert len(shares) == 18
    assert shares == pytest.approx(dict.fromkeys(shares, 1), abs=0.05)


def test_filled_showers_have_as_many_cells_as_geant4s_at_every_energy(filled, truth):
    detector = load_detector(truth.detector)
    cells, expected = (merged_cells(one, detector).occupancy for one in (filled, truth))
    energy = truth.incident.energy
    for low, high in ((1, 20), (20, 60), (60, 100), (100, 128)):
        chosen = (energy >= low) & (energy < high)
        ratio = cells[chosen].sum() / expected[chosen].sum()
        assert ratio == pytest.approx(1, abs=0.02), (low, high)


def test_filled_showers_have_as_many_points_as_geant4s(filled, truth):
    total = filled.n_points.sum() / truth.n_points.sum()
    assert total == pytest.approx(1, abs=0.015)


def test_filled_showers_have_as_many_hot_cells_as_geant4s(ratios):
    assert ratios["cells.hot_1e-2"] == pytest.approx(1, abs=0.03)
    assert ratios["cells.hot_1e-3"] == pytest.approx(1, abs=0.10)


def test_filled_showers_have_the_energy_and_the_centre_of_geant4s(filled, truth, tallies):
    ratio = filled.visible_energy / truth.visible_energy
    assert ratio.mean() == pytest.approx(1, abs=0.003)
    assert ratio.std() < 0.02
    found, expected = (one.responses.centre_mm for one in tallies)
    for one, other in zip(found.T, expected.T, strict=True):
        # Of the middle 68 %: few showers with one deposit far out decide the standard deviation.
        width, true_width = (np.diff(np.quantile(v, (0.16, 0.84))) for v in (one, other))
        assert width / true_width == pytest.approx(1, abs=0.08)
        assert np.corrcoef(one, other)[0, 1] > 0.9
