"""Widths of energies, and what core, halo and layers have to do with each other."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.showers import Showers
from studies.oracle import resolution
from studies.oracle.halos import WAYS

DETECTOR = "ild_siecal_regular"


def steps(n: int = 12, each: int = 300) -> Showers:
    """Showers of random points, within 5 mm of the axis and from 20 to 40 mm, none in between."""
    rng = np.random.default_rng(4)
    is_core = rng.random(n * each) < 0.6
    return Showers(
        offsets=np.arange(n + 1) * each,
        x=np.where(is_core, rng.uniform(-4, 4, n * each), rng.uniform(20, 40, n * each)),
        y=rng.uniform(-3, 3, n * each),
        layer=np.sort(rng.integers(0, 30, (n, each)), axis=1).ravel(),
        energy=rng.exponential(0.5, n * each),
        incident=Incident(np.full(n, 5.0), (0, 0, 1)),
        representation="steps",
        detector=DETECTOR,
    )


def test_core_and_halo_make_up_the_weighted_energy():
    showers = steps()
    found = resolution.parts(showers)
    weighted = showers.energy * np.where(showers.layer < 20, 1, 2)
    total = np.bincount(showers.shower_index, weighted)
    np.testing.assert_allclose(found.core + found.halo.sum(axis=1), total, rtol=1e-5)
    is_core = np.hypot(showers.x, showers.y) < 8
    np.testing.assert_allclose(
        found.core, np.bincount(showers.shower_index, weighted * is_core), rtol=1e-5
    )


def test_figures_tell_layers_that_go_together_from_layers_that_do_not():
    rng = np.random.default_rng(1)
    core, alone = rng.normal(100, 5, 4000), rng.normal(2, 0.2, (4000, 30))
    together = np.repeat(rng.normal(2, 0.2, (4000, 1)), 30, axis=1)
    rows = np.arange(4000)
    for halo, covariances in ((alone, 0.0), (together, 29 * 30 * 0.04 / 36)):
        figures = dict(
            zip(resolution.COLUMNS, resolution.Parts(core, halo).figures(rows), strict=True)
        )
        # The middle 90 % of a normal distribution have 0.79 of its width.
        assert figures["core [%]"] == pytest.approx(0.79 * 5, rel=0.05)
        assert figures["correlation of core and halo"] == pytest.approx(0, abs=0.05)
        assert figures["variances of the halo's layers [%]"] == pytest.approx(100 / 3000, rel=0.05)
        assert figures["covariances [%]"] == pytest.approx(covariances, rel=0.05, abs=0.005)


@pytest.mark.parametrize("way", WAYS)
def test_true_cores_keep_their_energy_whatever_halo_they_get(way):
    showers = steps()
    found, done = (resolution.parts(one) for one in (showers, resolution.with_halos(showers, way)))
    # Points of patches lie in their voxel's ring to within the size of a point.
    np.testing.assert_allclose(done.core, found.core, rtol=0.05)
    assert not np.allclose(done.halo, found.halo)


def test_table_has_a_row_for_geant4_and_for_each_way(tmp_path, capsys):
    write_showers(tmp_path / "steps.h5", steps(), generator="made up", seed=1)
    resolution.main([str(tmp_path / "steps.h5")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| 5 GeV: Geant4 |")
    assert len(lines) == 3 + len(WAYS)


def test_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"none\.h5"):
        resolution.main([str(tmp_path / "none.h5")])
