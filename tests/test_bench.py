"""The benchmark measures what it says, and a card holds nothing but its measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import calozoo_cards
from calozoo import catalog
from calozoo.bench.fidelity import measure_fidelity
from calozoo.bench.memory import measure_memory
from calozoo.bench.report import Machine, Measurements, card, write_card
from calozoo.bench.speed import EnergySpeed, Speed, measure_speed
from calozoo_core.errors import CalozooError, DetectorError
from calozoo_core.generator import Generator
from calozoo_core.io import write_showers

CARDS = sorted(Path(calozoo_cards.__file__).parent.glob("*/measurements.json"))


@pytest.fixture(scope="module")
def toy() -> Generator:
    return catalog.load("toy", offline=True)


@pytest.fixture(scope="module")
def toy_file(toy: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "toy.h5"
    write_showers(path, toy.generate(energy=[5.0, 10.0] * 60, n=120, seed=3), generator="toy")
    return path


def test_a_model_against_itself_is_at_the_noise_floor(toy: Generator, toy_file: Path) -> None:
    fidelity = measure_fidelity(toy, toy_file, repeats=2)
    assert (fidelity.n_reference, fidelity.n_generated) == (120, 240)
    for name, value in fidelity.divergence.items():
        assert value < 2 * fidelity.noise_floor[name], name
    window = fidelity.windows[0]
    assert window.n_reference == 120
    assert abs(window.visible_energy - 1) < 4 * window.visible_energy_error
    assert abs(window.n_points - 1) < 4 * window.n_points_error


def test_a_model_that_is_off_is_seen_to_be(toy: Generator, tmp_path: Path) -> None:
    """Showers of 6 GeV, said to be of 5: a fifth too much energy, and too deep."""
    showers = toy.generate(energy=6.0, n=100, seed=3)
    showers.incident.energy[:] = 5.0
    write_showers(tmp_path / "off.h5", showers, generator="toy")
    window = measure_fidelity(toy, tmp_path / "off.h5", repeats=2).windows[0]
    assert window.visible_energy == pytest.approx(5 / 6, rel=0.06)


def test_a_file_of_another_representation_is_refused(toy: Generator, tmp_path: Path) -> None:
    from calozoo_core.representation import Representation

    merged = Representation(split=1, cell=5.0883331298828125)(toy.generate(energy=2.0, n=3), 0)
    write_showers(tmp_path / "x1.h5", merged, generator="toy")
    with pytest.raises(DetectorError, match="holds x1 showers"):
        measure_fidelity(toy, tmp_path / "x1.h5")


def test_speed_is_the_mean_of_the_ratios_over_the_energies() -> None:
    rows = (
        EnergySpeed(energy_gev=10, single_ms=2, batched_ms=1, geant4_ms=200),
        EnergySpeed(energy_gev=100, single_ms=5, batched_ms=4, geant4_ms=1500),
    )
    speed = Speed(threads=1, repeats=1, energies=rows)
    assert speed.single_speedup == pytest.approx((100 + 300) / 2)
    assert speed.batched_speedup == pytest.approx((200 + 375) / 2)


def test_model_and_reference_are_timed_in_the_same_run(toy: Generator) -> None:
    speed = measure_speed(
        toy, geant4=toy, reference_ms_per_gev=15, threads=1, repeats=2, energies_gev=(2, 4)
    )
    assert [row.energy_gev for row in speed.energies] == [2, 4]
    assert all(row.geant4_ms and row.single_ms > 0 for row in speed.energies)
    assert speed.reference_ms_per_gev is None


def test_memory_is_that_of_a_real_run() -> None:
    memory = measure_memory("toy", n_showers=20)
    assert memory.peak_mb > memory.interpreter_mb + 10


def test_a_generation_that_fails_is_no_measurement() -> None:
    with pytest.raises(CalozooError, match="failed with exit code"):
        measure_memory("toy", n_showers=0)


def test_a_card_is_written_whole(toy: Generator, toy_file: Path, tmp_path: Path) -> None:
    measurements = Measurements(
        model=toy.spec.name,
        precision="float32",
        parameters=0,
        weights_bytes=0,
        machine=Machine.here(),
        fidelity=(measure_fidelity(toy, toy_file, repeats=1),),
        notes=("a note",),
    )
    write_card(tmp_path / "card", measurements, toy.spec)
    text = (tmp_path / "card" / "README.md").read_text()
    assert text.startswith("---\nlicense: apache-2.0\n")
    assert "## How good: against 120 Geant4 showers" in text
    assert "- a note" in text
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == [
        "README.md",
        "measurements.json",
    ]


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_no_number_in_a_card_is_typed(path: Path) -> None:
    measurements = Measurements.model_validate(json.loads(path.read_text()))
    spec = catalog.find_model(measurements.model)
    assert card(measurements, spec) == (path.parent / "README.md").read_text()


def test_the_benchmark_of_an_unknown_model_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "calozoo.bench", "nothing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("calozoo: no model is called 'nothing'")
