"""From primaries to showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.runtime import has_bfloat16
from calozoo_gan3d import SPEC
from calozoo_gan3d.config import preset
from calozoo_gan3d.model import Gan3d
from calozoo_gan3d.trained import TrainedGan3d


def test_it_can_be_asked_for_by_its_other_name() -> None:
    assert SPEC.name == "3dgan.ild-photon"
    assert SPEC.aliases == ("gan3d",)


def test_a_later_shower_does_not_depend_on_the_ones_before_it(tiny: Gan3d) -> None:
    incident = Incident(np.linspace(10, 100, 6), (0.2, 0.1, 1))
    whole = tiny.sample(incident, 5, 0)
    alone = tiny.sample(incident[4:5], 5, 4)
    assert alone.n_points[0] == whole.n_points[4]
    np.testing.assert_allclose(alone.x, whole[4:5].x, atol=1e-4)
    np.testing.assert_allclose(alone.visible_energy, whole[4:5].visible_energy, rtol=1e-5)


def test_the_shear_follows_p_x_over_p_z(tiny: Gan3d) -> None:
    """The box leans with the primary: seen along its axis, no point lies outside of it."""
    diagonal = np.sin(np.radians(60)) / np.sqrt(2)
    showers = tiny.sample(Incident(50, (diagonal, diagonal, 0.5)), 0, 0)
    depth = tiny._layer_depth_mm[showers.layer]
    half = tiny.trained.config.grid.half_mm
    for position in (showers.x, showers.y):
        assert np.abs(position).max() > half
        assert np.abs(position - depth * np.sqrt(1.5)).max() <= half * (1 + 1e-5)


def test_what_is_written_is_read_again(tiny_folder: Path, trained: TrainedGan3d) -> None:
    again = TrainedGan3d.read(tiny_folder)
    assert again.config == trained.config
    for name, tensor in trained.generator.state_dict().items():
        assert again.generator.state_dict()[name].equal(tensor)
    np.testing.assert_array_equal(again.points.inside, trained.points.inside)
    np.testing.assert_array_equal(again.points.counts, trained.points.counts)


def test_weights_of_another_size_are_refused(tiny_folder: Path) -> None:
    text = preset("ild-photon").model_dump_json()
    (tiny_folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match="the model needs"):
        Gan3d.load(SPEC, tiny_folder)


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_half_the_bits_give_nearly_the_same_showers(tiny_folder: Path) -> None:
    energies = {}
    for precision in ("float32", "bfloat16"):
        model = Gan3d.load(SPEC, tiny_folder, precision=precision)
        assert model.precision == precision
        energies[precision] = model.generate(energy=40, n=8, seed=2).visible_energy
    np.testing.assert_allclose(energies["bfloat16"], energies["float32"], rtol=1e-2)


def test_a_device_that_is_not_there_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="device='cpu'"):
        Gan3d.load(SPEC, tiny_folder, device="nonsense")


def test_a_model_without_its_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match="calozoo pull"):
        Gan3d.load(SPEC, None)


@pytest.mark.parametrize("name", ["tiny", "ild-photon"])
def test_the_layout_of_the_files_is_that_of_the_networks_in_torch(name: str) -> None:
    assert Gan3d.layout(preset(name)) == TrainedGan3d.layout(preset(name))
