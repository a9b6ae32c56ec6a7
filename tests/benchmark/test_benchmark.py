"""The benchmark measures what it says, on the same primaries for all, and can be stopped."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from calozoo import api
from calozoo.benchmark.benchmark import Benchmark
from calozoo.benchmark.benchmark_model import count_parameters
from calozoo.benchmark.fidelity import (
    CellObservables,
    FileReference,
    PointObservables,
    measure_fidelity,
)
from calozoo.benchmark.measurements import read_measurements
from calozoo.benchmark.memory import measure_memory, peak_mb
from calozoo.benchmark.request import (
    ENERGIES_GEV,
    THETA_DEG,
    BenchmarkRequest,
    find_simulation,
    single_photons,
)
from calozoo.benchmark.simulation_cache import SimulationCache
from calozoo.benchmark.speed import (
    BATCH,
    TimedModel,
    TimingRequest,
    _medians,
    _ModelTimer,
    measure_speed,
)
from calozoo_core.errors import CalozooError, ConditionsError, InputError, OutputExistsError
from calozoo_core.generator import Conditions
from calozoo_core.io import ShowerFile, ShowerWriter, write_showers
from calozoo_core.weights import sha256


@pytest.fixture(scope="module")
def reference(toy, barrel, tmp_path_factory) -> Path:
    """What somebody else's Geant4 would leave: hits in the real detector."""
    path = tmp_path_factory.mktemp("reference") / "reference.h5"
    showers = toy.generate(single_photons(barrel, 12, seed=5), seed=8)
    with ShowerWriter(path, generator="toy", seed=8, hits_detector="ild_siecal") as writer:
        writer.append(showers, barrel.place(showers))
    return path


def sums(batches, placement) -> CellObservables:
    found = CellObservables(placement)
    for showers, hits in batches:
        found.add(showers, hits)
    return found


# Fidelity


def test_model_against_itself_is_at_the_noise_floor(toy, barrel, reference):
    file = FileReference(reference, barrel)
    fidelity, _ = measure_fidelity(toy, file.incident, sums(file.batches(), barrel), seed=1)
    figures = {figure.name: figure for figure in fidelity.figures if figure.metric == "js"}
    assert all(name.startswith("cells.") for name in figures)
    for name in ("cells.layer_energy", "cells.radial_energy_30", "cells.occupancy"):
        assert figures[name].value < 4 * figures[name].noise_floor, name
    assert len(fidelity.ratios) == len(ENERGIES_GEV)
    for row in fidelity.ratios:
        assert row.low_gev == row.high_gev
        assert row.n_generated == row.n_reference == 12
        for mean, error in (row.visible_energy, row.hits):
            assert abs(mean - 1) < 5 * error
        assert row.points is None


def test_model_that_is_off_is_seen_to_be(toy, barrel, tmp_path):
    """Showers of five sixths of the energy: a fifth more is generated, and deeper."""
    incident = single_photons(barrel, 12)
    showers = toy.generate(incident, seed=1)
    showers.energy[:] *= 5 / 6
    truth, points = sums([(showers, None)], barrel), PointObservables("ild_siecal_regular")
    points.add(showers)
    fidelity, _ = measure_fidelity(toy, incident, truth, points, seed=2)
    ratio = np.mean([row.visible_energy[0] for row in fidelity.ratios])
    assert ratio == pytest.approx(6 / 5, rel=0.03)
    assert np.mean([row.points[0] for row in fidelity.ratios]) == pytest.approx(1, rel=0.03)
    figures = {(f.name, f.metric): f for f in fidelity.figures}
    spectrum = figures["points.spectrum", "js"]
    assert spectrum.value > 10 * spectrum.noise_floor


def test_primaries_outside_the_conditions_are_refused_or_said(toy, barrel, reference):
    file = FileReference(reference, barrel)
    truth = sums(file.batches(), barrel)
    narrow = api.load("toy", offline=True)
    narrow.spec = toy.spec.model_copy(update={"conditions": Conditions(energy_gev=(20, 90))})
    with pytest.raises(ConditionsError):
        measure_fidelity(narrow, file.incident, truth)
    assert measure_fidelity(narrow, file.incident, truth, extrapolate=True)[0].extrapolated
    assert not measure_fidelity(toy, file.incident, truth)[0].extrapolated


def test_reference_that_does_not_say_where_showers_enter_is_refused(toy, barrel, tmp_path):
    write_showers(tmp_path / "lost.h5", toy.generate(energy=10, n=3), generator="toy")
    with pytest.raises(InputError, match="generate --place ild_siecal"):
        FileReference(tmp_path / "lost.h5", barrel)


def test_reference_with_hits_cut_too_high_is_refused(toy, barrel, tmp_path):
    showers = toy.generate(single_photons(barrel, 1), seed=8)
    with ShowerWriter(
        tmp_path / "cut.h5",
        generator="toy",
        seed=8,
        hits_detector="ild_siecal",
        hits_threshold_mev=0.5,
    ) as writer:
        writer.append(showers, barrel.place(showers, threshold_mev=0.5))
    with pytest.raises(InputError, match=r"--threshold 0\.1"):
        FileReference(tmp_path / "cut.h5", barrel)


def test_reference_in_files_is_joined_to_one_that_is_always_the_same(
    toy, barrel, tmp_path, monkeypatch
):
    """The toy, placed, stands for Geant4 in the real detector."""
    monkeypatch.setattr("calozoo.benchmark.benchmark.find_simulation", lambda *_: "toy.ild-photon")
    monkeypatch.setattr(
        Benchmark,
        "_cache",
        lambda self, model, seed: SimulationCache(
            self._folder, model, self.incident, seed=seed, placement=barrel
        ),
    )
    simulated = request(tmp_path, "toy", models=(), showers_per_energy=12)
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    digests = {Benchmark(simulated, unseen).make_reference(path) for path in (one, other)}
    assert digests == {sha256(one)}
    assert len(list((tmp_path / "work" / "photons-0").glob("*/*.h5"))) == 3  # 50 + 50 + 20
    with pytest.raises(OutputExistsError, match=r"one\.h5 is already there"):
        Benchmark(simulated, unseen).make_reference(one)
    with ShowerFile(one) as file:
        incident = single_photons(barrel, 12)
        assert np.array_equal(file.incident().energy, incident.energy)
        expected = barrel.place(toy.generate(incident, seed=1))
        assert np.array_equal(file.hits().cell, expected.cell)
    (measured,) = Benchmark(request(tmp_path, one), unseen).run()
    assert measured.sample.reference_sha256 == sha256(one)
    assert measured.sample.theta_deg == THETA_DEG  # the file's primaries are the usual ones
    (auc, *_) = (f for f in measured.fidelity[0].figures if f.name == "cells.classifier")
    assert auc.reason == "120 showers are too few to train on; give at least 200."
    cells = measured.figures["cells.occupancy", "ratio"]
    assert abs(cells.value - 1) < 5 * cells.error


def test_model_of_another_detector_cannot_be_the_reference():
    assert find_simulation("toy", "ild_siecal_regular") == "toy.ild-photon"
    with pytest.raises(InputError, match="makes no showers in ild_siecal"):
        find_simulation("toy", "ild_siecal")


# Times, memory, size


def test_speed_up_is_the_median_of_the_rounds_own_ratios():
    """The second round ran on a machine half as fast: the ratio is what stays."""
    times = [(1.0, 0.5, 2.0, 1.0), (2.0, 1.0, 4.0, 2.0), (1.0, 0.5, 2.0, 1.0)]
    row = _medians(10.0, times, [100.0, 200.0, 130.0])
    assert row.speedups == (100, 200, 50, 100)
    assert (row.single_ms, row.batched_ms, row.geant4_ms) == (1000, 500, 130_000)


def test_models_are_timed_in_turn():
    request = TimingRequest(
        models=(TimedModel(model="toy"), TimedModel(model="toy", precision="float32")),
        geant4="toy",
        detector="ild_siecal",
        energies_gev=(10, 20),
        threads=1,
        rounds=2,
        seed=0,
    )
    ticks: list[int] = []
    timings = measure_speed(request, lambda: ticks.append(1))
    assert len(ticks) == 4
    assert len(timings) == 2
    for timing in timings:
        assert [row.energy_gev for row in timing.energies] == [10, 20]
        assert (timing.geant4, timing.threads, timing.batch_size) == ("toy.ild-photon", 1, BATCH)
        assert all(0 < row.single_ms < row.single_placed_ms for row in timing.energies)
        assert 0.1 < timing.speedup < 10  # the toy against itself


def test_slow_model_gets_smaller_batches(toy, barrel):
    class Slow(type(toy)):  # type: ignore[misc]
        def sample(self, incident, seed, first):
            time.sleep(0.07 * len(incident))
            return super().sample(incident, seed, first)

    incident = single_photons(barrel, BATCH, energies_gev=(10.0,))
    timer = _ModelTimer(Slow(toy.spec), barrel, extrapolate=False)
    timer.warm_up(incident)
    assert timer.batch_size == 8


def test_memory_is_that_of_a_real_run():
    memory = measure_memory("toy", n_showers=20)
    assert memory.generation_mb > 10
    assert memory.startup_s > 0.1


def test_a_shower_on_clumps_takes_150_mb_at_most(tmp_path):
    command = [sys.executable, "-m", "calozoo", "generate", "--quiet", "--offline", "--threads"]
    command += ["1", "--model", "calodream", "--energy", "50", "--out", str(tmp_path / "s.h5")]
    assert peak_mb(command) <= 150


def test_a_generation_that_fails_is_no_measurement():
    with pytest.raises(CalozooError, match="failed with exit code"):
        measure_memory("toy", n_showers=0)


def test_parameters_are_what_was_trained(toy):
    caloclouds3 = api.load("caloclouds3.ild-photon", offline=True)
    folder = api.pull("caloclouds3.ild-photon", offline=True).folder
    trained = count_parameters(caloclouds3, folder)
    held = count_parameters(toy, folder)  # knows no torch: counted in the file, constants and all
    assert trained is not None
    assert held is not None
    assert 100_000 < trained < held < 1.01 * trained
    assert count_parameters(toy, None) is None


# The whole


@contextmanager
def unseen(title: str, total: int, of: str) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def request(tmp_path: Path, reference: Path, **changes: object) -> BenchmarkRequest:
    given = {
        "models": ("toy",),
        "reference": reference,
        "showers_per_energy": 2,
        "rounds": 0,
        "work": tmp_path / "work",
        "geant4": None,
    }
    return BenchmarkRequest(**(given | changes))  # type: ignore[arg-type]


def test_stopped_benchmark_goes_on_and_a_finished_one_begins_anew(reference, tmp_path):
    wanted = request(tmp_path, reference, models=("toy", "toy"))

    class StoppedError(Exception):
        pass

    begun: list[str] = []

    @contextmanager
    def stop_at_the_second(title: str, total: int, of: str) -> Iterator[Callable[[int], None]]:
        begun.append(title)
        if len(begun) > 1:
            raise StoppedError
        yield lambda _: None

    both = request(tmp_path, reference, models=("toy", "caloclouds3"))
    with pytest.raises(StoppedError):
        list(Benchmark(both, stop_at_the_second).run())
    checkpoints = list((tmp_path / "work" / "checkpoints").iterdir())
    assert len(checkpoints) == 1
    kept = json.loads(checkpoints[0].read_text())
    seen: list[str] = []

    @contextmanager
    def see(title: str, total: int, of: str) -> Iterator[Callable[[int], None]]:
        seen.append(title)
        yield lambda _: None

    first, *_ = list(Benchmark(wanted, see).run())
    assert seen == []  # the toy was done before
    assert first.fidelity[0].model_dump(mode="json") == kept
    assert list((tmp_path / "work" / "checkpoints").iterdir()) == []
    list(Benchmark(request(tmp_path, reference), see).run())
    assert seen == ["toy.ild-photon, float32"]


def test_command_measures_and_writes_a_card(calozoo, reference, tmp_path):
    command = ["benchmark", "toy", "--reference", str(reference), "--repeats", "1", "--no-geant4"]
    run = calozoo(*command, "--out", "cards", "--json", "--note", "toy", "A toy.")
    assert run.returncode == 0, run.stderr
    (printed,) = json.loads(run.stdout)
    folder = tmp_path / "cards" / "toy.ild-photon"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "measurements.json",
        "overview.png",
    ]
    measured = read_measurements(folder / "measurements.json")
    assert json.loads(measured.as_json()) == printed
    assert measured.sample.n_showers == 120
    assert measured.sample.reference == "reference.h5"
    assert measured.notes == ("A toy.",)
    assert measured.timings[0].threads == 1
    assert measured.memory is not None
    assert measured.parameters is None
    text = (folder / "README.md").read_text()
    assert "120 photons of 10, 20, " in text
    assert "- A toy." in text
    assert "](overview.png)" in text
    again = calozoo(*command[:4], "--out", "cards", "--no-speed", "--json")
    (replaced,) = json.loads(again.stdout)
    assert replaced["notes"] == ["A toy."]
    assert "timings" not in replaced or not replaced["timings"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "Missing argument 'MODEL...'"),
        (["--reference", "gone.h5", "--make-reference", "x.h5"], "There is no shower file gone.h5"),
        (["nothing"], "no model named 'nothing'"),
        (["toy", "--reference", "gone.h5"], "There is no shower file gone.h5"),
        (["toy", "--reference", "toy"], "makes no showers in ild_siecal"),
        (["toy", "--precision", "bfloat16"], "leave out --device and --precision"),
        (["toy", "caloclouds3", "--weights", "."], "name one, or leave out --weights"),
        (["toy", "--showers", "1"], "is not in the range"),
        (["toy", "--note", "caloclouds3", "Fast."], "not measured; name it"),
    ],
)
def test_wrong_request_is_one_sentence(words, complaint, calozoo, tmp_path):
    run = calozoo("benchmark", *words)
    assert run.returncode in (1, 2)
    assert complaint in run.stderr
    assert run.stderr.startswith("calozoo: ")
    assert len(run.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_everything_against_geant4_itself(tmp_path):
    """Twenty photons: the real detector, the gapless one, what is fed by it, and a fast model."""
    wanted = BenchmarkRequest(
        models=("geant4", "optimum.steps", "caloclouds3"),
        reference="geant4",
        showers_per_energy=2,
        rounds=1,
        work=tmp_path,
    )
    simulated, optimum, fast = Benchmark(wanted, unseen).run()
    assert simulated.spec.name == "geant4.ild-siecal-regular"
    assert not simulated.timings
    assert optimum.sample.reference == "geant4.ild-siecal"
    assert any(figure.name.startswith("points.") for figure in fast.fidelity[0].figures)
    assert not any(figure.name.startswith("points.") for figure in optimum.fidelity[0].figures)
    for one in (simulated, optimum):
        ratios = [row.visible_energy[0] for row in one.fidelity[0].ratios]
        assert np.mean(ratios) == pytest.approx(1, abs=0.1)
    assert fast.timings[0].geant4 == "geant4.ild-siecal-regular"
    assert fast.timings[0].placed_speedup > 10
