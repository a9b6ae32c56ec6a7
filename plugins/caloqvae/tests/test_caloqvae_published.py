"""The published networks: to the parameter, on the cylinder they were made for."""

from __future__ import annotations

import pytest
import torch

from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.published import PublishedQvae, published, voxels_from, voxels_to


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "nodes", "level", "prior", "decoder"),
    [
        ("calo4pqvae-512", 512, 4_710_880, 1_574_912, 22_310_276),
        ("calo4pqvae-302", 302, 3_258_940, 548_432, 14_568_836),
    ],
)
def test_the_published_networks_have_as_many_parameters_as_published(
    name: str, nodes: int, level: int, prior: int, decoder: int
) -> None:
    config = published(name)
    assert config.nodes == nodes
    with torch.device("meta"):
        network = PublishedQvae(config)
    assert [count(one) for one in network.encoder] == [level] * 3
    assert (count(network.prior), count(network.decoder)) == (prior, decoder)
    assert prior == 6 * nodes**2 + 4 * nodes
    assert count(network) == 3 * level + prior + decoder


def test_a_name_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(ValueError, match="there are calo4pqvae-512, calo4pqvae-302"):
        published("calo4pqvae")


@pytest.fixture(scope="module")
def network() -> PublishedQvae:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return PublishedQvae(RbmConfig(graph="dense", size=60)).eval()


def test_showers_go_to_states_and_back_to_showers(network: PublishedQvae) -> None:
    energy = torch.tensor([1e3, 1e6])
    numbers = torch.rand(2, 45, 16, 9, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states = network.encode(numbers, energy, torch.zeros(2, 180), beta=5.0)
        hits, activations = network.decode(states, energy)
    assert states.shape == (2, 240)
    assert hits.shape == activations.shape == numbers.shape
    assert (states[0] != states[1]).any()


def test_the_encoder_looks_through_the_axis(network: PublishedQvae) -> None:
    """A voxel on the axis has half a turn further round one as its neighbour."""
    first = network.encoder[0].first[0]  # type: ignore[union-attr,index]
    image = torch.zeros(1, 1, 45, 16, 9)
    image[0, 0, 10, 3, 0] = 1
    with torch.no_grad():
        seen = (first(image) - first(torch.zeros_like(image))).abs().sum(dim=(0, 1, 2))
    assert set(torch.nonzero(seen.sum(dim=1)).flatten().tolist()) == {2, 3, 4, 10, 11, 12}
    assert set(torch.nonzero(seen[10:13].sum(dim=0)).flatten().tolist()) == {0}


def test_numbers_of_voxels_are_zero_where_nothing_is() -> None:
    voxels = torch.tensor([[0.0, 0.015, 700.0]], dtype=torch.float64)
    energy = torch.tensor([1000.0], dtype=torch.float64)
    numbers = voxels_to(voxels, energy)
    assert float(numbers[0, 0]) == pytest.approx(0, abs=1e-9)
    assert (numbers[0, 1:] > 0).all()
    torch.testing.assert_close(voxels_from(numbers, energy), voxels, rtol=1e-6, atol=1e-9)
