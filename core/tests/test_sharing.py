"""Placement, readers and figures among threads, in a forked child, beside a caller's settings."""

from __future__ import annotations

import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from importlib.util import find_spec

import numpy as np
import pytest
from placement_kinds import KINDS, entries, gaussian_showers

from calozoo_core.clumps import fill, load_table
from calozoo_core.incident import Incident
from calozoo_core.io import calochallenge, ddml, open_showers, read_showers, root, write_showers
from calozoo_core.metrics.comparison import compare
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.random import stream
from calozoo_core.representation import Representation
from calozoo_core.testing._sharing import answer_in_child, callers_states, readings
from calozoo_core.voxels import CylinderVoxels

ILD = KINDS["slab"].detector
SHOWERS = gaussian_showers(ILD, n=12)
SEEDS = (1, 2, 3, 4)
VOXELS = CylinderVoxels.regular(ILD.n_layers, n_alpha=16, n_r=9, dr_mm=10.0)


def placed(kind, seed):
    """Hits of showers at places that depend on the seed."""
    placement = KINDS[kind]
    position, _ = entries(placement, len(SHOWERS), seed)
    showers = gaussian_showers(placement.detector, n=12, seed=seed)
    return placement.place(showers, position)


def merged(name, seed):
    return Representation.named(name, ILD.cell_mm)(SHOWERS, seed)


def filled(seed):
    table = load_table(ILD.name)
    mesh = table.config.mesh
    energies = np.zeros((2, ILD.n_layers, mesh.n_cells), np.float32)
    energies[:, :, : 5 * seed] = 3.0
    incident = Incident([20.0, 30.0], (0, 0, 1))
    return fill(energies, incident, table, [stream(seed, i, "sharing") for i in range(2)])


def tallied(seed):
    halves = [ObservableAccumulator(ILD, seed=seed) for _ in range(2)]
    for half, showers in zip(halves, (SHOWERS[:6], SHOWERS[6:]), strict=True):
        half.add(showers)
    return compare(*halves)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """What is done at the same time, by name: functions of a seed."""
    folder = tmp_path_factory.mktemp("files")
    native, library = folder / "s.h5", folder / "ddml.h5"
    challenge, tree = folder / "cc.h5", folder / "s.root"
    write_showers(native, SHOWERS, generator="gaussian")
    ddml.write_library(library, [SHOWERS])
    calochallenge.write(challenge, [SHOWERS], VOXELS)
    opened = open_showers(native)
    found = {f"placement: {kind}": partial(placed, kind) for kind in KINDS}
    found |= {name: partial(merged, name) for name in ("x1", "x25")}
    found["clumps"] = filled
    found["reader"] = lambda seed: read_showers(native, [seed, 2 * seed])
    found["shared reader"] = lambda seed: (opened[seed : 3 * seed], opened.incident(seed))
    found["ddml"] = lambda _: ddml.read_library(library, SHOWERS.incident, detector=ILD.name)
    found["calochallenge"] = lambda seed: calochallenge.read_showers(
        challenge, VOXELS, detector=ILD.name, seed=seed
    )
    found["figures"] = tallied
    if root_is_installed():
        root.write(tree, [SHOWERS], generator="gaussian")
        found["root"] = lambda seed: root.read(tree, slice(seed, 2 * seed))
    yield found
    opened.close()


def root_is_installed():
    return all(find_spec(name) for name in ("uproot", "awkward"))


def digest(work, seed):
    return sha256(pickle.dumps(work(seed))).hexdigest()


def test_threads_do_the_same_as_one(jobs):
    expected = {(name, seed): digest(work, seed) for name, work in jobs.items() for seed in SEEDS}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda key: digest(jobs[key[0]], key[1]), expected))
    finally:
        sys.setswitchinterval(interval)
    assert dict(zip(expected, made, strict=True)) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_does_the_same(jobs):
    expected = {name: digest(work, 1) for name, work in jobs.items()}
    answer = answer_in_child("fork", lambda: {name: digest(work, 1) for name, work in jobs.items()})
    assert answer == expected


def test_what_the_caller_set_changes_nothing_and_stays_set(jobs):
    expected = {name: digest(work, 1) for name, work in jobs.items()}
    with ExitStack() as stack:
        for state in callers_states().values():
            stack.enter_context(state())
        before = readings()
        made = {name: digest(work, 1) for name, work in jobs.items()}
        assert readings() == before
    assert made == expected
