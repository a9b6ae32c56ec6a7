"""ShowerFlow: sizes, inverses and densities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from calozoo_caloclouds3.config import FlowConfig, preset
from calozoo_caloclouds3.flow import (
    AffineCoupling,
    ConditionalAffine,
    ConditionalSpline,
    ShowerFlow,
)
from calozoo_core.nn.flow import Permutation

TRANSFORMS = {
    "affine coupling": lambda: AffineCoupling(6, 10),
    "conditional affine": lambda: ConditionalAffine(6, 10),
    "spline": lambda: ConditionalSpline(6, 4, 8, 8, 3.0),
}


def shaken(module: nn.Module, random: torch.Generator, spread: float = 0.5) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, spread, generator=random)
    return module.double()


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest, random: torch.Generator) -> nn.Module:
    return shaken(TRANSFORMS[request.param](), random)


def test_the_published_sizes_give_the_published_parameter_count() -> None:
    flow = ShowerFlow(preset("published").flow)
    assert sum(p.numel() for p in flow.parameters()) == 6_026_520
    kinds = [type(t) for t in flow.transforms]
    assert [kinds.count(k) for k in (AffineCoupling, ConditionalSpline, Permutation)] == [12, 2, 14]


def test_an_affine_coupling_and_a_spline_have_the_published_sizes() -> None:
    coupling, spline = AffineCoupling(60, 600), ConditionalSpline(60, 4, 240, 8, 3.0)
    assert sum(p.numel() for p in coupling.parameters()) == 417_660
    assert sum(p.numel() for p in spline.parameters()) == 507_300


def test_a_transform_and_its_inverse_cancel(transform: nn.Module, random: torch.Generator) -> None:
    x = 3 * torch.randn(200, 6, generator=random, dtype=torch.double)
    condition = torch.rand(200, 4, generator=random, dtype=torch.double)
    back, _ = transform.inverse(transform(x, condition)[0], condition)
    torch.testing.assert_close(back, x, rtol=1e-8, atol=1e-8)


def test_the_log_determinant_is_that_of_the_jacobian(
    transform: nn.Module, random: torch.Generator
) -> None:
    condition = torch.rand(1, 4, generator=random, dtype=torch.double)
    y, _ = transform(torch.randn(1, 6, generator=random, dtype=torch.double), condition)
    _, log_det = transform.inverse(y, condition)
    jacobian = torch.autograd.functional.jacobian(
        lambda row: transform.inverse(row[None], condition)[0][0], y[0]
    )
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet)


def test_an_affine_coupling_scales_by_at_most_e(random: torch.Generator) -> None:
    coupling = shaken(AffineCoupling(6, 10), random, spread=5.0)
    condition = torch.rand(100, 4, generator=random, dtype=torch.double)
    _, log_det = coupling.inverse(
        torch.randn(100, 6, dtype=torch.double, generator=random), condition
    )
    assert log_det.abs().max() <= 3  # three elements move, each by a factor within [1/e, e]


def test_a_spline_is_the_identity_outside_its_bound_and_rises_everywhere(
    random: torch.Generator,
) -> None:
    spline = shaken(ConditionalSpline(1, 4, 8, 8, 3.0), random, spread=2.0)
    x = torch.linspace(-6, 6, 4001, dtype=torch.double)[:, None]
    y, _ = spline(x, torch.full((len(x), 4), 0.3, dtype=torch.double))
    outside = x.abs() >= 3
    assert torch.equal(y[outside], x[outside])
    assert (y.diff(dim=0) > 0).all()


def test_the_density_is_the_base_density_over_the_jacobian(random: torch.Generator) -> None:
    config = FlowConfig(blocks=1, hidden=8, spline_hidden=4, baseline_hidden=8)
    flow = shaken(ShowerFlow(config, random), random, 0.3)
    condition = torch.rand(3, 4, generator=random, dtype=torch.double)
    noise = torch.randn(3, 60, generator=random, dtype=torch.double)
    base = torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum(dim=1)
    log_det = torch.stack([_log_det(flow, noise[i], condition[i]) for i in range(3)])
    torch.testing.assert_close(flow.log_prob(flow(noise, condition), condition), base - log_det)


def _log_det(flow: nn.Module, noise: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    jacobian = torch.autograd.functional.jacobian(
        lambda row: (flow(row[None], condition[None])[0] - flow.shift) / flow.scale, noise
    )
    return torch.linalg.slogdet(jacobian).logabsdet


def test_permutations_travel_with_the_weights() -> None:
    config = preset("tiny").flow
    first = ShowerFlow(config, torch.Generator().manual_seed(1))
    second = ShowerFlow(config, torch.Generator().manual_seed(2))
    noise, condition = torch.randn(5, 60), torch.rand(5, 4)
    assert not torch.equal(first.transforms[1].order, second.transforms[1].order)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(noise, condition), first(noise, condition))
    values = first(noise, condition)
    torch.testing.assert_close(
        second.log_prob(values, condition), first.log_prob(values, condition)
    )


def test_a_new_flow_is_the_identity_up_to_order() -> None:
    flow = ShowerFlow(FlowConfig(blocks=1, hidden=8, spline_hidden=4, baseline_hidden=4))
    flow.scale.fill_(1.0)
    noise = 4 + torch.rand(3, 60)  # outside the spline's bound
    sorted_out = flow(noise, torch.rand(3, 4)).sort().values
    torch.testing.assert_close(sorted_out, noise.sort().values)


@pytest.mark.parametrize("name", ["published", "ild-photon", "tiny"])
def test_the_flow_in_numpy_is_the_one_in_torch(name: str, random: torch.Generator) -> None:
    flow = ShowerFlow(preset(name).flow, random)
    for parameter in flow.parameters():
        nn.init.normal_(parameter, 0.0, 0.05, generator=random)
    noise = 2 * torch.randn(40, 60, generator=random)
    condition = torch.rand(40, 4, generator=random)
    flow.shift.fill_(0.5)
    flow.scale.fill_(2.0)
    with torch.inference_mode():
        exact = flow(noise, condition).numpy()
    plain = flow.to_numpy()(noise.numpy(), condition.numpy())
    np.testing.assert_allclose(plain, exact, rtol=1e-3, atol=1e-3)
    assert plain.dtype == np.float32
