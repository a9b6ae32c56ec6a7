"""The mapping of layers with bins of their own onto one grid, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_calodiffusion.config import published
from calozoo_calodiffusion.glam import GeometryMapping, overlaps


@pytest.fixture(params=["calochallenge1-photon", "calochallenge1-pion"])
def mapping(request: pytest.FixtureRequest) -> GeometryMapping:
    geometry = published(request.param).geometry
    assert geometry is not None
    return GeometryMapping(geometry, torch.Generator().manual_seed(1))


def voxels(mapping: GeometryMapping) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(3, sum(mapping.sizes), generator=generator)


def test_it_begins_as_a_mapping_there_and_back(mapping: GeometryMapping) -> None:
    energies = voxels(mapping)
    with torch.no_grad():
        back = mapping.decode(mapping.encode(energies))
    torch.testing.assert_close(back, energies, rtol=0, atol=1e-3)


def test_the_energy_of_each_layer_is_kept(mapping: GeometryMapping) -> None:
    energies = voxels(mapping)
    with torch.no_grad():
        on_grid = mapping.encode(energies).sum(dim=(2, 3))
    layers = torch.stack([own.sum(dim=1) for own in energies.split(mapping.sizes, dim=1)], dim=1)
    torch.testing.assert_close(on_grid, layers, rtol=1e-2, atol=1e-2)


def test_a_layer_of_one_sector_is_divided_evenly(mapping: GeometryMapping) -> None:
    with torch.no_grad():
        first = mapping.encode(voxels(mapping))[:, 0]
    torch.testing.assert_close(first, first[:, :1].expand_as(first))


def test_the_mapping_is_trained(mapping: GeometryMapping) -> None:
    mapping.decode(mapping.encode(voxels(mapping))).square().mean().backward()  # type: ignore[no-untyped-call]
    for parameter in mapping.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any()


def test_a_ring_is_divided_by_area() -> None:
    found = overlaps((0, 1, 3), (0, 1, 2, 3))
    np.testing.assert_allclose(found, [[1, 0], [0, 3 / 8], [0, 5 / 8]], rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-6)
