"""Encoder and decoder: shapes, the posterior's entropy and samples, the same layout in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calozoo_caloqvae.config import CaloQvaeConfig, preset
from calozoo_caloqvae.core_sampler import ShapeSampler, core_layout, needed_layout
from calozoo_caloqvae.latent_sampler import GibbsSampler
from calozoo_caloqvae.networks import Decoded, Posterior
from calozoo_caloqvae.numpy_rbm import NumpyRbm
from calozoo_caloqvae.qvae import Qvae, QvaeBatch
from calozoo_caloqvae.trained import TrainedCaloQvae
from calozoo_core.weights.layout import part
from calozoo_core.weights.trained_model import network_arrays

N = 4


@pytest.fixture
def config() -> CaloQvaeConfig:
    return preset("tiny")


@pytest.fixture
def qvae(config: CaloQvaeConfig) -> Qvae:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = Qvae(config)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


@pytest.fixture
def batch(config: CaloQvaeConfig) -> QvaeBatch:
    generator = torch.Generator().manual_seed(2)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(N, *shape, generator=generator)

    latents = config.prior.latents
    return QvaeBatch(
        data=uniform(config.voxels) - 0.5,
        hits=(uniform(config.voxels) < 0.8).float(),
        condition=uniform(config.conditions),
        bits=(uniform(config.prior.nodes) < 0.5).float(),
        logistic=torch.logit(uniform(latents)),
        start=(uniform(latents) < 0.5).float(),
        uniform=uniform(3, latents),
        sharpness=torch.tensor(5.0),
        weight=torch.tensor(1.0),
    )


@pytest.mark.parametrize("name", ["tiny", "ild-photon-clumps"])
def test_the_shapes_of_the_tensors_follow_from_the_configuration(name: str) -> None:
    config = preset(name)
    expected = {name: entry.shape for name, entry in TrainedCaloQvae.layout(config).items()}
    assert {name: entry.shape for name, entry in core_layout(config).items()} == expected
    assert not any(name.startswith("encoder") for name in needed_layout(config))


def test_numpy_decodes_as_torch_does(config: CaloQvaeConfig, qvae: Qvae) -> None:
    generator = torch.Generator().manual_seed(3)
    latents = (torch.rand(N, config.prior.latents, generator=generator) < 0.5).float()
    condition = torch.randn(N, config.conditions, generator=generator)
    with torch.no_grad():
        expected = qvae.decoder(latents, condition)
    decode = config.decoder.function(part(network_arrays(qvae.decoder), "net"))
    found = decode(torch.cat([2 * latents - 1, condition], dim=1).numpy())
    hit, mean, _ = np.split(found, 3, axis=1)
    np.testing.assert_allclose(hit, expected.hit.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean, expected.mean.numpy(), rtol=1e-4, atol=1e-5)


def test_each_level_is_given_the_samples_of_those_before_it(qvae: Qvae, batch: QvaeBatch) -> None:
    nodes = qvae.config.prior.nodes
    first = qvae.posterior(batch)
    noise = batch.logistic.clone()
    noise[:, nodes : 2 * nodes] += 3.0
    second = qvae.posterior(batch._replace(logistic=noise))
    same = (first.logits == second.logits).all(dim=0)
    assert same[: 2 * nodes].all()
    assert not same[2 * nodes :].any()


def test_sharp_samples_are_coins_with_the_odds_of_the_posterior(
    qvae: Qvae, batch: QvaeBatch
) -> None:
    n, nodes = 10_000, qvae.config.prior.nodes
    generator = torch.Generator().manual_seed(4)
    one = [tensor[:1].expand(n, -1) for tensor in (batch.data, batch.hits, batch.condition)]
    uniform = torch.rand(n, qvae.config.prior.latents, generator=generator)
    with torch.no_grad():
        logits, sample = qvae.encoder(*one, torch.logit(uniform), torch.tensor(1e6))
    # The first level does not depend on other samples.
    expected = torch.sigmoid(logits[:, :nodes]).mean(dim=0)
    torch.testing.assert_close(sample[:, :nodes].mean(dim=0), expected, rtol=0, atol=0.03)
    assert float(((sample > 0.01) & (sample < 0.99)).float().mean()) < 1e-4


def test_the_entropy_is_that_of_coins() -> None:
    logits = torch.tensor([[0.0, 2.0, -88.0]])
    p = 1 / (1 + math.exp(-2))
    expected = math.log(2) - p * math.log(p) - (1 - p) * math.log(1 - p)
    assert float(Posterior(logits, logits).entropy()) == pytest.approx(expected, abs=1e-5)


def test_the_likelihood_is_that_of_coins_and_linked_gaussians() -> None:
    """Of two rings that are hit, the second linked to the first, and one that is not."""
    rows = ([0.5, 0.1, -1.0], [0.2, -0.1, 0.0], [0.3, -0.2, 0.0])
    links = torch.zeros(1, 3, 3)
    links[0, 1, 0] = links[0, 2, 1] = 0.7
    decoded = Decoded(*(torch.tensor([row]) for row in rows), links)
    data, hits = torch.tensor([[1.0, 0.4, 9.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    expected = sum(math.log(1 + math.exp(-logit)) for logit in (0.5, 0.1, 1.0))
    expected += 0.5 * ((1 - 0.2) / math.exp(0.3)) ** 2 + 0.3
    expected += 0.5 * ((0.4 + 0.1 - 0.7 * (1 - 0.2)) / math.exp(-0.2)) ** 2 - 0.2
    assert float(decoded.negative_log_likelihood(data, hits)) == pytest.approx(expected, rel=1e-5)


def test_drawn_rings_are_linked_as_the_likelihood_says(config: CaloQvaeConfig, qvae: Qvae) -> None:
    sampler = ShapeSampler(
        config,
        network_arrays(qvae.decoder),
        GibbsSampler(NumpyRbm(config.prior, network_arrays(qvae.prior)), 1),
        TrainedCaloQvae.untrained(config).shape_scale,
    )
    random = np.random.default_rng(6)
    own = random.standard_normal((3, config.voxels), np.float32)
    hits = random.random((3, config.voxels)) < 0.7
    beyond = np.where(hits, own + sampler._of_inner_rings(own, hits), 0)
    with torch.no_grad():
        links = qvae.decoder.matrices().numpy()
    inner = np.einsum("lij,nlj->nli", links, beyond.reshape(3, config.layers, config.rings))
    np.testing.assert_allclose((beyond - inner.reshape(own.shape))[hits], own[hits], atol=1e-5)


def test_the_loss_teaches_every_parameter_but_the_bias_that_is_set(
    qvae: Qvae, batch: QvaeBatch
) -> None:
    qvae(batch).backward()
    for name, parameter in qvae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    nodes = qvae.config.prior.nodes
    grad = qvae.prior.bias.grad
    assert grad is not None
    torch.testing.assert_close(grad[:nodes], torch.zeros(nodes), rtol=0, atol=1e-7)


def test_the_bound_knows_the_normalisation_of_the_prior(qvae: Qvae, batch: QvaeBatch) -> None:
    """Which of a prior without fields is that of fair coins."""
    with torch.no_grad():
        for parameter in qvae.prior.parameters():
            parameter.zero_()
        posterior = qvae.posterior(batch)
        exact = qvae.config.prior.latents * math.log(2) - posterior.entropy()
        decoded = qvae.decoder(posterior.sample, batch.condition)
        reconstruction = decoded.negative_log_likelihood(batch.data, batch.hits)
        expected = float((reconstruction + exact).mean()) / qvae.config.voxels
        assert float(qvae.negative_bound(batch, qvae.prior)) == pytest.approx(expected, rel=1e-5)
