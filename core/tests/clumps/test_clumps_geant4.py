"""Filled voxels of Geant4's showers beside Geant4's showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.io import read_showers
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.random import stream

FINE = Path(__file__).parent / "data" / "geant4_x100.h5"
"""80 photons of 10 to 100 GeV, whose points are as fine as the table's."""


def filled_again(showers):
    """Showers with the voxel energies of these, filled from the table."""
    table = load_table(showers.detector)
    energies = voxel_energies(showers, table.config.mesh)
    streams = [stream(1, i, "clumps") for i in range(len(showers))]
    return fill(energies, showers.incident, table, streams)


@pytest.fixture(scope="module")
def filled(geant4_showers):
    return filled_again(geant4_showers)


@pytest.fixture(scope="module")
def fine_pair():
    """Filled showers and Geant4's, of points as fine as each other's."""
    truth = read_showers(FINE)
    assert truth.representation == load_table(truth.detector).config.representation
    return filled_again(truth), truth


def accumulated(showers):
    sums = ObservableAccumulator(showers.detector)
    sums.add(showers)
    return sums


@pytest.fixture(scope="module")
def tallies(filled, geant4_showers):
    """Observables of the filled and of Geant4's showers."""
    return accumulated(filled), accumulated(geant4_showers)


@pytest.fixture(scope="module")
def ratios(tallies):
    """Ratios of filled to true by name: those of a model that draws the true voxels."""
    return {figure.name: figure.value for figure in ratio_figures(*tallies)}


def test_filled_points_have_as_many_neighbours_as_geant4s_at_every_radius(fine_pair):
    figures = ratio_figures(*map(accumulated, fine_pair))
    shares = {figure.name: figure.value for figure in figures if "neighbour" in figure.name}
    assert len(shares) == 18
    assert shares == pytest.approx(dict.fromkeys(shares, 1), abs=0.05)


def test_filled_showers_have_as_many_cells_as_geant4s_at_every_energy(filled, geant4_showers):
    energy = geant4_showers.incident.energy
    for low, high in ((1, 20), (20, 60), (60, 100), (100, 128)):
        chosen = (energy >= low) & (energy < high)
        pair = [accumulated(showers[chosen]) for showers in (filled, geant4_showers)]
        (cells,) = (f.value for f in ratio_figures(*pair) if f.name == "cells.occupancy")
        assert cells == pytest.approx(1, abs=0.02), (low, high)


def test_filled_showers_have_as_many_points_as_geant4s(fine_pair):
    filled, truth = fine_pair
    total = filled.n_points.sum() / truth.n_points.sum()
    assert total == pytest.approx(1, abs=0.015)


def test_filled_showers_have_as_many_hot_cells_as_geant4s(ratios):
    assert ratios["cells.hot_1e-2"] == pytest.approx(1, abs=0.03)
    assert ratios["cells.hot_1e-3"] == pytest.approx(1, abs=0.10)


def test_filled_showers_have_the_energy_and_the_centre_of_geant4s(filled, geant4_showers, tallies):
    ratio = filled.visible_energy / geant4_showers.visible_energy
    assert ratio.mean() == pytest.approx(1, abs=0.003)
    assert ratio.std() < 0.02
    found, expected = (one.responses.centre_mm for one in tallies)
    for one, other in zip(found.T, expected.T, strict=True):
        # Of the middle 68 %: few showers with one deposit far out decide the standard deviation.
        width, true_width = (np.diff(np.quantile(v, (0.16, 0.84))) for v in (one, other))
        assert width / true_width == pytest.approx(1, abs=0.08)
        assert np.corrcoef(one, other)[0, 1] > 0.9
