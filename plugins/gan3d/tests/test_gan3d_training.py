"""Training on a handful of showers: every stage, resumed, and the same twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from calozoo_core.errors import InputError
from calozoo_gan3d import SPEC, training
from calozoo_gan3d.model import Gan3d
from calozoo_gan3d.physics import image_physics
from calozoo_gan3d.training import KEPT, train

QUICK = {
    "preset": "tiny",
    "energies_epochs": 2,
    "images_epochs": 2,
    "steps": 3,
    "batch": 4,
    "validate_every": 1,
    "threads": 1,
}


def test_a_training_ends_in_a_model_that_generates(data: Path, tmp_path: Path) -> None:
    out = train(data, tmp_path / "run", **QUICK)
    model = Gan3d.load(SPEC, out)
    assert len(model.generate(energy=20, n=3)) == 3
    record = json.loads((out / "training.json").read_text())
    assert set(record["stages"]) == {"energies", "images"}
    assert record["showers"] == {"train": 30, "val": 10}
    assert "score" in (out / "images.csv").read_text()


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(data, tmp_path / "whole", stage="images", **QUICK)
    looks = 0

    def stopped_at_the_second_look(*arguments: object) -> dict[str, float]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError
        return image_physics(*arguments)

    monkeypatch.setattr(training, "image_physics", stopped_at_the_second_look)
    with pytest.raises(RuntimeError):
        train(data, tmp_path / "stopped", stage="images", **QUICK)
    assert not (tmp_path / "stopped" / "images" / KEPT).exists()
    monkeypatch.undo()
    resumed = train(data, tmp_path / "stopped", stage="images", **QUICK)
    # Up to rounding: networks are trained in 16 bits.
    torch.testing.assert_close(
        load_file(resumed / "images" / KEPT),
        load_file(whole / "images" / KEPT),
        rtol=1e-2,
        atol=1e-3,
    )


def test_training_leaves_the_global_random_state_alone(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(data, tmp_path / "run", stage="energies", **QUICK)
    torch.testing.assert_close(torch.rand(3), expected)


def test_a_budget_sets_how_long_a_stage_lasts(data: Path, tmp_path: Path) -> None:
    out = train(data, tmp_path / "run", stage="energies", budget_minutes=1e-6, **QUICK)
    schedule = json.loads((out / "energies" / "schedule.json").read_text())
    assert schedule["epochs"] == 1


def test_a_stopped_stage_is_finished_with_its_best_weights(data: Path, tmp_path: Path) -> None:
    out = train(data, tmp_path / "run", **QUICK)
    for path in ("images/record.json", f"images/{KEPT}", "model.safetensors"):
        (out / path).unlink()
    train(data, out, stage="finish", **QUICK)
    assert (out / "model.safetensors").exists()
    assert json.loads((out / "training.json").read_text())["stages"]["images"] == "stopped"


def test_an_unknown_option_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no option is called 'epochs'.*images_epochs"):
        train(data, tmp_path / "run", epochs=3)


def test_finishing_without_a_stage_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'energies' has not been trained"):
        train(data, tmp_path / "run", stage="finish", **QUICK)


def test_a_folder_without_showers_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train/ and val/"):
        train(tmp_path, tmp_path / "run")
