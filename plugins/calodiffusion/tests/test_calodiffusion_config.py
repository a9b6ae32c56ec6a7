"""Configurations: the published sizes to the parameter, and what is refused."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from calozoo_calodiffusion.config import (
    CaloDiffusionConfig,
    GeometryConfig,
    UnetConfig,
    preset,
    published,
)
from calozoo_calodiffusion.glam import GeometryMapping
from calozoo_calodiffusion.unet import CylinderUnet


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "grid", "voxels", "parameters"),
    [
        ("calochallenge1-photon", (5, 10, 30), 368, 521_581),
        ("calochallenge1-pion", (7, 10, 23), 533, 525_901),
        ("calochallenge2", (45, 16, 9), 6480, 517_969),
        ("calochallenge3", (45, 50, 18), 40_500, 1_221_153),
    ],
)
def test_the_published_networks_have_as_many_parameters_as_published(
    name: str, grid: tuple[int, int, int], voxels: int, parameters: int
) -> None:
    config = published(name)
    assert config.unet.grid == grid
    with torch.device("meta"):
        found = count(CylinderUnet(config.unet))
    if config.geometry is None:
        assert grid[0] * grid[1] * grid[2] == voxels
    else:
        mapping = GeometryMapping(config.geometry)
        assert sum(mapping.sizes) == voxels
        found += count(mapping)
    assert found == parameters


def test_only_the_finest_data_set_is_taught_with_weights() -> None:
    names = ("calochallenge1-photon", "calochallenge1-pion", "calochallenge2", "calochallenge3")
    assert [published(name).loss for name in names] == ["noise", "noise", "noise", "hybrid"]
    assert {published(name).steps for name in names} == {400}


@pytest.mark.parametrize("name", ["ild-photon", ""])
def test_a_name_that_does_not_exist_lists_those_that_do(name: str) -> None:
    with pytest.raises(ValueError, match="there are ild-photon-clumps, tiny"):
        preset(name)
    with pytest.raises(ValueError, match="there are calochallenge1-photon, calochallenge1-pion"):
        published(name)


SIZES = {"grid": (12, 8, 9), "widths": (8, 8, 16)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": (8, 12)}, "not multiples of the groups 8"),
        ({"widths": (8,)}, "at least 2 items"),
        ({"strides": (2, 3, 2)}, "less than or equal to 2"),
        ({"widths": (8,) * 8}, "too small for 7 levels"),
        ({"grid": (12, 1, 9)}, "too small for 2 levels"),
        ({"embedding": 6}, "multiple of 4"),
        ({"places": ("angle",)}, "Input should be 'layer', 'sector' or 'ring'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object], message: str) -> None:
    assert UnetConfig.model_validate(SIZES).grids == ((12, 8, 9), (6, 4, 4))
    with pytest.raises(ValidationError, match=message):
        UnetConfig.model_validate(SIZES | wrong)


@pytest.mark.parametrize(
    ("sectors", "message"),
    [((1, 10, 5), "one sector or 10"), ((1, 10), "for each layer")],
)
def test_layers_that_do_not_fit_are_refused(sectors: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GeometryConfig(edges_mm=((0, 1), (0, 2), (0, 3)), sectors=sectors)


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("shape", {"grid": (30, 1, 7)}, "30 layers, one sector and 5 rings"),
        ("shape", {"images": 0}, "30 layers, one sector and 5 rings"),
        ("energies", {"grid": (28, 1, 1)}, "a grid of 28 layers"),
    ],
)
def test_networks_of_another_grid_are_refused(
    part: str, wrong: dict[str, object], message: str
) -> None:
    config = preset("tiny").model_dump()
    config[part] |= wrong
    with pytest.raises(ValidationError, match=message):
        CaloDiffusionConfig.model_validate(config)
