"""The published energy network: one number after the other."""

from __future__ import annotations

import numpy as np
import torch

from calozoo_calodream.autoregressive import AutoregressiveFlow
from calozoo_calodream.config import AutoregressiveConfig

SMALL = AutoregressiveConfig(
    dim=3,
    conditions=2,
    width=8,
    heads=2,
    encoder_layers=1,
    decoder_layers=1,
    feed_forward=16,
    time_features=8,
    hidden=32,
    hidden_layers=1,
)


def network() -> AutoregressiveFlow:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        return AutoregressiveFlow(SMALL)


def test_a_number_depends_on_those_before_it_only() -> None:
    flow, condition = network().eval(), torch.ones(1, 2)
    earlier = torch.tensor([[0.3, -0.2]])
    changed = torch.tensor([[0.3, 5.0]])
    one, two = flow.context(earlier, condition), flow.context(changed, condition)
    torch.testing.assert_close(one[:, :2], two[:, :2])
    assert (one[:, 2] - two[:, 2]).abs().max() > 1e-3


def test_drawing_uses_the_context_that_training_does() -> None:
    """Drawn one by one, the context is that of all numbers at once."""
    flow, condition = network().eval(), torch.ones(2, 2)
    numbers = torch.randn(2, 2, generator=torch.Generator().manual_seed(7))
    whole = flow.context(numbers, condition)
    for known in range(3):
        part = flow.context(numbers[:, :known], condition)
        torch.testing.assert_close(part[:, -1], whole[:, known], atol=1e-5, rtol=1e-4)


def test_it_learns_a_chain_of_numbers() -> None:
    """Each number is the one before it plus a little noise: their correlation comes out."""
    flow = network()
    generator = torch.Generator().manual_seed(8)
    optimizer = torch.optim.Adam(flow.parameters(), lr=8e-3)
    condition = torch.ones(128, 2)
    for _ in range(100):
        steps = torch.randn(128, 3, generator=generator) * torch.tensor([1.0, 0.3, 0.3])
        data = steps.cumsum(dim=1)
        noise = torch.randn(128, 3, generator=generator)
        time = torch.rand(128 * 3, generator=generator)
        optimizer.zero_grad()
        flow.loss(data, condition, noise, time).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    noise_of_draws = np.random.default_rng(9).standard_normal((400, 3), np.float32)
    drawn = flow.eval().sample(noise_of_draws, torch.ones(400, 2), 8, "midpoint")
    assert drawn.shape == (400, 3)
    assert np.corrcoef(drawn.T)[0, 1] > 0.7
    assert 0.6 < drawn[:, 0].std() < 1.4
