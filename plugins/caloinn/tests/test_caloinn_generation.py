"""From primaries to showers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from calozoo_caloinn import SPEC
from calozoo_caloinn.config import PRESETS
from calozoo_caloinn.model import CaloInn
from calozoo_caloinn.trained import TrainedCaloInn
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident

ARRANGEMENTS = ("tiny", "tiny-joint", "tiny-vae")


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_every_arrangement_makes_showers(
    name: str, made: Callable[[str], TrainedCaloInn], tmp_path: Path
) -> None:
    made(name).write(tmp_path)
    showers = CaloInn.load(SPEC, tmp_path).generate(energy=[20, 60], seed=1)
    assert (showers.n_points > 0).all()
    assert (showers.energy > 0).all()


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_a_model_is_the_same_after_it_was_a_file(
    name: str, made: Callable[[str], TrainedCaloInn], tmp_path: Path
) -> None:
    trained = made(name)
    trained.write(tmp_path)
    back = TrainedCaloInn.read(tmp_path)
    assert back.config == trained.config
    direct = CaloInn(SPEC, trained.to_arrays()).generate(energy=30, n=3, seed=2)
    loaded = CaloInn(SPEC, back.to_arrays()).generate(energy=30, n=3, seed=2)
    np.testing.assert_array_equal(direct.x, loaded.x)


def test_a_later_shower_does_not_depend_on_the_ones_before_it(tiny: CaloInn) -> None:
    incident = Incident(np.linspace(10, 100, 6), (0.2, 0.1, 1))
    whole = tiny.sample(incident, 5, 0)
    alone = tiny.sample(incident[4:5], 5, 4)
    np.testing.assert_allclose(alone.visible_energy, whole[4:5].visible_energy, rtol=1e-4)
    assert abs(int(alone.n_points[0]) - int(whole.n_points[4])) <= 2


def test_a_shower_whose_rings_are_all_empty_is_drawn_again_and_gets_a_point_at_last(
    made: Callable[[str], TrainedCaloInn],
) -> None:
    trained = made("tiny")
    trained.template.calibration[:] = 0
    showers = CaloInn(SPEC, trained.to_arrays()).generate(energy=10, n=2, seed=1)
    assert showers.n_points.tolist() == [1, 1]
    assert (showers.energy > 0).all()


def test_calibration_multiplies_the_energy_of_a_ring(made: Callable[[str], TrainedCaloInn]) -> None:
    trained = made("tiny")
    plain = CaloInn(SPEC, trained.to_arrays()).generate(energy=50, n=5, seed=1)
    trained.template.calibration[:] *= 2
    doubled = CaloInn(SPEC, trained.to_arrays()).generate(energy=50, n=5, seed=1)
    np.testing.assert_allclose(doubled.visible_energy, 2 * plain.visible_energy, rtol=1e-3)


def test_weights_of_another_shape_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_folder / "model.safetensors")
    tensors["template.knots"] = tensors["template.knots"][:-1].clone()
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((tiny_folder / "config.json").read_text())
    with pytest.raises(WeightsError, match=r"template\.knots"):
        CaloInn.load(SPEC, tmp_path)


def test_a_device_or_precision_it_does_not_have_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="device='cpu'"):
        CaloInn.load(SPEC, tiny_folder, device="cuda")
    with pytest.raises(InputError, match="float32"):
        CaloInn.load(SPEC, tiny_folder, precision="bfloat16")


def test_a_model_without_its_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match="calozoo pull"):
        CaloInn.load(SPEC, None)


@pytest.mark.parametrize("name", PRESETS)
def test_the_layout_of_the_files_is_that_of_the_networks_in_torch(name: str) -> None:
    assert CaloInn.layout(PRESETS[name]) == TrainedCaloInn.layout(PRESETS[name])


def test_cubic_splines_are_left_to_torch() -> None:
    config = PRESETS["tiny"]
    cubic = config.model_copy(update={"inn": config.inn.model_copy(update={"spline": "cubic"})})
    assert CaloInn.runtimes_of(config) == ("numpy", "torch")
    assert CaloInn.runtimes_of(cubic) == ("torch",)
