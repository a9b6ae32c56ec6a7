"""The Boltzmann machine: its sampler, energy, normalisation and gradient against enumeration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from calozoo_caloqvae.config import RbmConfig, preset
from calozoo_caloqvae.latent_sampler import GibbsSampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm, logistic, rbm_layout
from calozoo_caloqvae.qvae import QvaeBatch, prior_loss
from calozoo_caloqvae.rbm import Rbm
from calozoo_core.random import stream

N = 20_000


def in_torch(rbm: NumpyRbm) -> Rbm:
    machine = Rbm(rbm.config)
    arrays = {"bias": rbm.bias, "coupling": rbm.coupling}
    machine.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return machine


def chains(counted: Any, sweeps: int = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States that are given, a start, and random numbers."""
    generator = torch.Generator().manual_seed(2)
    start = (torch.rand(N, 9, generator=generator) < 0.5).float()
    uniform = torch.rand(N, sweeps, 9, generator=generator)
    return torch.from_numpy(counted.given(N)), start, uniform


def log_z(machine: Rbm, counted: Any) -> torch.Tensor:
    """Logarithm of the normalisation, as a sum over all states."""
    states, given = torch.from_numpy(counted.states), torch.from_numpy(counted.given(512))
    return torch.logsumexp(-machine.energy(given, states), dim=0)


def test_gibbs_samples_have_the_marginals_and_correlations_of_all_states(counted: Any) -> None:
    given, start, uniform = (tensor.numpy() for tensor in chains(counted))
    found = counted.rbm.gibbs(given, start, logistic(uniform))
    np.testing.assert_allclose(found.mean(axis=0), counted.marginals, atol=0.015)
    pairs = (counted.states * counted.probabilities[:, None]).T @ counted.states
    np.testing.assert_allclose(found.T @ found / N, pairs, atol=0.015)
    assert np.abs(pairs - np.outer(counted.marginals, counted.marginals)).max() > 0.1


def test_torch_samples_and_weighs_as_numpy_does(counted: Any) -> None:
    machine = in_torch(counted.rbm)
    given, start, uniform = (tensor[:500] for tensor in chains(counted))
    states = machine.gibbs(given, start, uniform)
    expected = counted.rbm.gibbs(given.numpy(), start.numpy(), logistic(uniform.numpy()))
    np.testing.assert_array_equal(states.numpy(), expected)
    with torch.no_grad():
        energy = machine.energy(given, states).numpy()
    np.testing.assert_allclose(energy, counted.rbm.energy(given.numpy(), expected), atol=1e-5)


def test_importance_sampling_finds_the_normalisation(counted: Any) -> None:
    machine = in_torch(counted.rbm)
    exact = float(log_z(machine, counted).detach())
    estimate = machine.log_normalisation(*chains(counted, 40))
    assert float(torch.logsumexp(estimate, 0)) - math.log(N) == pytest.approx(exact, abs=0.02)
    assert exact - 0.2 < float(estimate.mean()) < exact


def test_the_gradient_is_data_minus_model(counted: Any) -> None:
    """As of the likelihood, whose normalisation is a sum over all states."""
    data = (torch.rand(N, 9, generator=torch.Generator().manual_seed(4)) < 0.7).float()
    given, start, uniform = chains(counted)
    machine, exact = in_torch(counted.rbm), in_torch(counted.rbm)
    empty = torch.empty(0)
    batch = QvaeBatch(empty, empty, empty, given, empty, start, uniform, empty, empty)
    prior_loss(machine, batch, data).mean().backward()  # type: ignore[no-untyped-call]
    (exact.energy(given, data).mean() + log_z(exact, counted)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in machine.named_parameters():
        assert parameter.grad is not None
        expected = exact.get_parameter(name).grad
        torch.testing.assert_close(parameter.grad, expected, rtol=0, atol=0.015)
        assert float(parameter.grad.abs().max()) > 0.1


def test_a_chain_does_not_depend_on_the_others() -> None:
    """To the bit, also with the couplings of a trained size."""
    config = preset("ild-photon-clumps").prior
    random = np.random.default_rng(5)
    arrays = {
        name: random.normal(0, 1, entry.shape).astype(np.float32)
        for name, entry in rbm_layout(config).items()
    }
    sampler = GibbsSampler(NumpyRbm(config, arrays), 20)
    bits = (random.random((40, config.nodes)) < 0.5).astype(np.float32)

    def drawn(rows: slice) -> np.ndarray:
        return sampler(bits[rows], [stream(1, i, "test") for i in range(40)[rows]])

    whole = drawn(slice(None))
    for row in (0, 17, 39):
        np.testing.assert_array_equal(drawn(slice(row, row + 1)), whole[row : row + 1])


def test_logistic_noise_is_finite_and_makes_coins_of_a_logit() -> None:
    edges = np.array([0, 1 - 2.0**-24], np.float32)
    assert np.isfinite(logistic(edges)).all()
    uniform = np.random.default_rng(6).random(N, np.float32)
    share = float((logistic(uniform) < 1.2).mean())
    assert share == pytest.approx(1 / (1 + math.exp(-1.2)), abs=0.01)


def test_only_couplings_of_the_graph_exist() -> None:
    config = RbmConfig(graph="zephyr", size=2)
    machine = Rbm(config)
    weights = machine.weights().detach()
    assert torch.equal(weights, weights.T)
    assert int((weights != 0).sum()) == 2 * config.couplings
