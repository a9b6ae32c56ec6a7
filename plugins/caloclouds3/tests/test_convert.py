"""The authors' own point network behind our flow."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from calozoo_caloclouds3 import SPEC
from calozoo_caloclouds3.config import PointsConfig
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.published_weights import NAMES, PREFIX, convert, published_points
from calozoo_core.errors import WeightsError


def their_name(name: str) -> str:
    for theirs, ours in reversed(NAMES.items()):
        name = name.replace(ours, theirs)
    return PREFIX + name


@pytest.fixture
def theirs(random: torch.Generator) -> dict[str, torch.Tensor]:
    net = PointWiseNet(PointsConfig(), random)
    return {their_name(name): tensor for name, tensor in net.state_dict().items()}


def test_a_converted_model_generates(theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(theirs, tmp_path / "points.safetensors")
    out = convert(tmp_path / "points.safetensors", tmp_path / "out")
    model = CaloClouds3.load(SPEC, out)
    assert model.config.points == PointsConfig()
    assert len(model.generate(energy=30, n=2)) == 2


def test_the_published_network_makes_showers_of_a_sensible_size(
    published_weights: Path, tmp_path: Path
) -> None:
    model = CaloClouds3.load(SPEC, convert(published_weights, tmp_path / "out"))
    showers = model.generate(energy=50, n=20, seed=1)
    radius = np.hypot(showers.x, showers.y)
    inside = showers.energy[radius < 30].sum() / showers.energy.sum()
    assert inside == pytest.approx(0.93, abs=0.02)  # the published check value at 50 GeV: 0.934
    assert showers.visible_energy.mean() == pytest.approx(0.0227 * 50_000, rel=0.05)


def test_a_checkpoint_of_theirs_is_read_without_running_it(
    theirs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """Their checkpoints hold a settings object of a class that is not there any more."""
    save_file(theirs, tmp_path / "points.safetensors")
    program = """
        import sys, types, torch
        from safetensors.torch import load_file
        module = types.ModuleType("configs")
        class Configs:
            def __init__(self):
                self.name, self.steps = "CD", 18
        Configs.__module__, Configs.__qualname__ = "configs", "Configs"
        module.Configs = sys.modules["configs"] = module
        module.Configs = Configs
        tensors = load_file(sys.argv[1])
        checkpoint = {"args": Configs(), "others": {"model_ema": tensors}}
        torch.save(checkpoint, sys.argv[2])
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), "points.safetensors", "model.pt"],
        cwd=tmp_path,
        check=True,
    )
    net = published_points(tmp_path / "model.pt")
    ours = net.state_dict()
    for name, tensor in load_file(tmp_path / "points.safetensors").items():
        assert any(torch.equal(tensor, own) for own in ours.values()), name


def test_a_checkpoint_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({"others": {"model_ema": Bomb()}}, tmp_path / "bomb.pt")
    with pytest.raises(WeightsError, match="not one of the authors' checkpoints"):
        published_points(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_that_is_not_theirs_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not one of the authors'"):
        published_points(path)


def test_a_network_of_other_sizes_is_refused(
    theirs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    name = next(iter(theirs))
    save_file(theirs | {name: torch.zeros(3)}, tmp_path / "points.safetensors")
    with pytest.raises(WeightsError, match="missing or misshapen"):
        published_points(tmp_path / "points.safetensors")
