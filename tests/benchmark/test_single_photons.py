"""Incident particles of the benchmark, and the cache of their showers: it stops, goes on, grows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from calozoo.benchmark.request import PHI_DEG, THETA_DEG, single_photons
from calozoo.benchmark.simulation_cache import SHARD, ReplayGenerator, SimulationCache
from calozoo_core.errors import InputError


def test_primaries_are_those_of_the_paper(barrel):
    incident = single_photons(barrel, 60)
    assert np.bincount(np.int64(incident.energy / 10))[1:].tolist() == [60] * 10
    x, y, z = incident.position.T  # straight from the interaction point: this is the momentum
    cosine, phi = z / np.linalg.norm(incident.position, axis=1), np.degrees(np.arctan2(y, x))
    low, high = np.cos(np.radians(THETA_DEG[::-1]))
    assert low < cosine.min() and cosine.max() < high  # noqa: PT018
    assert PHI_DEG[0] < phi.min() and phi.max() < PHI_DEG[1]  # noqa: PT018
    for values, first, last in ((cosine, low, high), (phi, *PHI_DEG)):
        assert stats.kstest((values - first) / (last - first), "uniform").pvalue > 1e-3
    barrel.check(incident.position)
    assert incident.theta.max() < 60


def test_more_showers_leave_those_before_as_they_were(barrel):
    few, many = single_photons(barrel, 3), single_photons(barrel, 7)
    assert np.array_equal(few.position, many.position[:30])
    assert np.array_equal(few.direction, many.direction[:30])
    assert not np.array_equal(few.position, single_photons(barrel, 3, seed=1).position)


def test_no_showers_are_no_sample(barrel):
    with pytest.raises(InputError, match="at least one shower"):
        single_photons(barrel, 0)


# Simulated showers, kept on disk


def test_cache_goes_on_where_it_was_stopped(barrel, toy, tmp_path):
    incident = single_photons(barrel, 12)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    stopped = SimulationCache(tmp_path / "a", "toy", incident, seed=4)
    with pytest.raises(KeyboardInterrupt):
        stopped.make(on_batch=stop)
    assert stopped.missing() == [1, 2]
    first = (stopped.folder / "00000.h5").read_bytes()
    made: list[int] = []
    stopped.make(on_batch=made.append)
    assert made == [SHARD, 20]
    assert (stopped.folder / "00000.h5").read_bytes() == first
    assert not list(tmp_path.rglob("*.part"))
    whole = toy.generate(incident, seed=4)
    kept = [showers for showers, _ in stopped.batches()]
    assert np.array_equal(np.concatenate([s.energy for s in kept]), whole.energy)
    assert np.array_equal(stopped.showers(slice(40, 110)).x, whole[40:110].x)


def test_cache_grows_with_its_sample(barrel, tmp_path):
    small = SimulationCache(tmp_path, "toy", single_photons(barrel, 7), seed=4, placement=barrel)
    small.make()
    large = SimulationCache(tmp_path, "toy", single_photons(barrel, 11), seed=4, placement=barrel)
    assert large.missing() == [1, 2]  # the second has 20 showers of 50
    large.make()
    hits = [hits for _, hits in large.batches()]
    assert sum(map(len, hits)) == 110
    assert not small.missing()


def test_cache_of_hits_has_those_of_its_showers(barrel, toy, tmp_path):
    incident = single_photons(barrel, 2)
    cache = SimulationCache(tmp_path, "toy", incident, seed=4, placement=barrel)
    cache.make()
    ((showers, hits),) = cache.batches()
    direct = barrel.place(toy.generate(incident, seed=4))
    assert np.array_equal(hits.cell, direct.cell)
    assert np.array_equal(hits.energy, direct.energy)
    assert len(showers.x) == 0


def test_cache_of_other_primaries_is_refused(barrel, tmp_path):
    SimulationCache(tmp_path, "toy", single_photons(barrel, 2), seed=4).make()
    other = SimulationCache(tmp_path, "toy", single_photons(barrel, 2, seed=1), seed=4)
    with pytest.raises(InputError, match="empty folder with work=DIR"):
        other.missing()


def test_damaged_file_of_a_cache_is_made_again(barrel, tmp_path):
    cache = SimulationCache(tmp_path, "toy", single_photons(barrel, 2), seed=4)
    cache.make()
    (cache.folder / "00000.h5").write_bytes(b"cut short")
    assert cache.missing() == [0]
    cache.make()
    assert not cache.missing()


def test_replay_generator_feeds_what_the_cache_holds(barrel, toy, tmp_path):
    incident = single_photons(barrel, 12)
    cache = SimulationCache(tmp_path, "toy", incident, seed=4)
    cache.make()
    fed = ReplayGenerator(cache).generate(incident, seed=99, batch_size=32)
    assert np.array_equal(fed.energy, toy.generate(incident, seed=4).energy)
    with pytest.raises(InputError, match="not loaded by name"):
        ReplayGenerator.load(cache.spec, None)
