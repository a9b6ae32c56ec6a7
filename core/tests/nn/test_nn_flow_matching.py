"""The law of the flow: its path, and the loss of velocities that are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from calozoo_core.nn.flow_matching import flow_matching_loss, path, uniform_times


def test_the_path_leads_straight_from_noise_to_data() -> None:
    noise, data = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    begin, velocity = path(noise, data, torch.zeros(4))
    end, _ = path(noise, data, torch.ones(4))
    torch.testing.assert_close(begin, noise)
    torch.testing.assert_close(end, data)
    torch.testing.assert_close(begin + velocity, data)


def test_times_of_a_batch_are_spread_evenly() -> None:
    times = uniform_times(50, torch.Generator().manual_seed(2))
    assert sorted((times * 50).floor().tolist()) == list(range(50))


def test_the_exact_velocity_of_a_gaussian_has_the_least_loss() -> None:
    """Its loss is that of the law itself: the mean of 1 / (t^2 + (1 - t)^2), which is pi / 2."""
    generator = torch.Generator().manual_seed(3)
    n = 200_000
    noise, data = torch.randn(2, n, 1, generator=generator)
    time = uniform_times(n, generator)

    def exact(x: Tensor, t: Tensor) -> Tensor:
        t = t[:, None]
        return (2 * t - 1) / ((1 - t) ** 2 + t**2) * x

    least = float(flow_matching_loss(exact, noise, data, time))
    assert least == pytest.approx(math.pi / 2, rel=0.01)
    for factor in (0.8, 1.2):
        other = flow_matching_loss(lambda x, t, f=factor: f * exact(x, t), noise, data, time)  # type: ignore[misc]
        assert float(other) > least + 0.01
