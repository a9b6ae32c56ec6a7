"""The invertible network: inverses, densities, and the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from calozoo_caloinn.config import InnConfig, preset
from calozoo_caloinn.inn import Baseline, Inn, inn_sampler
from calozoo_caloinn.numpy_inn import NumpyInn

SMALL = InnConfig(dim=5, conditions=3, blocks=3, bins=4, bound=3.0, hidden=8, hidden_layers=1)
CUBIC = SMALL.model_copy(update={"spline": "cubic"})
HEADED = SMALL.model_copy(update={"baseline_hidden": 6, "baseline_head": 2})
WHOLE = HEADED.model_copy(update={"baseline_head": 5})

TRANSFORMS = {
    "baseline": lambda: Baseline(HEADED),
    "baseline without a rest": lambda: Baseline(WHOLE),
    "network": lambda: Inn(HEADED, torch.Generator().manual_seed(1)),
    "network with batch norm": lambda: Inn(
        CUBIC.model_copy(update={"batch_norm": True}), torch.Generator().manual_seed(1)
    ),
}


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest, random: torch.Generator) -> nn.Module:
    return shaken(TRANSFORMS[request.param](), random)


def shaken(module: nn.Module, random: torch.Generator, spread: float = 0.25) -> nn.Module:
    """Weights as if trained, and in double precision."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, spread, generator=random)
    return module.double().eval().requires_grad_(False)


def test_a_transform_and_its_inverse_cancel(transform: nn.Module, random: torch.Generator) -> None:
    x = 2 * torch.randn(200, 5, generator=random, dtype=torch.double)
    condition = torch.rand(200, 3, generator=random, dtype=torch.double)
    back = transform.inverse(transform(x, condition)[0], condition)
    back = back[0] if isinstance(transform, Baseline) else back
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)


def test_the_log_determinant_is_that_of_the_jacobian(
    transform: nn.Module, random: torch.Generator
) -> None:
    condition = torch.rand(1, 3, generator=random, dtype=torch.double)
    x = torch.randn(1, 5, generator=random, dtype=torch.double)
    _, log_det = transform(x, condition)
    jacobian = torch.autograd.functional.jacobian(
        lambda row: transform(row[None], condition)[0][0], x[0]
    )
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet)


def test_the_density_integrates_to_one(random: torch.Generator) -> None:
    config = InnConfig(dim=2, blocks=2, bins=4, bound=3.0, hidden=8, hidden_layers=1)
    inn = shaken(Inn(config, random), random)
    line = torch.linspace(-14, 14, 561, dtype=torch.double)
    grid = torch.cartesian_prod(line, line)
    density = inn.log_prob(grid, torch.zeros(len(grid), 1, dtype=torch.double)).exp()
    assert float(density.sum()) * 0.05**2 == pytest.approx(1, abs=0.01)


def test_a_new_network_standardises_and_reorders(random: torch.Generator) -> None:
    inn = Inn(HEADED, random)
    x = 5 + 3 * torch.randn(400, 5, generator=random)
    condition = torch.rand(400, 3, generator=random)
    inn.initialise(x, condition)
    z, _ = inn(x, condition)
    torch.testing.assert_close(z.std(dim=0), torch.ones(5), atol=0.01, rtol=0)
    torch.testing.assert_close(inn.inverse(z, condition), x, atol=1e-4, rtol=1e-4)


def test_permutations_travel_with_the_weights() -> None:
    first = Inn(SMALL, torch.Generator().manual_seed(1))
    second = Inn(SMALL, torch.Generator().manual_seed(2))
    noise, condition = torch.randn(6, 5), torch.rand(6, 3)
    assert not torch.equal(first.inverse(noise, condition), second.inverse(noise, condition))
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second.inverse(noise, condition), first.inverse(noise, condition))


@pytest.mark.parametrize("part", ["layers", "inn"])
def test_the_network_in_numpy_is_the_one_in_torch(part: str, random: torch.Generator) -> None:
    config = getattr(preset("ild-photon"), part)
    inn = Inn(config, random)
    for parameter in inn.parameters():
        nn.init.normal_(parameter, 0.0, 0.1, generator=random)
    inn.shift.fill_(0.5)
    inn.condition_scale.fill_(2.0)
    inn.eval()
    noise = 3 * torch.randn(40, config.dim, generator=random)
    condition = torch.rand(40, config.conditions, generator=random)
    with torch.inference_mode():
        exact = inn.inverse(noise, condition).numpy()
    plain = inn.to_numpy()(noise.numpy(), condition.numpy())
    # A slope of the splines multiplies rounding.
    np.testing.assert_allclose(plain, exact, rtol=2e-3, atol=2e-2)
    assert np.median(np.abs(plain - exact)) < 1e-4
    assert plain.dtype == np.float32


def test_a_network_without_a_counterpart_in_numpy_is_sampled_in_torch(
    random: torch.Generator,
) -> None:
    assert isinstance(inn_sampler(Inn(SMALL)), NumpyInn)
    inn = Inn(CUBIC, random).eval()
    noise, condition = np.ones((2, 5), np.float32), np.ones((2, 3), np.float32)
    with torch.inference_mode():
        exact = inn.inverse(torch.from_numpy(noise), torch.from_numpy(condition))
    np.testing.assert_array_equal(inn_sampler(inn)(noise, condition), exact)


def test_batch_norm_is_folded_into_the_layers_in_numpy(random: torch.Generator) -> None:
    inn = Inn(SMALL.model_copy(update={"batch_norm": True}), random)
    for parameter in inn.parameters():
        nn.init.normal_(parameter, 0.0, 0.3, generator=random)
    inn(torch.randn(50, 5, generator=random), torch.rand(50, 3, generator=random))
    inn.eval()
    noise = torch.randn(20, 5, generator=random)
    condition = torch.rand(20, 3, generator=random)
    with torch.inference_mode():
        exact = inn.inverse(noise, condition)
    plain = inn.to_numpy()(noise.numpy(), condition.numpy())
    np.testing.assert_allclose(plain, exact, rtol=1e-3, atol=1e-3)
