"""Electrons of the CaloChallenge: the energies to simulate, and the comparison of two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_core.errors import InputError
from calozoo_core.io import calochallenge
from calozoo_core.testing import load_bundled
from calozoo_core.voxels import DATASETS
from studies.caloinn.electron_energies import electron_energies
from studies.caloinn.voxel_comparison import main, observables, ratios

SHAPE = (45, 16, 9)


def test_the_energies_to_simulate_cover_the_range_evenly_in_every_file() -> None:
    for number in (0, 15):
        energy = electron_energies(number)
        root = np.sort((1 - energy**-0.5) / (1 - 1000**-0.5))
        assert ((root >= np.arange(100) / 100) & (root <= np.arange(1, 101) / 100)).all()
    assert not np.array_equal(electron_energies(0), electron_energies(1))


def test_the_challenges_observables_of_a_single_voxel_are_those_of_its_middle() -> None:
    voxels = np.zeros((1, *SHAPE))
    voxels[0, 7, 8, 2] = 500
    found = observables(np.array([[1000.0]]), voxels.reshape(1, -1))
    assert found["energy / incident"] == 0.5
    assert found["filled voxels"] == pytest.approx(1 / 6480)
    assert found["depth"] == 7
    assert found["mean radius"] == pytest.approx(2.5 * 4.65)
    assert found["centre of a shower"] == pytest.approx(2.5 * 4.65 * np.cos(np.pi / 16))
    assert found["width"] == pytest.approx(0, abs=1e-6)


def test_voxels_of_no_data_set_are_refused() -> None:
    with pytest.raises(InputError, match="Showers of 10 voxels"):
        observables(np.ones((1, 1)), np.ones((1, 10)))


def test_ratios_of_a_sample_to_itself_are_1() -> None:
    values = np.random.default_rng(1).normal(5, 1, 100)
    (mean, mean_error), (spread, spread_error) = ratios(values, values, np.random.default_rng(2))
    assert (mean, spread) == (1, 1)
    assert 0.01 < mean_error < 0.1
    assert 0.03 < spread_error < 0.3


def test_two_files_are_compared_range_by_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_bundled(ELECTRON_SPEC)
    for name, seed in (("a.h5", 1), ("b.h5", 2)):
        showers = model.generate(energy=[2] * 8 + [100] * 8, seed=seed)
        calochallenge.write(tmp_path / name, [showers], DATASETS["dataset2"])
    main(tmp_path / "a.h5", tmp_path / "b.h5")
    printed = capsys.readouterr().out
    assert "1-3 GeV, 8 and 8 showers" in printed
    assert "3-15 GeV" not in printed
    assert "15-1000 GeV, 8 and 8 showers" in printed
