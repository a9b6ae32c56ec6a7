"""From layer contents to showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calozoo_caloclouds3 import SPEC
from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig, PointsConfig, preset
from calozoo_caloclouds3.features import (
    LayerContents,
    decode_position,
    encode,
    sample_layers,
    to_contents,
    warp,
)
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.layer_flow import NumpyShowerFlow
from calozoo_caloclouds3.model import CaloClouds3
from calozoo_caloclouds3.one_step_net import FoldedLayers, OneStepNet, points_layout
from calozoo_caloclouds3.point_cloud import _depth_order, point_cloud
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.trained import TrainedCaloClouds3
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.kernels import numpy_only
from calozoo_core.runtime import has_bfloat16

Networks = tuple[ShowerFlow, PointWiseNet]


@pytest.fixture
def condition() -> np.ndarray:
    return np.array([[0.4, 0, 0, 1], [0.1, 0.5, 0, 0.866]], np.float32)


@pytest.fixture
def layers() -> LayerContents:
    random = np.random.default_rng(4)
    counts = random.integers(0, 40, (2, N_LAYERS))
    energies = np.where(counts > 0, random.uniform(0.1, 9, counts.shape), 0)
    return LayerContents(counts, energies.astype(np.float32))


def test_every_layer_gets_its_points_and_its_energy(
    tiny_networks: Networks,
    tiny_config: CaloCloudsConfig,
    condition: np.ndarray,
    layers: LayerContents,
) -> None:
    cloud = point_cloud(
        tiny_networks[1].to_numpy(),
        condition,
        layers,
        tiny_config,
        seed=1,
        first=0,
    )
    for i in range(2):
        inside = slice(cloud.offsets[i], cloud.offsets[i + 1])
        counts = np.bincount(cloud.layer[inside], minlength=N_LAYERS)
        sums = np.bincount(cloud.layer[inside], cloud.energy[inside], minlength=N_LAYERS)
        np.testing.assert_array_equal(counts, layers.counts[i])
        np.testing.assert_allclose(sums, layers.energies[i], rtol=1e-5)


def test_a_later_shower_does_not_depend_on_the_ones_before_it(tiny: CaloClouds3) -> None:
    incident = Incident(np.linspace(10, 100, 6), (0.2, 0.1, 1))
    whole = tiny.sample(incident, 5, 0)
    alone = tiny.sample(incident[4:5], 5, 4)
    assert alone.n_points[0] == whole.n_points[4]
    # Two points whose depths are equal up to rounding may change places.
    np.testing.assert_allclose(np.sort(alone.x), np.sort(whole[4:5].x), atol=2e-3)
    np.testing.assert_allclose(alone.visible_energy, whole[4:5].visible_energy, rtol=1e-5)


def test_the_shear_follows_p_x_over_p_z(tiny: CaloClouds3) -> None:
    """At 60 degrees along the diagonal layer 1 lies 12.2813 mm off, as the published code says."""
    diagonal = np.sin(np.radians(60)) / np.sqrt(2)
    slanted = Incident(50, (diagonal, diagonal, 0.5))
    showers = tiny.sample(slanted, 0, 0)
    depth = tiny._layer_depth_mm[showers.layer]
    upright = point_cloud(
        OneStepNet(tiny.config.points, tiny.trained.part("points")),
        np.array([[50 / 127, diagonal, diagonal, 0.5]], np.float32),
        sample_layers(
            NumpyShowerFlow(tiny.config.flow, tiny.trained.part("flow")),
            np.array([[50 / 127, diagonal, diagonal, 0.5]], np.float32),
            tiny.config,
            0,
            0,
        ),
        tiny.config,
        0,
        0,
    )
    shift = (showers.x - upright.x)[showers.layer == 1]
    np.testing.assert_allclose(shift, 12.2813, atol=2e-3)
    np.testing.assert_allclose(showers.y - upright.y, depth * np.sqrt(1.5), rtol=1e-3)


def test_a_shower_with_too_many_negative_layers_is_drawn_again(
    tiny_networks: Networks, tiny_config: CaloCloudsConfig, condition: np.ndarray
) -> None:
    """With means of 0.6 standard deviations a first draw often has more than 7 of them."""
    flow = tiny_networks[0]
    for parameter in flow.parameters():
        torch.nn.init.zeros_(parameter)
    flow.shift.fill_(0.6)
    sampled = sample_layers(
        flow.to_numpy(),
        np.tile(condition, (50, 1)),
        tiny_config,
        seed=3,
        first=0,
    )
    assert ((sampled.energies == 0) | (sampled.counts == 0)).sum(axis=1).max() <= N_LAYERS
    first = to_contents(
        flow(torch.randn(100, 60), torch.zeros(100, 4)).detach().numpy(), tiny_config
    )
    assert (first.energies == 0).sum(axis=1).max() > 7


def test_a_layer_without_points_has_no_energy_and_the_other_way_round(
    tiny_config: CaloCloudsConfig,
) -> None:
    values = np.ones((1, 60), np.float32)
    values[0, 3], values[0, N_LAYERS + 5] = -1, -1
    filled = to_contents(values, tiny_config)
    assert filled.counts[0, 5] == 0
    assert filled.energies[0, 3] == 0
    assert (filled.counts > 0).tolist() == (filled.energies > 0).tolist()


def test_no_shower_has_more_points_than_allowed(tiny_config: CaloCloudsConfig) -> None:
    values = np.full((1, 60), 1000.0, np.float32)
    assert to_contents(values, tiny_config).counts.sum() <= tiny_config.max_points


@given(
    hnp.arrays(
        np.float32, st.integers(0, 200), elements=st.floats(-1e6, 1e6, width=32), unique=True
    )
)
def test_depth_order_sorts(depth: np.ndarray) -> None:
    np.testing.assert_array_equal(depth[_depth_order(depth)], np.sort(depth))


@given(
    hnp.arrays(np.float32, (2, 20), elements=st.floats(-400, 400, width=32)),
    st.sampled_from([None, 4.0]),
)
def test_positions_survive_being_made_features(position: np.ndarray, warp_mm: float | None) -> None:
    features = CaloCloudsConfig().features.model_copy(update={"warp_mm": warp_mm})
    ones = np.ones(20, np.float32)
    encoded = encode(position[0], position[1], ones, ones, features)
    x, y = decode_position(encoded[:, 0], encoded[:, 1], features)
    np.testing.assert_allclose(x, position[0], atol=2e-2)
    np.testing.assert_allclose(y, position[1], atol=2e-2)


def test_the_warp_keeps_the_azimuth() -> None:
    x, y = warp(np.array([3.0], np.float32), np.array([4.0], np.float32), 2.0)
    assert y[0] / x[0] == pytest.approx(4 / 3, rel=1e-6)
    assert np.hypot(x, y)[0] == pytest.approx(np.arcsinh(2.5), rel=1e-6)


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_bfloat16_gives_the_same_layers_and_nearly_the_same_points(tiny_folder: Path) -> None:
    incident = Incident([20, 90], (0, 0, 1))
    exact = CaloClouds3.load(SPEC, tiny_folder).sample(incident, 0, 0)
    rough = CaloClouds3.load(SPEC, tiny_folder, precision="bfloat16").sample(incident, 0, 0)
    np.testing.assert_array_equal(rough.layer, exact.layer)
    assert np.abs(np.sort(rough.x) - np.sort(exact.x)).mean() < 0.02 * np.abs(exact.x).mean()


def test_a_device_that_is_not_there_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="device='cpu'"):
        CaloClouds3.load(SPEC, tiny_folder, device="nonsense")


def test_a_model_without_its_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match="calozoo pull"):
        CaloClouds3.load(SPEC, None)


@pytest.mark.parametrize("name", ["published", "ild-photon", "tiny"])
def test_the_layout_of_the_files_is_that_of_the_networks_in_torch(name: str) -> None:
    assert CaloClouds3.layout(preset(name)) == TrainedCaloClouds3.layout(preset(name))


@pytest.mark.parametrize("most", [300, 30000])
def test_the_compiled_kernel_draws_the_points_of_numpy(tiny: CaloClouds3, most: int) -> None:
    incident = Incident([5, 50, 100], (0, 0.3, 0.954))
    tiny.config = tiny.config.model_copy(update={"max_points": most})

    showers = tiny.sample(incident, 1, 0)

    with numpy_only():
        plain = tiny.sample(incident, 1, 0)
    assert showers.n_points.tolist() == plain.n_points.tolist()
    np.testing.assert_array_equal(showers.layer, plain.layer)
    # Two points within the rounding of each other may change places.
    same = np.isclose(showers.x, plain.x, rtol=1e-4, atol=1e-3)
    assert same.mean() > 0.995
    np.testing.assert_allclose(showers.visible_energy, plain.visible_energy, rtol=1e-4)
    alone = tiny.sample(incident[2], 1, 2)
    np.testing.assert_array_equal(alone.layer, showers[2].layer)
    assert np.isclose(alone.x, showers[2].x, rtol=1e-4, atol=1e-3).mean() > 0.995


def test_points_do_not_depend_on_the_showers_beside_them(tiny_folder: Path) -> None:
    """Same bytes from the same weights; numpy's products before them depend on their rows."""

    class FoldedOneByOne(OneStepNet):
        def fold(self, condition: np.ndarray, most: int) -> FoldedLayers:
            parts = [super(FoldedOneByOne, self).fold(row[None], most) for row in condition]
            weights = [
                np.concatenate(of_layer)
                for of_layer in zip(*(part.weights for part in parts), strict=True)
            ]
            flat = np.concatenate([weight.ravel() for weight in weights])
            return FoldedLayers(weights, flat, parts[0].memory)

    model = CaloClouds3.load(SPEC, tiny_folder)
    net = FoldedOneByOne(model.config.points, model.trained.part("points"))
    condition = np.array([[0.05, 0, 0, 1], [0.4, 0, 0, 1], [0.8, 0, 0.3, 0.954]], np.float32)
    random = np.random.default_rng(4)
    counts = random.integers(0, 40, (3, N_LAYERS))
    contents = LayerContents(counts, random.uniform(0.1, 9, counts.shape).astype(np.float32))
    last = LayerContents(contents.counts[2:], contents.energies[2:])

    together = point_cloud(net, condition, contents, model.config, 1, 0)
    alone = point_cloud(net, condition[2:], last, model.config, 1, 2)

    start = together.offsets[2]
    np.testing.assert_array_equal(alone.x, together.x[start:])
    np.testing.assert_array_equal(alone.y, together.y[start:])
    np.testing.assert_array_equal(alone.layer, together.layer[start:])


def test_a_network_too_wide_for_the_kernel_is_computed_by_numpy(tiny: CaloClouds3) -> None:
    wide = PointsConfig(**tiny.config.points.model_dump() | {"widths": (257,)})
    zeros = {
        name: np.zeros(tensor.shape, np.float32) for name, tensor in points_layout(wide).items()
    }
    assert not OneStepNet(wide, zeros).fits_kernel
