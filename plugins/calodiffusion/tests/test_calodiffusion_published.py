"""The published diffusion: its encoding, its loss, and the Gaussian of an exact network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from calozoo_calodiffusion.config import PUBLISHED, PublishedConfig, published
from calozoo_calodiffusion.published import PublishedDiffusion, decode, encode, energy_condition

MEAN, SPREAD = 0.5, 0.6


def small(name: str, **changes: object) -> PublishedConfig:
    """Published configuration with a network of few channels."""
    config = published(name)
    unet = config.unet.model_copy(update={"widths": (4, 4, 8), "groups": 2, "embedding": 8})
    return config.model_copy(update={"unet": unet, **changes})


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_encoding_is_the_same_there_and_back(name: str) -> None:
    config = published(name).encoding
    energy = torch.tensor([config.lowest_gev, 50.0, config.highest_gev], dtype=torch.float64)
    voxels = energy[:, None] * torch.tensor([0, 1e-5, 0.01, 0.9], dtype=torch.float64)
    values = encode(voxels, energy, config)
    assert values.isfinite().all()
    torch.testing.assert_close(decode(values, energy, config), voxels, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(
        energy_condition(energy, config)[[0, 2], 0], torch.tensor([0, 1], dtype=torch.float64)
    )


@pytest.mark.parametrize(
    ("name", "loss"),
    [("calochallenge1-photon", "noise"), ("calochallenge2", "noise"), ("calochallenge2", "hybrid")],
)
def test_it_learns_and_draws_showers_of_the_shape_of_its_voxels(name: str, loss: str) -> None:
    torch.manual_seed(3)
    config = small(name, steps=4, loss=loss)
    network = PublishedDiffusion(config, torch.Generator().manual_seed(1))
    shape = (2, 368) if network.mapping else (2, *network.config.unet.grid)
    data, noise = torch.randn(2, *shape)
    condition = torch.rand(2, 1)
    loss = network.loss(data, condition, noise, torch.tensor([0, 2]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())
    drawn = network.sample(condition, np.random.default_rng(2))
    assert drawn.shape == shape
    assert drawn.isfinite().all()


class Exact(PublishedDiffusion):
    """Diffusion whose network knows that the data are N(0.5, 0.6)."""

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        t = time.view(-1, 1, 1, 1)
        signal = (1 - t**2).sqrt()
        noise = t * (x - signal * MEAN) / ((signal * SPREAD) ** 2 + t**2)
        if self.config.loss == "noise":
            return noise
        return t * (signal * (SPREAD**2 - 1) * x + MEAN) / ((signal * SPREAD) ** 2 + t**2)


@pytest.mark.parametrize(("loss", "skip"), [("noise", 2), ("hybrid", 0)])
def test_the_exact_network_draws_the_gaussian_and_has_the_least_loss(loss: str, skip: int) -> None:
    """Both losses, of the noise and of the data, agree on what is exact."""
    network = Exact(small("calochallenge2", loss=loss, skip=skip))
    condition = torch.zeros(2, 1)
    drawn = network.sample(condition, np.random.default_rng(3))
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(drawn.std()) == pytest.approx(SPREAD, rel=0.03)

    data, noise = torch.randn(2, *drawn.shape, generator=torch.Generator().manual_seed(4))
    data, step = MEAN + SPREAD * data, torch.tensor([60, 200])
    least = float(network.loss(data, condition, noise, step))
    exact = network.forward
    for shift in (-0.2, 0.2):
        network.forward = lambda x, t, c, by=shift: exact(x, t, c) + by  # type: ignore[method-assign,misc,assignment]
        assert float(network.loss(data, condition, noise, step)) > least + 0.02
