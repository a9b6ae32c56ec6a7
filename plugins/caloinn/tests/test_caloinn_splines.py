"""Monotone splines: inverses, slopes, bounds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calozoo_caloinn.splines import cubic, parameters_per_element, rational_quadratic

SPLINES = {"rational-quadratic": rational_quadratic, "cubic": cubic}
BOUND = 3.0

kinds = pytest.mark.parametrize("kind", SPLINES)


def raw(kind: str, n: int, elements: int, seed: int = 1, spread: float = 2.0) -> torch.Tensor:
    size = (n, parameters_per_element(kind, 8), elements)
    random = torch.Generator().manual_seed(seed)
    return spread * torch.randn(size, generator=random, dtype=torch.double)


@pytest.mark.parametrize(("kind", "expected"), [("rational-quadratic", 29), ("cubic", 22)])
def test_ten_bins_need_the_published_number_of_parameters(kind: str, expected: int) -> None:
    assert parameters_per_element(kind, 10) == expected


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(SPLINES)), st.integers(0, 1000), st.floats(0.0, 4.0))
def test_a_spline_and_its_inverse_cancel(kind: str, seed: int, spread: float) -> None:
    x = torch.linspace(-5, 5, 60, dtype=torch.double).view(12, 5)
    shape = raw(kind, 12, 5, seed, spread)
    y, log_slope = SPLINES[kind](x, shape, BOUND)
    back, inverse_log_slope = SPLINES[kind](y, shape, BOUND, inverse=True)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-6)
    # Beside a knot of a cubic whose slope is nearly 0, the slope hangs on the last digits.
    torch.testing.assert_close(inverse_log_slope, -log_slope, rtol=1e-3, atol=1e-2)


@kinds
def test_the_slope_is_the_derivative(kind: str) -> None:
    x = torch.linspace(-4, 4, 50, dtype=torch.double).view(10, 5).requires_grad_()
    y, log_slope = SPLINES[kind](x, raw(kind, 10, 5), BOUND)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_slope, slope.log())


@kinds
def test_a_spline_rises_everywhere_and_keeps_its_interval(kind: str) -> None:
    x = torch.linspace(-BOUND, BOUND, 4001, dtype=torch.double)[:, None]
    y, _ = SPLINES[kind](x, raw(kind, 1, 1, spread=3.0).expand(4001, -1, -1), BOUND)
    assert (y.diff(dim=0) > 0).all()
    torch.testing.assert_close(y[[0, -1]], x[[0, -1]])


@kinds
def test_the_bound_holds_for_each_element_alone(kind: str) -> None:
    """One element beyond the bound passes as it is; its neighbours are bent as without it."""
    inside = torch.tensor([[0.5, -1.2, 2.0]], dtype=torch.double)
    beyond = inside.clone()
    beyond[0, 1] = 7.0
    shape = raw(kind, 1, 3)
    bent, slopes = SPLINES[kind](inside, shape, BOUND)
    mixed, mixed_slopes = SPLINES[kind](beyond, shape, BOUND)
    assert mixed[0, 1] == 7.0
    assert mixed_slopes[0, 1] == 0
    torch.testing.assert_close(mixed[0, ::2], bent[0, ::2])
    torch.testing.assert_close(mixed_slopes[0, ::2], slopes[0, ::2])
    assert (bent[0, ::2] != inside[0, ::2]).all()


@kinds
def test_an_element_beyond_the_bound_leaves_every_gradient_finite(kind: str) -> None:
    shape = raw(kind, 4, 3).requires_grad_()
    x = torch.tensor([[-9.0, 0.0, 9.0]], dtype=torch.double).repeat(4, 1).requires_grad_()
    y, log_slope = SPLINES[kind](x, shape, BOUND)
    (y.sum() + log_slope.sum()).backward()
    assert x.grad.isfinite().all()
    assert shape.grad.isfinite().all()


def test_a_new_rational_quadratic_spline_is_the_identity() -> None:
    x = torch.linspace(-4, 4, 30, dtype=torch.double).view(10, 3)
    y, log_slope = rational_quadratic(x, torch.zeros(10, 23, 3, dtype=torch.double), BOUND)
    torch.testing.assert_close(y, x, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), atol=1e-6, rtol=0)
