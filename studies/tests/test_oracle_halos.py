"""Ways to take halos from the library, and true cores that are completed from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.clumps import load_library, load_table, voxel_energies
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from studies.oracle import halos, placed

DETECTOR = "ild_siecal_regular"


def made_up(n: int = 3, each: int = 400) -> Showers:
    """Showers of random points, all within a core's radius."""
    rng = np.random.default_rng(4)
    return Showers(
        offsets=np.arange(n + 1) * each,
        x=rng.uniform(-4, 4, n * each),
        y=rng.uniform(-4, 4, n * each),
        layer=np.sort(rng.integers(0, 30, (n, each)), axis=1).ravel(),
        energy=rng.exponential(0.5, n * each),
        incident=Incident(np.linspace(10, 100, n), (0, 0, 1)),
        representation="steps",
        detector=DETECTOR,
    )


def test_the_ways_take_one_shower_or_many():
    library = load_library(DETECTOR)
    # Cores of the library itself, at other energies: no layer is quite like its own.
    core = np.exp(np.random.default_rng(1).normal(1, 1, (8, 30, 5))).astype(np.float32)
    incident = Incident(np.linspace(10, 100, 8), (0.1, 0.2, 1))
    coin = np.linspace(0, 0.99, 8).astype(np.float32)
    taken = {}
    for name, fields in halos.WAYS.items():
        config = library.config.model_copy(update=fields)
        numbers = replace(library, config=config).matcher(core, incident, coin)
        taken[name] = np.mean([len(set(row)) for row in numbers.tolist()])
    whole, any_lean, one_lean = taken.values()
    assert whole == 1 < one_lean < any_lean


def test_true_cores_keep_their_energy_when_they_are_completed():
    showers = made_up()
    done = placed.completed(showers, 0)
    mesh = load_table(DETECTOR).config.mesh
    core, theirs = (
        mesh.ring_energies(voxel_energies(one, mesh, load_table(DETECTOR).config.linking))[
            :, :, :5
        ].sum(axis=(1, 2))
        for one in (showers, done)
    )
    # Points of patches lie in their voxel's ring to within the size of a point.
    np.testing.assert_allclose(theirs, core, rtol=0.05)
    assert np.all(done.visible_energy > showers.visible_energy)


def test_a_model_without_a_core_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="toy draws no core of its own"):
        halos.main([str(tmp_path / "none.h5"), "--model", "toy"])
