"""From flows to showers, and the files they come from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from calozoo_convl2lflows import SPEC
from calozoo_convl2lflows.config import Calibration, ConvL2LConfig, GridConfig, preset
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.model import ConvL2LFlows, Pipeline, streams
from calozoo_convl2lflows.trained import TrainedConvL2LFlows
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident

Make = Callable[[ConvL2LConfig], TrainedConvL2LFlows]


def primaries(n: int) -> Incident:
    return Incident(np.linspace(10, 100, n), (0.3, -0.2, 1))


def test_a_shower_does_not_depend_on_the_ones_before_it(tiny: ConvL2LFlows) -> None:
    """Up to rounding: flows with random weights make much of little."""
    whole = tiny.sample(primaries(6), 5, 0)
    alone = tiny.sample(primaries(6)[4:5], 5, 4)
    assert alone.n_points[0] == pytest.approx(whole.n_points[4], rel=0.01)
    np.testing.assert_allclose(alone.visible_energy, whole[4:5].visible_energy, rtol=1e-3)
    other = tiny.sample(primaries(6)[4:5], 5, 3)
    assert abs(other.visible_energy[0] / alone.visible_energy[0] - 1) > 1e-3


def test_layers_add_up_to_their_energies(tiny_trained: TrainedConvL2LFlows) -> None:
    pipeline = Pipeline(tiny_trained.to_arrays())
    incident = primaries(4)
    primary = primary_features(incident.energy, incident.direction)
    filled = pipeline(primary, 3, 0)
    wanted = pipeline.energies(streams(4, 3, 0, "energies"), primary)
    sums = np.bincount(filled.shower * 30 + filled.layer, filled.energy, minlength=120)
    filled_at_all = sums.reshape(4, 30) > 0
    np.testing.assert_allclose(sums.reshape(4, 30)[filled_at_all], wanted[filled_at_all], rtol=1e-4)
    least = tiny_trained.config.grid.threshold_mev
    assert (filled_at_all == (wanted > 0))[(wanted > 9 * least) | (wanted == 0)].all()


def test_a_calibrated_spectrum_leaves_the_layers_their_energies(make: Make) -> None:
    plain = make(preset("tiny"))
    spectrum = ((0.01, 0.02), (1.0, 1.0), (50.0, 60.0))
    calibration = Calibration(spectrum=spectrum)
    changed = replace(plain, config=plain.config.model_copy(update={"calibration": calibration}))
    primary = primary_features(np.array([50.0], np.float32), np.array([[0.0, 0, 1]], np.float32))
    before, after = (Pipeline(trained.to_arrays())(primary, 0, 0) for trained in (plain, changed))
    wanted = Pipeline(changed.to_arrays()).energies(streams(1, 0, 0, "energies"), primary)[0]
    sums = np.bincount(after.layer, after.energy, minlength=30)
    np.testing.assert_allclose(sums[sums > 0], wanted[sums > 0], rtol=1e-4)
    assert np.abs(after.energy / before.energy - 1).max() > 0.01


def test_points_lie_anywhere_in_their_sub_cells(tiny: ConvL2LFlows) -> None:
    """About the axis the grid is fixed; inside a sub-cell points are uniform."""
    showers = tiny.sample(primaries(30), 0, 0)
    depth = tiny._layer_depth_mm[showers.layer]
    slope = (showers.incident.direction[:, :2] / showers.incident.direction[:, 2:])[
        showers.shower_index
    ]
    pitch = tiny.trained.config.grid.pitch_mm
    for axis, values in enumerate((showers.x, showers.y)):
        inside = (values - depth * slope[:, axis]) / pitch % 1
        counts = np.histogram(inside, 10, (0, 1))[0]
        error = np.sqrt(len(inside) / 10)
        assert np.abs(counts - len(inside) / 10).max() < 5 * error


def test_the_box_is_tilted_with_the_shower(tiny: ConvL2LFlows) -> None:
    slanted = tiny.sample(Incident([60.0] * 4, (1.2, 0.9, 1)), 0, 0)
    depth = tiny._layer_depth_mm[slanted.layer]
    half = tiny.trained.config.grid.side / 2 * tiny.trained.config.grid.pitch_mm
    assert np.abs(slanted.x - 1.2 * depth).max() <= half + 1e-3
    assert np.abs(slanted.y - 0.9 * depth).max() <= half + 1e-3
    assert slanted.x.max() > half


def test_a_grid_that_does_not_fit_the_detector_is_refused(make: Make, tmp_path: Path) -> None:
    wrong = preset("tiny").model_copy(update={"grid": GridConfig(layers=28)})
    make(wrong).write(tmp_path)
    with pytest.raises(WeightsError, match=r"28 x 90 x 90 sub-cells.*ild_siecal_regular has 30"):
        ConvL2LFlows.load(SPEC, tmp_path)


def test_a_grid_of_other_cells_is_refused(make: Make, tmp_path: Path) -> None:
    wrong = preset("tiny").model_copy(update={"grid": GridConfig(cell_mm=3.0)})
    make(wrong).write(tmp_path)
    with pytest.raises(WeightsError, match=r"cells of 3 mm.*cells of 5\.088"):
        ConvL2LFlows.load(SPEC, tmp_path)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("cells", "width", 10**9),
        ("grid", "layers", 10**6),
        ("subcells", "hidden", 0),
        ("cells", "unknown", 1),
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_built(
    make: Make, tmp_path: Path, section: str, name: str, value: int
) -> None:
    make(preset("tiny")).write(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config[section][name] = value
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=rf"not this model's configuration.*{section}\.{name}"):
        ConvL2LFlows.load(SPEC, tmp_path)


def test_flows_of_all_sub_cells_are_refused(make: Make, tmp_path: Path) -> None:
    make(preset("tiny")).write(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["voxels"] = {"shared": False}
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"not this model's configuration.*voxels"):
        ConvL2LFlows.load(SPEC, tmp_path)


def test_weights_of_another_size_are_refused(make: Make, tmp_path: Path) -> None:
    make(preset("tiny")).write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["cells.flows.0.first.bias"] = torch.zeros(7)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"first\.bias"):
        ConvL2LFlows.load(SPEC, tmp_path)


def test_loading_leaves_the_global_random_state_alone(tiny_folder: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ConvL2LFlows.load(SPEC, tiny_folder)
    torch.testing.assert_close(torch.rand(3), expected)


def test_a_device_that_is_not_there_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="device='cpu'"):
        ConvL2LFlows.load(SPEC, tiny_folder, device="nonsense")


def test_bfloat16_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="leave out precision"):
        ConvL2LFlows.load(SPEC, tiny_folder, precision="bfloat16")


def test_a_model_without_its_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match="calozoo pull"):
        ConvL2LFlows.load(SPEC, None)


def test_what_is_trained_here_is_small() -> None:
    layout = ConvL2LFlows.layout(preset("ild-photon"))
    assert sum(math.prod(entry.shape) for entry in layout.values()) < 250_000


@pytest.mark.parametrize("name", ["tiny", "ild-photon"])
@pytest.mark.parametrize("shared", [True, False])
def test_the_layout_of_the_files_is_that_of_the_networks_in_torch(name: str, shared: bool) -> None:
    config = preset(name)
    config = config.model_copy(update={"cells": config.cells.model_copy(update={"shared": shared})})
    assert ConvL2LFlows.layout(config) == TrainedConvL2LFlows.layout(config)
