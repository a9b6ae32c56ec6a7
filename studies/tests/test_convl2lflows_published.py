"""ConvL2LFlows as published: sizes, invertibility, likelihoods, encodings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.model import streams
from studies.convl2lflows.couplings import (
    ActNorm,
    Coupling,
    Mixing,
    UNet,
    squeeze,
    unsqueeze,
)
from studies.convl2lflows.maf import Maf
from studies.convl2lflows.published_config import MafConfig, VoxelsConfig, preset
from studies.convl2lflows.published_flow import PublishedPipeline, networks, renormalised
from studies.convl2lflows.voxel_flow import (
    LayerEnergyEncoding,
    VoxelEncoding,
    VoxelFlow,
    VoxelFlows,
)

Shake = Callable[[nn.Module], nn.Module]


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(20)


@pytest.fixture
def shake(random: torch.Generator) -> Shake:
    """Gives a network random weights everywhere, so that no flow is the identity."""

    def shaken(network: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=random)
        return network.eval().requires_grad_(requires_grad=False)

    return shaken


def log_determinant(function: Callable[[Tensor], Tensor], at: Tensor) -> float:
    """Of the Jacobian of a function of one item, by autograd."""
    matrix = jacobian(lambda flat: function(flat.view_as(at)).flatten(), at.flatten())
    return float(torch.linalg.slogdet(matrix.double())[1])


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(0, 90, width=32)),
    st.floats(0.1, 10),
)
def test_voxels_come_back_from_what_the_published_flow_sees(
    energy: np.ndarray, noise: float
) -> None:
    chain = VoxelEncoding(
        GridConfig(layers=2), VoxelsConfig(maxima_mev=(100.0, 90.0), noise_mev=noise)
    )
    which = torch.tensor([0, 1])
    value = chain.forward(torch.from_numpy(energy).double(), which)
    assert value.abs().max() < 4.7
    back = chain.inverse(value, which)
    torch.testing.assert_close(back, torch.from_numpy(energy).double(), rtol=1e-6, atol=1e-6)


def test_noise_stays_below_the_threshold_and_moves_no_deposit_by_more() -> None:
    random = torch.Generator().manual_seed(1)
    chain = VoxelEncoding(GridConfig(threshold_mev=0.01), VoxelsConfig())
    energy = torch.where(torch.rand(10_000, generator=random) < 0.1, 0.5, 0.0)
    uniform = torch.rand(10_000, generator=random)
    noised = chain.add_noise(energy, uniform, torch.randn(10_000, generator=random))
    added = noised - energy
    assert (added > 0).all()
    assert added.max() <= 0.01 + 1e-6
    assert added[energy > 0].max() <= 1e-3 + 1e-6
    assert (noised[energy == 0] < 0.01 + 1e-9).all()
    assert float(noised[energy == 0].median()) == pytest.approx(1.5e-3, rel=0.2)


@given(hnp.arrays(np.float64, 30, elements=st.floats(0, 900)))
@settings(max_examples=30, deadline=None)
def test_layer_energies_come_back_from_what_the_published_flow_sees(energy: np.ndarray) -> None:
    chain, truth = LayerEnergyEncoding(1000.0), torch.from_numpy(energy)
    torch.testing.assert_close(
        chain.inverse(chain.forward(truth, torch.zeros(30))), truth, rtol=1e-7, atol=1e-7
    )


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, (3, 4, 4), elements=st.floats(0, 50, width=32)),
    hnp.arrays(np.float32, 3, elements=st.floats(0, 500, width=32)),
)
def test_renormalised_layers_have_their_energy_and_nothing_below_the_threshold(
    energy: np.ndarray, wanted: np.ndarray
) -> None:
    energy[:, 0, 0] += 1
    result = renormalised(torch.from_numpy(energy), torch.from_numpy(wanted), 0.1)
    np.testing.assert_allclose(result.sum(dim=(1, 2)), wanted, rtol=1e-4, atol=1e-4)
    enough = torch.from_numpy(wanted) > 0.1
    kept = result[enough]
    assert bool(((kept == 0) | (kept >= 0.1 * (1 - 1e-5))).all())
    order = torch.from_numpy(energy).flatten(1)
    for image, before in zip(result.flatten(1), order, strict=True):
        if (image > 0).any() and (image == 0).any():
            assert before[image > 0].min() >= before[image == 0].max()


def test_as_many_voxels_stay_as_the_threshold_allows() -> None:
    layer = torch.tensor([[[1.0, 0.4], [0.2, 0.1]]])
    result = renormalised(layer, torch.tensor([1.0]), 0.1)
    # With three, the smallest is 0.2 / 1.6 = 0.125; with four it would be 0.1 / 1.7.
    torch.testing.assert_close(result, torch.tensor([[[0.625, 0.25], [0.125, 0.0]]]))


@pytest.mark.parametrize("factor", [(2, 2), (3, 1), (1, 2)])
def test_squeezing_is_undone(factor: tuple[int, int], random: torch.Generator) -> None:
    image = torch.randn(2, 3, 6, 4, generator=random)
    channels = squeeze(image, factor)
    assert channels.shape == (2, 3 * factor[0] * factor[1], 6 // factor[0], 4 // factor[1])
    torch.testing.assert_close(unsqueeze(channels, factor), image)


def _steps() -> dict[str, nn.Module]:
    def coupling(kind: str, channels: int) -> nn.Module:
        moved = channels // 2
        net = UNet(channels - moved + 2, Coupling.outputs(kind, moved, 4), 3, ((3, 3),))
        return Coupling(kind, channels, 4, net, moved)

    return {
        "actnorm": ActNorm(4),
        "mixing": Mixing(4),
        "spline": coupling("spline", 4),
        "affine": coupling("affine", 4),
        "spline of three": coupling("spline", 3),
    }


@pytest.mark.parametrize("name", ["actnorm", "mixing", "spline", "affine", "spline of three"])
def test_a_step_is_invertible_and_knows_its_determinant(
    name: str, shake: Shake, random: torch.Generator
) -> None:
    step = shake(_steps()[name]).double()
    channels = 3 if "three" in name else 4
    x = 2 * torch.randn(2, channels, 3, 3, generator=random, dtype=torch.float64)
    context = torch.randn(2, 2, 3, 3, generator=random, dtype=torch.float64)
    y, log_det = step.to_noise(x, context)
    torch.testing.assert_close(step.to_value(y, context), x, atol=1e-6, rtol=0)
    expected = log_determinant(lambda one: step.to_noise(one, context[1:])[0], x[1:])
    assert float(log_det[1]) == pytest.approx(expected, abs=1e-5)


def test_actnorm_makes_its_first_batch_standard(random: torch.Generator) -> None:
    norm = ActNorm(3).train()
    x = 5 + 3 * torch.randn(50, 3, 4, 4, generator=random)
    y, _ = norm.to_noise(x, x)
    torch.testing.assert_close(y.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=(0, 2, 3)), torch.ones(3))
    second, _ = norm.to_noise(2 * x, x)
    assert second.std() > 1.5


def test_couplings_and_mixings_begin_as_the_identity_but_for_order(random: torch.Generator) -> None:
    flow = VoxelFlow(
        GridConfig(layers=3, cells=6, split=1),
        VoxelsConfig(width=3, kernels=((3, 3),), blocks=2, embedding=3),
        previous=2,
    ).eval()
    x = torch.randn(2, 6, 6, generator=random)
    noise, log_det = flow.to_noise(x, torch.zeros(2, 2, 6, 6), torch.zeros(2, 2))
    torch.testing.assert_close(
        noise.flatten(1).sort()[0], x.flatten(1).sort()[0], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(log_det, torch.zeros(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("previous", [0, 2])
@pytest.mark.parametrize("circular", [False, True])
def test_the_published_flow_is_invertible_and_knows_its_determinant(
    previous: int, circular: bool, shake: Shake, random: torch.Generator
) -> None:
    config = VoxelsConfig(
        width=3, kernels=((3, 3),), blocks=2, embedding=3, bins=4, circular=circular
    )
    flow = shake(VoxelFlow(GridConfig(layers=3, cells=6, split=1), config, previous)).double()
    x = 2 * torch.randn(1, 6, 6, generator=random, dtype=torch.float64)
    before = torch.randn(1, 2, 6, 6, generator=random, dtype=torch.float64)
    constants = torch.randn(1, 2, generator=random, dtype=torch.float64)
    noise, log_det = flow.to_noise(x, before, constants)
    torch.testing.assert_close(flow.to_value(noise, before, constants), x, atol=1e-5, rtol=0)
    expected = log_determinant(lambda one: flow.to_noise(one, before, constants)[0], x)
    assert float(log_det) == pytest.approx(expected, abs=1e-4)


def test_one_flow_a_layer_sees_as_many_layers_as_there_are(shake: Shake) -> None:
    config = VoxelsConfig(width=2, kernels=((3, 3),), blocks=1, embedding=2)
    flows = shake(VoxelFlows(GridConfig(layers=8, cells=6, split=1), config))
    assert [flow.previous for flow in flows.flows] == [0, 1, 2, 3, 4, 5, 5, 5]
    shared = VoxelFlows(
        GridConfig(layers=8, cells=6, split=1), config.model_copy(update={"shared": True})
    )
    assert len(shared.flows) == 1


def test_the_masked_flow_is_invertible_and_knows_its_determinant(
    shake: Shake, random: torch.Generator
) -> None:
    flow = shake(Maf(5, 2, MafConfig(blocks=3, hidden=7, bins=4))).double()
    x = 3 * torch.randn(4, 5, generator=random, dtype=torch.float64)
    context = torch.randn(4, 2, generator=random, dtype=torch.float64)
    noise, log_det = flow.to_noise(x, context)
    torch.testing.assert_close(flow.to_value(noise, context), x, atol=1e-6, rtol=0)
    expected = log_determinant(lambda one: flow.to_noise(one, context[2:3])[0], x[2:3])
    assert float(log_det[2]) == pytest.approx(expected, abs=1e-5)


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


def test_published_layers_add_up_to_their_energies(shake: Shake) -> None:
    config = preset("tiny")
    torch.manual_seed(12)
    flows = {name: shake(flow) for name, flow in networks(config).items()}
    assert isinstance(flows["energies"], Maf)
    assert isinstance(flows["voxels"], VoxelFlows)
    pipeline = PublishedPipeline(config, flows["energies"], flows["voxels"])
    direction = np.array([[0.0, 0, 1], [0.6, 0, 0.8]], np.float32)
    primary = torch.from_numpy(primary_features(np.array([10.0, 80], np.float32), direction))
    filled = pipeline(primary, 3, 0)
    wanted = pipeline.layer_energies(streams(2, 3, 0, "energies"), primary).numpy()
    sums = np.bincount(filled.shower * 30 + filled.layer, filled.energy, minlength=60)
    np.testing.assert_allclose(sums.reshape(2, 30), wanted, rtol=1e-4, atol=1e-4)
