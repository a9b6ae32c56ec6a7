"""Every flow: there and back, and its log-determinant against autograd's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from calozoo_convl2lflows.cell_sampling import CellSampler
from calozoo_convl2lflows.cells import CellFlow, CellFlows, log_energy_map
from calozoo_convl2lflows.config import CellsConfig, EnergyConfig, GridConfig, SubCellsConfig
from calozoo_convl2lflows.contexts import LAYER_FLOOR_MEV, NumpyContext, primary_features
from calozoo_convl2lflows.densities import NumpyDensity, Scale
from calozoo_convl2lflows.energy_sampling import LayerEnergySampler
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_convl2lflows.hurdle import Density
from calozoo_convl2lflows.layer_energies import LayerContext, LayerEnergies
from calozoo_convl2lflows.subcell_sampling import SubCellSampler
from calozoo_convl2lflows.subcells import HitCells, SubCellFlow
from calozoo_core.weights.trained_model import network_arrays

Shake = Callable[[nn.Module], nn.Module]

GRID = GridConfig(layers=5, cells=4)
SMALL = CellsConfig(previous=2, width=4, hidden=5, condition=6, maps=3, bins=4)


def log_determinant(function: Callable[[Tensor], Tensor], at: Tensor) -> float:
    """Of the Jacobian of a function of one item, by autograd."""
    matrix = jacobian(lambda flat: function(flat.view_as(at)).flatten(), at.flatten())
    return float(torch.linalg.slogdet(matrix.double())[1])


@pytest.fixture
def primary() -> Tensor:
    direction = np.array([[0.0, 0, 1], [0.6, 0, 0.8], [0, -0.28, 0.96]], np.float32)
    return torch.from_numpy(primary_features(np.array([5.0, 50, 120], np.float32), direction))


def test_a_density_in_numpy_is_the_one_in_torch(shake: Shake, random: torch.Generator) -> None:
    density = Density(6, 5, mean=2.0, std=1.5)
    shake(density)
    density.head.weight.mul_(2)
    noise = 3 * torch.randn(400, generator=random)
    known = torch.randn(400, 6, generator=random)
    value = density.to_value(noise, known)
    back, _ = density.to_noise(value, known)
    torch.testing.assert_close(back, noise, atol=2e-3, rtol=0)
    arrays = {f"own.{name}": array for name, array in network_arrays(density).items()}
    plain = NumpyDensity(arrays, "own", Scale(2.0, 1.5))(noise.numpy(), known.numpy())
    np.testing.assert_allclose(plain, value, rtol=1e-3, atol=1e-3)


@pytest.fixture
def energies() -> Tensor:
    return torch.tensor([[0.0, 3, 20, 4, 0], [0.5, 0, 90, 200, 10], [0.2, 7, 400, 90, 2]])


def test_layer_energies_come_back_from_their_noise(
    primary: Tensor, energies: Tensor, shake: Shake, random: torch.Generator
) -> None:
    flow = shake(LayerEnergies(5, EnergyConfig(hidden=8, bins=4)))
    inside = torch.rand(3, 5, generator=random, dtype=torch.float64)
    noise = flow.to_noise(energies, primary, inside)
    back = LayerEnergySampler(5, network_arrays(flow)).energies(noise.numpy(), primary.numpy())
    np.testing.assert_allclose(back, energies, rtol=2e-3)


def test_the_likelihood_of_layer_energies_is_the_determinant_of_their_flow(
    primary: Tensor, energies: Tensor, shake: Shake
) -> None:
    flow = shake(LayerEnergies(5, EnergyConfig(hidden=8, bins=4)))
    hit = energies[1:2] > 0
    logs = torch.log1p(energies[1:2] / LAYER_FLOOR_MEV)
    start = torch.where(hit, logs, 0.4)

    def noise(value: Tensor) -> Tensor:
        energy = torch.where(hit, value.expm1() * LAYER_FLOOR_MEV, 0)
        return flow.to_noise(energy, primary[1:2], value)

    expected = log_determinant(noise, start)
    assert float(flow.log_prob(energies[1:2], primary[1:2])) == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def layer(random: torch.Generator) -> dict[str, Tensor]:
    """One layer of three showers, with cells and the layers before it."""
    hit = torch.rand(3, 4, 4, generator=random) < 0.5
    energy = torch.where(hit, torch.rand(3, 4, 4, generator=random) * 5 + 0.01, 0)
    before = torch.rand(3, 2, 4, 4, generator=random)
    energies = torch.rand(3, 5, generator=random) * 100
    energies[:, 2] = energy.sum(dim=(1, 2))
    return {
        "energy": energy,
        "before": before,
        "energies": energies,
        "layer": torch.full((3,), 2),
    }


def test_cells_come_back_from_their_noise(
    primary: Tensor, layer: dict[str, Tensor], shake: Shake, random: torch.Generator
) -> None:
    """All five layers of three showers; each sees the ones before it."""
    flows = shake(CellFlows(GRID, SMALL))
    hit = torch.rand(3, 5, 4, 4, generator=random) < 0.5
    cells = torch.where(hit, torch.rand(3, 5, 4, 4, generator=random) * 0.6 + 0.05, 0)
    energies = cells.sum(dim=(2, 3))
    padded = torch.cat([torch.zeros(3, 2, 4, 4), log_energy_map(cells)], dim=1)
    noise = []
    for number in range(5):
        inside = torch.rand(3, 4, 2, 2, generator=random, dtype=torch.float64)
        before = padded[:, number : number + 2].flip(1)
        which = torch.full((3,), number)
        flow = flows.of(number)
        noise.append(flow.to_noise(cells[:, number], before, primary, energies, which, inside))
    uniform = torch.stack(noise, dim=1).numpy()
    back = CellSampler(GRID, SMALL, network_arrays(flows)).cells(
        uniform, primary.numpy(), energies.numpy()
    )
    np.testing.assert_array_equal(back > 0, cells > 0)
    np.testing.assert_allclose(back, cells, rtol=2e-2, atol=1e-3)


def test_the_likelihood_of_cells_is_the_determinant_of_their_flow(
    primary: Tensor, layer: dict[str, Tensor], shake: Shake
) -> None:
    flow = shake(CellFlow(GRID, SMALL))
    one = {name: value[:1] for name, value in layer.items()}
    energy = one.pop("energy")
    hit = energy > 0
    start = torch.where(hit, torch.log1p(energy / CELL_FLOOR_MEV), 0.3)

    def noise(value: Tensor) -> Tensor:
        filled = torch.where(hit, value.expm1() * CELL_FLOOR_MEV, 0)
        blocks = value.view(1, 2, 2, 2, 2).permute(0, 2, 4, 1, 3).flatten(1, 2)
        inside = blocks[:, [0, 3, 1, 2]]
        return flow.to_noise(filled, primary=primary[:1], fraction=inside, **one)

    expected = log_determinant(noise, start)
    log_prob = flow.log_prob(energy, primary=primary[:1], **one)
    assert float(log_prob) == pytest.approx(expected, abs=1e-2)


def test_one_flow_a_layer_is_the_same_code(
    primary: Tensor, layer: dict[str, Tensor], shake: Shake
) -> None:
    flows = shake(CellFlows(GRID, SMALL.model_copy(update={"shared": False})))
    assert len(flows.flows) == 5
    inputs = layer | {"layer": torch.tensor([2, 0, 2])}
    mixed = flows.log_prob(primary=primary, **inputs)
    for row, number in enumerate((2, 0, 2)):
        alone = {name: value[row : row + 1] for name, value in inputs.items()}
        expected = flows.of(number).log_prob(primary=primary[row : row + 1], **alone)
        torch.testing.assert_close(mixed[row : row + 1], expected)


def test_the_first_coupling_sees_nothing_of_the_layer_and_the_last_all_before_it(
    primary: Tensor, layer: dict[str, Tensor], shake: Shake
) -> None:
    flow = shake(CellFlow(GRID, SMALL))
    energy = layer.pop("energy").requires_grad_()
    _, logit, _ = flow._features(energy, primary=primary, **layer)
    (by_first,) = torch.autograd.grad(logit[:, 0].sum(), energy, retain_graph=True)
    assert not by_first.any()
    (by_last,) = torch.autograd.grad(logit[:, 3].sum(), energy)
    assert by_last[:, ::2, ::2].any()
    assert not by_last[:, 1::2, ::2].any()  # its own cells


@pytest.fixture
def split(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of six cells, with one, some and all sub-cells hit, and what is known of them."""
    shares = torch.rand(6, 9, generator=random) + 0.05
    shares[0, 1:] = 0
    shares[1, :8] = 0
    shares[2, [0, 1, 5, 8]] = 0
    shares[3, 3:] = 0
    shares /= shares.sum(dim=1, keepdim=True)
    energy = torch.rand(6, generator=random) * 10 + 0.1
    return shares, energy, torch.randn(6, 6 + 9 + 50 + 5, generator=random)


def test_sub_cells_come_back_from_their_noise(
    split: tuple[Tensor, Tensor, Tensor], shake: Shake, random: torch.Generator
) -> None:
    shares, energy, features = split
    flow = shake(SubCellFlow(GRID, SubCellsConfig(hidden=8, step=5, condition=6, bins=4)))
    inside = torch.rand(6, 9, generator=random, dtype=torch.float64)
    noise = flow.to_noise(shares, energy, features, inside)
    back = SubCellSampler(GRID, network_arrays(flow))._split(
        noise.numpy(), energy.numpy(), features.numpy()
    )
    np.testing.assert_array_equal(back > 0, shares > 0)
    np.testing.assert_allclose(back, shares, atol=2e-4)


def test_the_likelihood_of_sub_cells_is_the_determinant_of_their_flow(
    split: tuple[Tensor, Tensor, Tensor], shake: Shake
) -> None:
    """In the noise of the pattern, and logits of what each row and sub-cell takes of the rest."""
    shares, energy, features = (value[4:5] for value in split)
    flow = shake(SubCellFlow(GRID, SubCellsConfig(hidden=8, step=5, condition=6, bins=4)))
    image = shares.view(3, 3)
    groups = torch.cat([image.sum(dim=1)[None], image / image.sum(dim=1, keepdim=True)])
    left = groups.flip(1).cumsum(1).flip(1)[:, :-1]
    start = torch.cat([torch.tensor([0.4]), torch.logit(groups[:, :-1] / left).flatten()])[None]

    def noise(value: Tensor) -> Tensor:
        taken = torch.sigmoid(value[:, 1:]).view(4, 2)
        first, second = taken[:, 0], (1 - taken[:, 0]) * taken[:, 1]
        groups = torch.stack([first, second, 1 - first - second], dim=1)
        whole = (groups[0][:, None] * groups[1:]).view(1, 9)
        inside = torch.cat([value[:, :1], torch.zeros(1, 8)], dim=1)
        return flow.to_noise(whole, energy, features, inside)

    expected = log_determinant(noise, start)
    assert float(flow.log_prob(shares, energy, features)) == pytest.approx(expected, abs=1e-2)


def test_features_in_numpy_are_those_in_torch(shake: Shake, random: torch.Generator) -> None:
    flow = shake(SubCellFlow(GRID, SubCellsConfig(hidden=8, step=5, condition=6, bins=4)))
    maps, before = torch.rand(2, 4, 4, generator=random), torch.rand(2, 2, 12, 12, generator=random)
    energy = maps.mul(2).expm1() * CELL_FLOOR_MEV
    condition = torch.rand(2, 6, generator=random)
    image, row, column = torch.tensor([[0, 0, 1], [0, 2, 3], [1, 3, 3]])
    cells = HitCells(image, row, column, energy[image, row, column])
    expected = flow.features(cells, maps, before, condition)
    padded = np.pad(before.numpy(), [(0, 0), (0, 0), (1, 1), (1, 1)])
    index = [part.numpy() for part in (image, row, column)]
    sampler = SubCellSampler(GRID, network_arrays(flow))
    features = sampler._features(*index, energy.numpy(), padded, condition.numpy())
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_contexts_in_numpy_are_those_in_torch(
    primary: Tensor, energies: Tensor, shake: Shake
) -> None:
    context = shake(LayerContext(5, 6))
    plain = NumpyContext(5, network_arrays(context))(primary.numpy(), energies.numpy())
    for layer in range(5):
        exact = context(primary, energies, torch.full((3,), layer))
        np.testing.assert_allclose(plain[:, layer], exact, rtol=1e-4, atol=1e-5)
