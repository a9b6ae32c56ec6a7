"""Worker processes: nothing depends on how many there are, and none outlives its pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from calozoo_core.detector import parse_detector
from calozoo_core.errors import CalozooError, ConditionsError, DetectorError, InputError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.generator import Geant4

POINTS = ("x", "y", "layer", "energy", "time")

SANDWICH = """
summary = "two plates"
face_mm = 100.0
cell_mm = 5.0
field_tesla = [0.0, 0.0, 0.0]
range_cut_mm = 0.1
stack = ["all"]

[materials]
silicon = "G4_Si"
absorber = ABSORBER

[sections]
all = [
  { material = "absorber", thickness_mm = 5.0 },
  { material = "silicon", thickness_mm = 0.5, sensitive = true },
]
"""


def _sandwich(absorber: str):
    return parse_detector("sandwich", SANDWICH.replace("ABSORBER", absorber))


def _pids(generator: Geant4) -> list[int]:
    return [worker._process.pid for worker in generator._pool._workers]


def _is_gone(pid: int) -> bool:
    """No process has this number, not even one that has ended and was not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_showers_do_not_depend_on_the_number_of_workers(geant4):
    two = Geant4(ILD_SIECAL_REGULAR, workers=2)
    incident = Incident(np.linspace(0.2, 1.5, 9), (0.2, 0.1, 1))
    expected = geant4.generate(incident, seed=7)
    found = two.generate(incident, seed=7, batch_size=4)
    two.close()
    for name in POINTS:
        assert getattr(expected, name).tobytes() == getattr(found, name).tobytes()


def test_showers_of_any_numbers_are_made_by_all_workers(geant4):
    two = Geant4(ILD_SIECAL_REGULAR, workers=2)
    incident, numbers = Incident([0.2, 0.4, 0.3], (0.2, 0.1, 1)), np.array([40, 7, 9])
    found = two.sample_numbers(incident, 3, numbers)
    n_workers = len(_pids(two))
    two.close()
    assert n_workers == 2
    assert found == Generator.sample_numbers(geant4, incident, 3, numbers)


def test_shower_does_not_depend_on_what_was_simulated_before(geant4):
    incident = Incident([0.8], (0, 0, 1))
    expected = geant4.sample(incident, 2, 40)
    geant4.generate(Incident([0.9, 0.3], (0.4, 0, 1), "e-"), seed=1)
    found = geant4.sample(incident, 2, 40)
    fresh = Geant4(ILD_SIECAL_REGULAR)
    afresh = fresh.sample(incident, 2, 40)
    fresh.close()
    for name in POINTS:
        assert getattr(expected, name).tobytes() == getattr(found, name).tobytes()
        assert getattr(expected, name).tobytes() == getattr(afresh, name).tobytes()


def test_workers_stay_between_batches_and_end_with_close(geant4_data):
    generator = Geant4(ILD_SIECAL_REGULAR, workers=2)
    generator.generate(energy=0.1, n=2)
    pids = _pids(generator)
    generator.generate(energy=0.1, n=3, batch_size=1)
    assert _pids(generator) == pids
    assert len(pids) == 2
    generator.close()
    assert all(map(_is_gone, pids))


def test_workers_end_without_warnings_when_the_generator_is_forgotten(geant4_data):
    generator = Geant4(ILD_SIECAL_REGULAR)
    generator.generate(energy=0.1, n=1)
    (pid,) = _pids(generator)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del generator
    assert _is_gone(pid)


def test_script_without_a_main_guard_runs_and_leaves_the_terminal_clean(geant4_data, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from calozoo_geant4 import ILD_SIECAL_REGULAR as spec\n"
        "from calozoo_geant4.generator import Geant4\n"
        "generator = Geant4.load(spec)\n"
        "print(len(generator.generate(energy=0.1, n=2)))\n"
    )
    (tmp_path / "random.py").write_text("raise RuntimeError('not the standard library')\n")
    run = subprocess.run(
        [sys.executable, "-P", "-W", "error", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("2\n", "")


def test_killed_worker_is_an_error_that_names_the_shower_and_others_can_follow(geant4_data):
    generator = Geant4(ILD_SIECAL_REGULAR)
    generator.generate(energy=0.1, n=1)
    (pid,) = _pids(generator)
    killer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(CalozooError, match=r"stopped at shower 11 \(gamma, 900 GeV.*SIGKILL"):
        generator.sample(Incident([900.0], (0, 0, 1)), 1, 11)
    killer.join()
    assert _is_gone(pid)
    assert len(generator.generate(energy=0.1, n=1)) == 1
    generator.close()


def test_abort_of_geant4_is_an_error_with_its_reason(monkeypatch, tmp_path):
    # Geant4 aborts where a data set lacks the file of an element.
    for name in ("G4EMLOW", "G4ENSDFSTATE"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("CALOZOO_G4DATA", str(tmp_path))
    generator = Geant4(ILD_SIECAL_REGULAR, detector=_sandwich('"G4_Pb"'))
    pattern = r"^Geant4 stopped while it built detector sandwich: [^\n*]+ \(\w+ from G4[\w:]+\)\.$"
    with pytest.raises(CalozooError, match=pattern):
        generator.generate(energy=0.1, n=1)


@pytest.mark.skipif(os.name != "posix", reason="signals to a process group are POSIX")
def test_interrupt_ends_the_workers(geant4_data, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from calozoo_geant4 import ILD_SIECAL_REGULAR as spec\n"
        "from calozoo_geant4.generator import Geant4\n"
        "generator = Geant4(spec, workers=2)\n"
        "generator.generate(energy=0.1, n=2)\n"
        "print(*(w._process.pid for w in generator._pool._workers), flush=True)\n"
        "generator.generate(energy=900, n=4)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        time.sleep(0.5)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, talk = process.communicate(timeout=20)
        assert time.monotonic() - began < 10
    assert talk.strip().endswith("KeyboardInterrupt")
    assert process.returncode != 0
    assert len(pids) == 2
    assert all(map(_is_gone, pids))


@pytest.mark.parametrize(
    ("absorber", "words"),
    [
        ('"G4_UNOBTAINIUM"', "knows no material 'G4_UNOBTAINIUM', which detector sandwich uses"),
        ("{ density_g_cm3 = 1.0, mass_fractions = { Xx = 1.0 } }", "knows no element 'Xx'"),
    ],
)
def test_material_that_geant4_cannot_make_is_named(geant4_data, absorber, words):
    generator = Geant4(ILD_SIECAL_REGULAR, detector=_sandwich(absorber))
    with pytest.raises(DetectorError, match=words):
        generator.generate(energy=0.1, n=1)


def test_another_detector_is_built_from_its_description(geant4_data):
    detector = _sandwich("{ density_g_cm3 = 19.3, mass_fractions = { W = 1.0 } }")
    generator = Geant4(ILD_SIECAL_REGULAR, detector=detector)
    showers = generator.generate(energy=1.0, n=20)
    generator.close()
    assert showers.detector == "sandwich"
    assert set(showers.layer) == {0}
    assert showers.visible_energy.mean() > 0.1


def test_other_particles_are_refused_even_beyond_the_conditions(geant4):
    with pytest.raises(ConditionsError, match="simulates gamma, e-, e\\+, not pi-"):
        geant4.generate(Incident(1.0, (0, 0, 1), "pi-"), extrapolate=True)


@pytest.mark.parametrize("options", [{"device": "cuda"}, {"precision": "bfloat16"}])
def test_other_devices_and_precisions_are_refused(options):
    with pytest.raises(InputError, match="on cpu in float64 only"):
        Geant4.load(ILD_SIECAL_REGULAR, **options)


@pytest.mark.parametrize("number", ["0", "-2", "many"])
def test_number_of_workers_must_be_positive(monkeypatch, number):
    monkeypatch.setenv("CALOZOO_G4WORKERS", number)
    with pytest.raises(InputError, match=f"1 or more worker processes, not {number}"):
        Geant4.load(ILD_SIECAL_REGULAR)


def test_number_of_workers_comes_from_the_environment(geant4_data, monkeypatch):
    monkeypatch.setenv("CALOZOO_G4WORKERS", "3")
    assert Geant4.load(ILD_SIECAL_REGULAR).workers == 3
