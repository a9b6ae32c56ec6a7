"""Monotone splines: inverses, slopes, bounds, and the same in numpy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from calozoo_core.nn.numpy_spline import (  # noqa: E402
    inverse_rational_quadratic,
    linear_rational,
)
from calozoo_core.nn.spline import SPLINES, n_parameters, rational_quadratic  # noqa: E402

BOUND = 3.0

kinds = pytest.mark.parametrize("kind", SPLINES)


def raw(kind, n, elements, seed=1, spread=2.0, bins=8):
    size = (n, n_parameters(bins, kind), elements)
    random = torch.Generator().manual_seed(seed)
    return spread * torch.randn(size, generator=random, dtype=torch.double)


@given(
    kind=st.sampled_from(sorted(SPLINES)),
    seed=st.integers(0, 1000),
    bins=st.integers(2, 12),
    bound=st.sampled_from([1.0, 5.0, 15.0]),
    spread=st.floats(0.0, 4.0),
)
def test_a_spline_and_its_inverse_cancel(kind, seed, bins, bound, spread):
    x = torch.linspace(-1.6, 1.6, 60, dtype=torch.double).view(12, 5) * bound
    shape = raw(kind, 12, 5, seed, spread, bins)
    y, log_slope = SPLINES[kind](x, shape, bound, dim=1)
    back, inverse_log_slope = SPLINES[kind](y, shape, bound, inverse=True, dim=1)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-6 * bound)
    # Beside a knot of a cubic whose slope is nearly 0, the slope hangs on the last digits.
    torch.testing.assert_close(inverse_log_slope, -log_slope, rtol=1e-3, atol=1e-2)


@kinds
@pytest.mark.parametrize("inverse", [False, True])
def test_the_slope_is_the_derivative(kind, inverse):
    x = torch.linspace(-4, 4, 50, dtype=torch.double).view(10, 5).requires_grad_()
    y, log_slope = SPLINES[kind](x, raw(kind, 10, 5), BOUND, inverse=inverse, dim=1)
    if inverse and kind == "cubic":  # its root is found by bisection
        return
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_slope, slope.log())


@kinds
def test_a_spline_rises_everywhere_and_keeps_its_interval(kind):
    x = torch.linspace(-BOUND, BOUND, 4001, dtype=torch.double)[:, None]
    y, _ = SPLINES[kind](x, raw(kind, 1, 1, spread=3.0).expand(4001, -1, -1), BOUND, dim=1)
    assert (y.diff(dim=0) > 0).all()
    torch.testing.assert_close(y[[0, -1]], x[[0, -1]])


@kinds
def test_the_bound_holds_for_each_element_alone(kind):
    """One element beyond the bound passes as it is; its neighbours are bent as without it."""
    inside = torch.tensor([[0.5, -1.2, 2.0]], dtype=torch.double)
    beyond = inside.clone()
    beyond[0, 1] = 7.0
    shape = raw(kind, 1, 3)
    bent, slopes = SPLINES[kind](inside, shape, BOUND, dim=1)
    mixed, mixed_slopes = SPLINES[kind](beyond, shape, BOUND, dim=1)
    assert mixed[0, 1] == 7.0
    assert mixed_slopes[0, 1] == 0
    torch.testing.assert_close(mixed[0, ::2], bent[0, ::2])
    torch.testing.assert_close(mixed_slopes[0, ::2], slopes[0, ::2])
    assert (bent[0, ::2] != inside[0, ::2]).all()


@kinds
@pytest.mark.parametrize("inverse", [False, True])
def test_an_element_beyond_the_bound_leaves_every_gradient_finite(kind, inverse):
    shape = raw(kind, 4, 3).requires_grad_()
    x = torch.tensor([[-9.0, 0.0, 9.0]], dtype=torch.double).repeat(4, 1).requires_grad_()
    y, log_slope = SPLINES[kind](x, shape, BOUND, inverse=inverse, dim=1)
    (y.sum() + log_slope.sum()).backward()
    assert x.grad.isfinite().all()
    assert shape.grad.isfinite().all()


@kinds
def test_the_axis_of_the_parameters_is_free(kind):
    x = torch.linspace(-4, 4, 24, dtype=torch.double).view(2, 3, 4)
    shape = raw(kind, 2, 12).view(2, -1, 3, 4)
    for dim in (1, 2, 3, -1):
        moved = SPLINES[kind](x, shape.movedim(1, dim), BOUND, dim=dim)
        torch.testing.assert_close(moved, SPLINES[kind](x, shape, BOUND, dim=1))


@pytest.mark.parametrize("least", [1e-3, 1e-6])
def test_raw_parameters_of_zero_make_a_rational_quadratic_spline_the_identity(least):
    x = torch.linspace(-4, 4, 30, dtype=torch.double)
    y, log_slope = rational_quadratic(x, torch.zeros(30, 23).double(), BOUND, least=least)
    torch.testing.assert_close(y, x, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), atol=1e-6, rtol=0)


@given(
    seed=st.integers(0, 1000),
    bins=st.integers(2, 12),
    bound=st.sampled_from([1.0, 5.0, 15.0]),
    spread=st.floats(0.0, 3.0),
    is_rational_quadratic=st.booleans(),
)
def test_a_spline_in_numpy_is_the_one_in_torch(seed, bins, bound, spread, is_rational_quadratic):
    x = (torch.linspace(-1.3, 1.3, 60) * bound).view(12, 5)
    if is_rational_quadratic:
        shape = raw("rational-quadratic", 12, 5, seed, spread, bins).float()
        exact, log_slope = rational_quadratic(x, shape, bound, inverse=True, dim=1)
        plain = inverse_rational_quadratic(x.numpy(), shape.numpy(), bound)
    else:
        shape = raw("linear-rational", 12, 5, seed, spread, bins).float()
        exact, log_slope = SPLINES["linear-rational"](x, shape, bound, dim=1)
        plain = linear_rational(x.numpy(), shape.numpy(), bound)
    assert plain.dtype == np.float32
    # Where a spline is steep, it multiplies the rounding of its edges.
    allowed = 1e-5 * bound * (1 + log_slope.exp().numpy())
    assert (np.abs(plain - exact.numpy()) <= allowed).all()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_large_raw_slopes_do_not_overflow(sign):
    shape = np.zeros((1, 23, 1), np.float32)
    shape[:, 16:] = sign * 200
    with np.errstate(over="raise"):
        inverse_rational_quadratic(np.array([[0.3]], np.float32), shape, BOUND)


def test_importing_the_blocks_of_generation_imports_no_torch():
    names = ("mlp", "numpy_spline", "numpy_flow", "numpy_convolution")
    modules = ", ".join(f"calozoo_core.nn.{name}" for name in names)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
