"""Measurements of Geant4 that calozoo brings: the same figures as its hits, or Geant4 is run."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from physics.pair_data import (
    DETECTOR,
    EVENTS,
    SEPARATION,
    deposits_of,
    hits_of,
    only_close_pairs,
)
from physics.tau_data import pi0_events

import calozoo
from calozoo.cards.metric_labels import value_text
from calozoo.cli import main
from calozoo.models import discovery
from calozoo.physics import benchmark, kept_truth
from calozoo.physics.benchmark import run_pairs, run_taus
from calozoo.physics.benchmark_samples import PAIRS, pair_samples
from calozoo.physics.digests import hits_digest, primaries_digest
from calozoo.physics.kept_truth import KeptTruth, kept_tau_events, measured_folder
from calozoo.physics.measurement_arrays import restored_pairs, restored_taus
from calozoo.physics.options import PhysicsRun
from calozoo.physics.pairs import measure_pairs
from calozoo.physics.runner import TRUTH, common_trigger
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo.physics.taus import true_pi0
from calozoo.reconstruction.parameters import finder_parameters, parameters_digest
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.errors import CalozooError
from calozoo_core.event_hits import EventHits
from calozoo_core.io.array_file import write_array_file
from calozoo_core.io.events import write_events
from studies.events.keep_truth import keep

FINDER = PhotonFinder(DETECTOR, finder_parameters())
SHIPPED = sorted(path.stem for path in measured_folder().glob("*.safetensors"))
CLOSE = "pairs-5GeV-30mm"


@pytest.fixture(scope="module", name="simulated")
def _simulated(tmp_path_factory):
    """Folder of simulated pairs and tau events, and what is kept of them.

    The pairs are Geant4's, those of another model in place of another seed; the taus a toy's.
    """
    work, measured = (tmp_path_factory.mktemp(name) for name in ("work", "measured"))
    for seed, model in ((1, TRUTH), (2, "optimum.x9")):
        folder = work / CLOSE / f"{TRUTH}-seed{seed}"
        folder.mkdir(parents=True)
        for number in range(2):
            part = slice(100 * number, 100 * (number + 1))
            deposits_of(model)[part].write(folder / f"{number:05d}.npz")
    events = pi0_events()
    write_events(work / "tau-12.h5", events)
    store = SampleStore(work, DETECTOR, common_trigger(DETECTOR))
    for seed in (1, 2):
        store.models(Sample("tau", events, 5), {TRUTH: calozoo.load("toy")}, seed)
    assert [one.description.n_events for one in keep(work, measured)] == [100, 12]
    return work, measured


@pytest.fixture(name="kept")
def _kept(simulated, monkeypatch):
    """The folder with what is kept, in place of the one that calozoo brings."""
    monkeypatch.setattr(kept_truth, "measured_folder", lambda: simulated[1])
    monkeypatch.setattr(benchmark, "pair_samples", only_close_pairs)
    return simulated[1]


def _run(simulated, n, **options):
    """Options for the toy, and where sentences go."""
    said = []
    run = PhysicsRun(("toy",), simulated[0], n=(n,), on_truth=said.append, **options)
    return run, said


def _no_geant4(monkeypatch):
    def refuse(*_):
        raise AssertionError("Geant4 was run")

    monkeypatch.setattr(SampleStore, "truth", refuse)


def _same_figures(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].samples.keys() == other[name].samples.keys()
        for mine, theirs in zip(one[name].figures, other[name].figures, strict=True):
            assert (mine.name, mine.metric, mine.unit) == (theirs.name, theirs.metric, theirs.unit)
            for field in ("value", "error", "noise_floor", "reference_value"):
                found, expected = getattr(mine, field), getattr(theirs, field)
                if expected is not None:
                    expected = pytest.approx(expected, rel=1e-5, abs=1e-6)
                assert found == expected, (mine.name, field)
            if mine.value is not None:
                shown = (value_text(f.value, f.error, f.metric) for f in (mine, theirs))
                assert len(set(shown)) == 1, mine.name


@pytest.mark.parametrize("n", [60, 100])
def test_kept_and_simulated_truth_of_pairs_give_the_same_figures(simulated, kept, monkeypatch, n):
    run, said = _run(simulated, n, simulate_truth=True)
    slow, _ = run_pairs(run, (5,))
    assert said == [f"Geant4's hits of {CLOSE} are simulated, or reused from {simulated[0]}."]
    _no_geant4(monkeypatch)
    run, said = _run(simulated, n)
    fast, measurements = run_pairs(run, (5,))
    assert said == [f"Geant4's measurements of {CLOSE} come with calozoo."]
    _same_figures(fast, slow)
    assert list(measurements[5]) == [TRUTH, f"{TRUTH} again", "toy.ild-photon"]
    found, expected = (r["toy.ild-photon"].samples[CLOSE] for r in (fast, slow))
    assert (found.n_events, found.primaries_sha256) == (n, expected.primaries_sha256)
    assert expected.kept is None
    assert expected.truth_sha256 == hits_digest(hits_of(TRUTH)[:n])
    # The hash is of the whole kept sample, whose size is beside it.
    assert found.kept.n_events == 100
    assert found.truth_sha256 == hits_digest(hits_of(TRUTH))
    assert found.kept.packages["calozoo"]


def test_kept_and_simulated_truth_of_taus_give_the_same_figures(simulated, kept, monkeypatch):
    slow, _ = run_taus(_run(simulated, 12, simulate_truth=True)[0])
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    _no_geant4(monkeypatch)
    run, said = _run(simulated, 12)
    fast, _ = run_taus(run)
    assert said == ["Geant4's measurements of tau come with calozoo."]
    _same_figures(fast, slow)
    for n in (12, 7):  # neither Pythia nor a file of the folder makes them
        run, _ = _run(simulated, n)
        fresh, measurements = run_taus(replace(run, folder=simulated[0] / f"fresh-{n}"))
        assert fresh["toy.ild-photon"].samples["tau"].kept.n_events == 12
        assert len(measurements[TRUTH][0]) == n


def test_without_a_floor_the_repetition_is_left_out(simulated, kept, monkeypatch):
    _no_geant4(monkeypatch)
    results, measurements = run_pairs(_run(simulated, 50, floor=False)[0], (5,))
    assert list(results) == ["toy.ild-photon"]
    assert list(measurements[5]) == [TRUTH, "toy.ild-photon"]


def test_models_need_no_geant4_with_a_kept_truth(simulated, kept, monkeypatch, tmp_path):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-toy")
    discovery.forget()
    try:
        results, _ = run_pairs(_run(simulated, 50)[0], (5,))
        run, _ = _run(simulated, 10, simulate_truth=True)
        with pytest.raises(CalozooError, match="geant4"):
            run_pairs(replace(run, folder=tmp_path), (5,))
    finally:
        monkeypatch.undo()
        discovery.forget()
    assert results["toy.ild-photon"].samples[CLOSE].kept is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("more", "only 100 of 101 events come with calozoo"),
        ("parameters", "calozoo's were found with other parameters"),
        ("primaries", "calozoo's are of other events"),
        ("none", "no measurements come with calozoo"),
    ],
)
def test_geant4_is_run_where_what_is_kept_does_not_fit(
    simulated, kept, monkeypatch, tmp_path, change, reason
):
    if change == "parameters":
        monkeypatch.setattr(kept_truth, "parameters_digest", lambda: "of others")
    if change == "none":
        monkeypatch.setattr(kept_truth, "measured_folder", lambda: tmp_path / "measured")
    if change == "primaries":
        description = KeptTruth.read(CLOSE).description.model_copy(
            update={"primaries_sha256": "of others"}
        )
        (tmp_path / "measured").mkdir()
        replace(KeptTruth.read(CLOSE), description=description).write(tmp_path / "measured")
        monkeypatch.setattr(kept_truth, "measured_folder", lambda: tmp_path / "measured")
    n = 101 if change == "more" else 10
    hits, asked = hits_of(TRUTH), []

    def truth(store, sample, name, seed, simulation):
        asked.append((len(sample.events), seed))
        return EventHits.concatenate([hits[: len(sample.events)], hits[: max(0, n - 100)]])

    monkeypatch.setattr(SampleStore, "truth", truth)
    run, said = _run(simulated, n)
    results, _ = run_pairs(replace(run, folder=tmp_path / "work"), (5,))
    assert asked == [(n, 1), (n, 2)]
    assert said == [
        f"Geant4's hits of {CLOSE} ({reason}) are simulated, or reused from {tmp_path / 'work'}."
    ]
    assert results["toy.ild-photon"].samples[CLOSE].kept is None


@pytest.mark.parametrize("harm", ["damaged", "cut short", "foreign", "another version", "renamed"])
def test_a_damaged_or_foreign_file_is_one_sentence(
    simulated, kept, monkeypatch, tmp_path, capfd, harm
):
    folder = tmp_path / "measured"
    folder.mkdir()
    path = folder / f"{CLOSE}.safetensors"
    content = (kept / path.name).read_bytes()
    if harm == "damaged":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif harm == "cut short":
        path.write_bytes(content[:-9])
    elif harm == "foreign":
        path.write_bytes(b"a diary")
    elif harm == "another version":
        write_array_file(path, {}, json.dumps({"version": 2}))
    else:
        path.write_bytes((kept / "tau.safetensors").read_bytes())
    monkeypatch.setattr(kept_truth, "measured_folder", lambda: folder)
    arguments = ["--model", "toy", "--energy", "5", "-n", "50", "--work", str(simulated[0])]
    with pytest.raises(SystemExit) as stop:
        main(["physics", "pairs", *arguments])
    said = capfd.readouterr().err
    assert stop.value.code == 1
    assert said.count("\n") == 1
    assert str(path) in said
    assert said.endswith("install calozoo again, or add --simulate-truth.\n")


def test_the_command_says_which_truth_it_takes_unless_it_is_quiet(
    simulated, kept, monkeypatch, capfd
):
    arguments = ["physics", "pairs", "--model", "toy", "--energy", "5", "-n", "50"]
    arguments += ["--work", str(simulated[0])]
    assert main(arguments) == 0
    said = capfd.readouterr()
    assert said.err == f"Geant4's measurements of {CLOSE} come with calozoo.\n"
    assert f"50 in {CLOSE}" in said.out
    assert main([*arguments, "--quiet"]) == 0
    quiet = capfd.readouterr()
    assert (quiet.err, quiet.out) == ("", said.out)
    assert main([*arguments, "--simulate-truth"]) == 0
    assert "are simulated, or reused from" in capfd.readouterr().err
    # What is not needed is not read, so that a damaged file can be passed by.
    monkeypatch.setattr(KeptTruth, "read", None)
    assert main([*arguments, "--simulate-truth", "--quiet"]) == 0


def test_primaries_have_one_hash_in_spite_of_rounding():
    moved = replace(EVENTS, vertex=EVENTS.vertex * (1 + 1e-15))
    assert primaries_digest(moved) == primaries_digest(EVENTS)
    for change in ({"vertex": EVENTS.vertex + 0.01}, {"mother": np.zeros(200)}):
        assert primaries_digest(replace(EVENTS, **change)) != primaries_digest(EVENTS)


@pytest.mark.parametrize("sample", SHIPPED)
def test_what_calozoo_brings_is_of_its_samples_and_of_its_finder(sample):
    kept = KeptTruth.read(sample)
    there = kept.description
    assert there.parameters_sha256 == parameters_digest()
    if sample == "tau":
        events = kept_tau_events()
        n_true = restored_taus(kept.seeds[0]).n_true
        assert n_true.sum() == len(true_pi0(events)[1])
    else:
        own = {pairs.name: pairs for energy in PAIRS for _, pairs in pair_samples(energy, (2, 2))}
        pairs = replace(own[sample], n=there.n_events)
        events = pairs.events()
        truth, again = (
            restored_pairs(s, pairs.energy_gev, pairs.separations()) for s in kept.seeds
        )
        assert truth.quantities().keys() == again.quantities().keys()
        assert not np.array_equal(truth.single_energy, again.single_energy)
    assert len(events) == there.n_events
    assert primaries_digest(events) == there.primaries_sha256


@pytest.mark.skipif(CLOSE not in SHIPPED, reason="calozoo brings no close pairs")
def test_the_finder_still_finds_what_calozoo_brings():
    kept = KeptTruth.read(CLOSE)
    separation = only_close_pairs(5, (0, kept.description.n_events))[0][1].separations()
    brought = restored_pairs(kept.seeds[0], 5.0, separation).rows(np.arange(100))
    found = measure_pairs(hits_of(TRUTH), EVENTS, SEPARATION, FINDER)
    assert np.array_equal(brought.n_found, found.n_found)
    assert np.array_equal(brought.is_resolved, found.is_resolved)
    assert brought.single_energy == pytest.approx(found.single_energy, rel=1e-5, nan_ok=True)
    assert brought.single_offset == pytest.approx(found.single_offset, abs=1e-3, nan_ok=True)
