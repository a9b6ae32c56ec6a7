"""The published sizes, to the parameter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from calozoo_convl2lflows.config import preset
from calozoo_convl2lflows.voxel_flow import VoxelFlows
from calozoo_convl2lflows.weights_files import networks


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def built(name: str) -> dict[str, nn.Module]:
    with torch.device("meta"):  # nothing is allocated
        return networks(preset(name))


@pytest.mark.parametrize(
    ("name", "layers", "energies", "total"),
    [
        ("gh", 30, 306_732, 163_403_252),
        ("ds3", 45, 447_042, 194_964_482),
        ("ds2", 45, 447_042, 158_017_226),
    ],
)
def test_the_published_configurations_have_their_published_sizes(
    name: str, layers: int, energies: int, total: int
) -> None:
    flows = built(name)
    assert n_parameters(flows["energies"]) == energies
    assert sum(map(n_parameters, flows.values())) == total
    voxels = flows["voxels"]
    assert isinstance(voxels, VoxelFlows)
    assert len(voxels.flows) == layers


@pytest.mark.parametrize(("name", "size"), [("gh", 5_437_064), ("ds3", 4_322_952)])
def test_the_flow_of_one_layer_has_its_published_size(name: str, size: int) -> None:
    voxels = built(name)["voxels"]
    assert isinstance(voxels, VoxelFlows)
    assert n_parameters(voxels.of(20)) == size


def test_the_flow_of_the_benchmark_takes_about_as_much_as_it_says() -> None:
    """2.5 GB in 32 bits."""
    assert sum(map(n_parameters, built("x9").values())) * 4 / 1e9 == pytest.approx(2.5, rel=0.05)


def test_what_is_trained_here_is_small() -> None:
    assert sum(map(n_parameters, built("ild-photon").values())) < 250_000
