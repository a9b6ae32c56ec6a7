"""What a writer takes, its reader gives back: all attributes and values, or nothing is written."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from shower_strategies import same_showers, showers

from calozoo_core.errors import ShowerFileError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.hits import Hits
from calozoo_core.io import ShowerFile, ShowerWriter
from calozoo_core.io._layout import attribute, number
from calozoo_core.io.events import EventFile, EventWriter, SimulatedEvents, TakenParticles

texts = st.one_of(st.text(max_size=20), st.sampled_from(["x" * 70000, "a.toml", "é", "\ud800", ""]))
values = st.one_of(
    texts,
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.booleans(),
    st.integers(-5, 5).map(np.int32),
    st.floats(width=32).map(np.float32),
)
names = st.one_of(
    texts,
    st.sampled_from(["seed", "detector", "format", "version", "model", "threshold_mev", "origin"]),
)
float32s = st.floats(width=32)


@st.composite
def hits(draw, n, odd):
    """Hits of n showers or events; with `odd` also such as no detector gives."""
    counts = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    total = sum(counts) + (draw(st.integers(-1, 1)) if odd else 0)
    total = max(total, 0)
    number = float32s if odd else st.floats(0, 1000, width=32)
    columns = {
        name: draw(npst.arrays(np.float32, total, elements=number))
        for name in ("x", "y", "z", "energy")
    }
    return Hits(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cell=draw(npst.arrays(np.int64, total, elements=st.integers(-1 if odd else 0, 2**62))),
        layer=draw(npst.arrays(np.uint8, total, elements=st.integers(0, 255 if odd else 29))),
        **columns,
    )


def same(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other))


def assert_attributes(path, given_ones):
    """Each attribute is in the file as it was given, and the reader takes it."""
    with h5py.File(path) as file:
        for name, value in given_ones.items():
            read = number(file, name) if isinstance(value, float) else attribute(file, name)
            assert read == value, name


@settings(max_examples=50)
@given(showers(), texts, values, st.dictionaries(names, values, max_size=3), st.data())
def test_a_shower_file_is_read_as_it_was_written_or_is_not_written(
    batch, generator, seed, provenance, data
):
    placed = data.draw(st.booleans())
    detector = data.draw(st.one_of(st.just("ild_siecal_regular"), texts)) if placed else None
    threshold = data.draw(st.floats()) if placed else 0.0
    odd = data.draw(st.booleans())
    found = data.draw(hits(len(batch), odd)) if placed else None
    with TemporaryDirectory() as folder:
        path = Path(folder, "s.h5")
        try:
            with ShowerWriter(
                path,
                generator=generator,
                seed=seed,
                provenance=provenance,
                hits_detector=detector,
                hits_threshold_mev=threshold,
            ) as writer:
                writer.append(batch, found)
        except ShowerFileError:
            assert not list(Path(folder).iterdir())
            return
        assert_attributes(path, provenance | {"generator": generator})
        with ShowerFile(path) as file:
            assert same_showers(file[:], batch)
            assert (file.generator, file.seed) == (generator, str(seed))
            assert file.hits_detector == detector
            assert file.hits_threshold_mev == threshold
            if found is not None:
                assert file.hits() == found


def write(path, attributes, runs):
    """A file of events."""
    with EventWriter(path, attributes=attributes) as writer:
        for run in runs:
            writer.append(run)


@st.composite
def simulated(draw):
    """Simulated events, of which some do not fit together."""
    odd = draw(st.booleans())
    counts = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    n, total = len(counts), sum(counts)
    energy = np.full(total, 5.0)
    momentum = np.tile([0.0, 0.0, 5.0], (total, 1))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    events = Events.of(offsets, np.full(total, 22), energy, momentum, (0.0, 0.0, 0.0))
    found = draw(hits(draw(st.integers(1, 3)) if odd else n, odd))
    n_hits = len(found.energy)
    shares = np.arange(n_hits + 1 + (draw(st.integers(-1, 1)) if odd else 0))
    n_shares = n_hits + (draw(st.integers(-1, 1)) if odd else 0)
    taken = draw(st.integers(0, 2))
    return SimulatedEvents(
        events=events,
        simulated_by=np.ones(total + (draw(st.integers(-1, 1)) if odd else 0), np.uint8),
        taken=TakenParticles(
            event=np.zeros(taken, np.int64),
            primary=np.zeros(taken, np.int32),
            pdg=np.full(taken, 22, np.int32),
            energy=np.ones(taken),
            position=np.zeros((taken, 3)),
            direction=np.tile([0.0, 0.0, 1.0], (taken, 1)),
            time=np.zeros(taken + (draw(st.integers(0, 1)) if odd else 0)),
        ),
        hits=EventHits(
            found,
            shares if len(shares) else np.zeros(1, np.int64),
            np.zeros(max(n_shares, 0), np.int32),
            np.ones(max(n_shares, 0), np.float32),
        ),
    )


named = st.fixed_dictionaries({"detector": st.just("ild_siecal"), "model": texts})


@settings(max_examples=50)
@given(st.lists(simulated(), min_size=1, max_size=2), st.dictionaries(names, values), named)
def test_a_file_of_events_is_read_as_it_was_written_or_is_not_written(runs, others, described):
    attributes = others | described
    with TemporaryDirectory() as folder:
        path = Path(folder, "e.h5")
        try:
            write(path, attributes, runs)
        except ShowerFileError:
            assert not list(Path(folder).iterdir())
            return
        if "threshold_mev" in attributes:
            attributes["threshold_mev"] = float(attributes["threshold_mev"])
        assert_attributes(path, attributes)
        with EventFile(path) as file:
            assert file.threshold_mev == attributes.get("threshold_mev", 0.0)
            assert (file.detector, file.model) == ("ild_siecal", attributes["model"])
            assert file.events() == Events.concatenate([run.events for run in runs])
            assert same(file.simulated_by(), np.concatenate([run.simulated_by for run in runs]))
            assert len(file.taken().pdg) == sum(len(run.taken.pdg) for run in runs)
            first = 0
            for run in runs:
                assert file.hits(slice(first, first + len(run.events))) == run.hits
                first += len(run.events)


def test_simulated_events_and_others_do_not_go_into_one_file(tmp_path):
    events = Events.of([0, 1], [22], [5.0], [[0.0, 0.0, 5.0]], (0.0, 0.0, 0.0))
    none = np.zeros(0)
    taken = TakenParticles(none, none, none, none, np.zeros((0, 3)), np.zeros((0, 3)), none)
    empty = Hits(np.zeros(2, np.int64), none, none, none, none, none, none)
    run = SimulatedEvents(
        events, np.ones(1, np.uint8), taken, EventHits(empty, np.zeros(1, np.int64), none, none)
    )
    described = {"detector": "ild_siecal", "model": "toy"}
    for attributes, runs, said in (
        (described, [events, run], "do not go into one file"),
        (described, [run, events], "do not go into one file"),
        ({"detector": "ild_siecal"}, [run], "need the attribute model"),
    ):
        with pytest.raises(ShowerFileError, match=said):
            write(tmp_path / "e.h5", attributes, runs)
    assert not list(tmp_path.iterdir())
