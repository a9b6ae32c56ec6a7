"""Convolutions on a cylinder: what goes round, what ends, and the same function in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_core.nn.cylinder import CylinderConvolution, Downsampling, Upsampling
from calozoo_core.nn.numpy_cylinder import (
    NumpyCylinderConvolution,
    NumpyUpsampling,
    Size,
    downsampled,
)
from calozoo_core.typing import Float32Array

GRIDS: list[tuple[Size, Size]] = [
    ((45, 16, 9), (2, 2, 2)),
    ((7, 10, 23), (2, 2, 2)),
    ((6, 5, 7), (2, 2, 2)),
    ((6, 5, 7), (2, 1, 2)),
    ((30, 1, 5), (2, 1, 1)),
    ((15, 1, 5), (2, 1, 2)),
]


def images(grid: Size, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, *grid, generator=torch.Generator().manual_seed(1))


def channels_last(image: torch.Tensor) -> Float32Array:
    return np.ascontiguousarray(image.detach().numpy().transpose(0, 2, 3, 4, 1))


@pytest.fixture(autouse=True)
def _weights_of_one_seed() -> None:
    torch.manual_seed(2)


@pytest.mark.parametrize("turn", [1, 3, 7])
def test_a_turned_image_gives_a_turned_output(turn: int) -> None:
    convolution, image = CylinderConvolution(3, 4), images((5, 8, 4))
    found = convolution(image.roll(turn, dims=3))
    torch.testing.assert_close(found, convolution(image).roll(turn, dims=3))


def test_layers_and_rings_end() -> None:
    convolution, image = CylinderConvolution(3, 4), images((5, 8, 4))
    output = convolution(image)
    for axis, end in ((2, 5), (4, 4)):
        changed = image.clone()
        changed.select(axis, 0).add_(1)
        same = (convolution(changed) == output).all(dim=1)[0].movedim(axis - 2, 0)
        assert not same[:2].all(dim=(1, 2)).any()
        assert same[2:end].all()


def test_a_cylinder_goes_round_where_torch_ends() -> None:
    """Inside, it is the convolution of torch, and so it is everywhere if the image goes round."""
    convolution, image = CylinderConvolution(3, 4), images((5, 8, 4))
    around = torch.cat([image[:, :, :, -1:], image, image[:, :, :, :1]], dim=3)
    expected = torch.nn.functional.conv3d(
        around, convolution.weight, convolution.bias, padding=(1, 0, 1)
    )
    torch.testing.assert_close(convolution(image), expected)


def test_down_and_up_turn_with_the_image() -> None:
    grid, strides = (6, 8, 5), (2, 2, 2)
    down, up = Downsampling(3, grid, strides), Upsampling(3, grid, strides)
    image = images(grid)
    coarse = down(image)
    torch.testing.assert_close(down(image.roll(2, 3)), coarse.roll(1, 3))
    torch.testing.assert_close(up(coarse.roll(1, 3)), up(coarse).roll(2, 3))


@pytest.mark.parametrize(("grid", "strides"), GRIDS)
def test_what_went_down_comes_up_to_the_grid_it_came_from(grid: Size, strides: Size) -> None:
    coarse = Downsampling(3, grid, strides)(images(grid))
    assert tuple(coarse.shape[2:]) == downsampled(grid, strides)
    assert tuple(Upsampling(3, grid, strides)(coarse).shape[2:]) == grid


@pytest.mark.parametrize(("grid", "strides"), GRIDS)
def test_numpy_computes_what_torch_does(grid: Size, strides: Size) -> None:
    down, up = Downsampling(3, grid, strides), Upsampling(3, grid, strides)
    image = images(grid)
    coarse = down(image)
    down_arrays, up_arrays = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())  # type: ignore[union-attr]
        for layer in (down, up.convolution)
    )
    found = NumpyCylinderConvolution(*down_arrays, strides)(channels_last(image))
    np.testing.assert_allclose(found, channels_last(coarse), rtol=1e-4, atol=1e-5)
    fine = NumpyUpsampling(*up_arrays, grid, strides)(found)
    np.testing.assert_allclose(fine, channels_last(up(coarse)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 1, 3), (3, 3, 3), (1, 3, 1)])
def test_windows_may_be_flat(kernel: Size) -> None:
    convolution, image = CylinderConvolution(3, 4, kernel, bias=False), images((5, 6, 4))
    found = NumpyCylinderConvolution(convolution.weight.detach().numpy())(channels_last(image))
    expected = channels_last(convolution(image))
    assert found.shape == expected.shape == (2, 5, 6, 4, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_many_images_are_convolved_in_parts() -> None:
    convolution = CylinderConvolution(8, 4, (3, 1, 3))
    weight = convolution.weight.detach().numpy()
    numpy_convolution = NumpyCylinderConvolution(weight)
    image = np.random.default_rng(3).standard_normal((200, 30, 1, 5, 8)).astype(np.float32)
    whole = numpy_convolution(image)
    one_by_one = np.concatenate([numpy_convolution(own[None]) for own in image])
    np.testing.assert_allclose(whole, one_by_one, rtol=1e-4, atol=1e-5)
