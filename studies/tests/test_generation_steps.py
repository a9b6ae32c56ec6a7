"""Fidelity and time by the number of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

import calozoo
from calozoo_core.errors import InputError
from studies.generation import steps

MODEL = "calodream.ild-photon-clumps"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few showers that stand for Geant4's."""
    path = tmp_path_factory.mktemp("truth") / "truth.h5"
    showers = calozoo.load(MODEL, steps=2).generate(energy=[30] * 20, seed=3)
    calozoo.write_showers(path, showers, generator="made-up", seed=3)
    return path


def test_both_tables_go_into_the_page_of_the_architecture(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ALONE", 2)
    monkeypatch.setattr(steps, "BATCH", 4)
    monkeypatch.setattr(steps, "ROUNDS", 1)
    page = tmp_path / "calodream.md"
    blocks = ("steps-fidelity", "steps-times")
    page.write_text("".join(f"<!-- begin {b} -->\n<!-- end {b} -->\n" for b in blocks))
    steps.main([str(truth), "calodream", "--steps", "1", "8", "--write", str(tmp_path)])
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows] == [
        *("steps", "1", "**8**", "Geant4's cores"),
        *("steps", "1", "**8**"),
    ]
    one, eight = (float(row[1]) for row in rows[-2:])
    assert 0 < one < eight


def test_times_and_fidelity_can_be_had_alone(
    truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "ALONE", 1)
    monkeypatch.setattr(steps, "BATCH", 2)
    monkeypatch.setattr(steps, "ROUNDS", 1)
    steps.main([str(truth), "calodream", "--steps", "1", "--no-auc"])
    assert "layers" not in capsys.readouterr().out


def test_a_model_without_steps_is_refused(truth: Path) -> None:
    with pytest.raises(InputError, match="has no list of steps"):
        steps.variants("caloinn.ild-photon-clumps")
    with pytest.raises(SystemExit, match="does not take steps"):
        steps.main([str(truth), "caloinn", "--steps", "2"])
