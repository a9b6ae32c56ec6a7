"""Transforms of flows: inverses, log-determinants, weights, and the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from calozoo_core.nn.flow import (  # noqa: E402
    ActNorm,
    Permutation,
    SplineCoupling,
    standard_normal_log_prob,
)
from calozoo_core.nn.mlp import Mlp, mlp, silu  # noqa: E402
from calozoo_core.nn.numpy_convolution import (  # noqa: E402
    Convolution3x3,
    convolution_layout,
)
from calozoo_core.nn.numpy_flow import (  # noqa: E402
    SplineCouplingSizes,
    act_norm,
    permutation,
)
from calozoo_core.nn.numpy_spline import n_parameters  # noqa: E402
from calozoo_core.weights.trained_model import network_arrays  # noqa: E402

ORDER = torch.tensor([2, 0, 1, 4, 3])


def coupling(dim=5, **options):
    return SplineCoupling(dim, 3, (8,), bins=4, bound=3.0, **options)


TRANSFORMS = {
    "act norm": lambda: ActNorm(5),
    "permutation": lambda: Permutation(ORDER),
    "rational-quadratic coupling": coupling,
    "cubic coupling": lambda: coupling(kind="cubic"),
    "linear rational coupling": lambda: coupling(kind="linear-rational"),
    "coupling with batch norm": lambda: coupling(batch_norm=True),
}


@pytest.fixture
def random():
    return torch.Generator().manual_seed(20)


@pytest.fixture(params=TRANSFORMS)
def transform(request, random):
    return shaken(TRANSFORMS[request.param](), random)


def shaken(module, random, spread=0.25):
    """Weights as if trained."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, spread, generator=random)
    return module.eval().requires_grad_(requires_grad=False)


def test_a_transform_and_its_inverse_cancel(transform, random):
    transform.double()
    x = 2 * torch.randn(200, 5, generator=random, dtype=torch.double)
    condition = torch.rand(200, 3, generator=random, dtype=torch.double)
    y, log_det = transform(x, condition)
    back, back_log_det = transform.inverse(y, condition)
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(back_log_det, -log_det, rtol=1e-4, atol=1e-4)


def test_the_log_determinant_is_that_of_the_jacobian(transform, random):
    transform.double()
    condition = torch.rand(1, 3, generator=random, dtype=torch.double)
    x = torch.randn(1, 5, generator=random, dtype=torch.double)
    _, log_det = transform(x, condition)
    jacobian = torch.autograd.functional.jacobian(
        lambda row: transform(row[None], condition)[0][0], x[0]
    )
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet)


IN_NUMPY = {
    "act norm": lambda arrays, inverse: act_norm(arrays, inverse=inverse),
    "permutation": lambda arrays, inverse: permutation(arrays["order"], inverse=inverse),
}


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", IN_NUMPY)
def test_a_transform_in_numpy_is_the_one_in_torch(name, inverse, random):
    transform = shaken(TRANSFORMS[name](), random)
    step = IN_NUMPY[name](network_arrays(transform), inverse)
    check_step(step, transform.inverse if inverse else transform, random)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_inverse_of_a_coupling_in_numpy_is_the_one_in_torch(batch_norm, random):
    transform = shaken(coupling(batch_norm=batch_norm), random)
    if batch_norm:
        transform.net[1].running_mean.normal_(generator=random)
        transform.net[1].running_var.uniform_(0.5, 2, generator=random)
    sizes = coupling_sizes(batch_norm=batch_norm)
    arrays = network_arrays(transform)
    assert sizes.layout().keys() == arrays.keys()
    check_step(sizes.inverse(arrays), transform.inverse, random)


def coupling_sizes(dim=5, **options):
    return SplineCouplingSizes(dim, 3, (8,), bound=3.0, parameters=n_parameters(4), **options)


def check_step(step, exact, random):
    x = 2 * torch.randn(40, 5, generator=random)
    condition = torch.rand(40, 3, generator=random)
    plain = step(x.numpy(), condition.numpy())
    np.testing.assert_allclose(plain, exact(x, condition)[0], rtol=1e-4, atol=1e-4)
    assert plain.dtype == np.float32


def test_a_coupling_of_one_element_goes_by_the_condition(random):
    alone = shaken(coupling(1), random)
    x = torch.full((2, 1), 0.3)
    y, _ = alone(x, torch.tensor([[0.0, 0, 0], [1, 1, 1]]))
    assert y[0] != y[1]
    step = coupling_sizes(1).inverse(network_arrays(alone))
    plain = step(y.numpy(), np.array([[0.0, 0, 0], [1, 1, 1]], np.float32))
    np.testing.assert_allclose(plain, x, atol=1e-5)


def test_an_element_beyond_the_bound_leaves_its_row_to_the_splines(random):
    """The public CaloINN code lets the whole row pass."""
    one = shaken(coupling(), random)
    x = torch.zeros(2, 5)
    x[:, 3:] = 0.7
    x[1, 4] = 30.0
    y, _ = one(x, torch.ones(2, 3))
    assert y[1, 4] == 30
    assert y[1, 3] == y[0, 3] != x[0, 3]


def test_act_norm_standardises_the_batch_it_starts_from(random):
    norm, x = ActNorm(5), 3 + 2 * torch.randn(500, 5, generator=random)
    norm.initialise(x)
    y, _ = norm(x, x)
    torch.testing.assert_close(y.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=0), torch.ones(5), atol=1e-5, rtol=0)


def test_a_permutation_travels_with_the_weights():
    first, second = Permutation(ORDER), Permutation(torch.arange(5))
    second.load_state_dict(first.state_dict())
    x = torch.rand(3, 5)
    assert torch.equal(second.inverse(second(x, x)[0], x)[0], x)
    assert torch.equal(second(x, x)[0], x[:, ORDER])


ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("outputs", [None, 3])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_network_in_numpy_is_the_one_in_torch(activation, outputs, batch_norm, random):
    options = {"batch_norm": batch_norm, "dropout": 0.1}
    net = mlp(4, (8, 6), outputs, activation=ACTIVATIONS[activation], **options)
    shaken(net, random, 1.0)
    sizes = Mlp(4, (8, 6), outputs, activation, batch_norm=batch_norm, dropout=True)
    arrays = network_arrays(net)
    layout = sizes.layout()
    assert {name: entry.shape for name, entry in layout.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    trained = {name for name, entry in layout.items() if entry.is_trained}
    assert trained == {name for name, _ in net.named_parameters()}
    x = 3 * torch.randn(30, 4, generator=random)
    plain = sizes.function(arrays)(x.numpy())
    np.testing.assert_allclose(plain, net(x), rtol=1e-4, atol=1e-5)
    assert plain.dtype == np.float32


@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("bias", [False, True])
def test_a_convolution_in_numpy_is_the_one_in_torch(n, bias, random):
    net = shaken(nn.Conv2d(7, 5, 3, padding=1, bias=bias), random)
    arrays = {f"own.{name}": array for name, array in network_arrays(net).items()}
    assert convolution_layout("own", 7, 5, bias=bias).keys() == arrays.keys()
    image = torch.randn(n, 7, 24, 20, generator=random)
    plain = Convolution3x3.of(arrays, "own")(image.permute(0, 2, 3, 1).contiguous().numpy())
    np.testing.assert_allclose(plain, net(image).permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_a_new_network_says_nothing():
    assert not mlp(4, (8,), 3)(torch.rand(5, 4)).any()


def test_silu_does_not_overflow():
    with np.errstate(over="raise"):
        values = silu(np.array([-200, 0, 200], np.float32))
    assert values.tolist() == [0, 0, 200]


def test_the_standard_normal_density_sums_over_elements():
    x = torch.randn(4, 3)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(dim=1)
    torch.testing.assert_close(standard_normal_log_prob(x), expected)
