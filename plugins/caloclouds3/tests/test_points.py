"""PointWiseNet: sizes, the published check values, and the one-step map generation uses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from calozoo_caloclouds3.config import preset
from calozoo_caloclouds3.distillation import run_teacher
from calozoo_caloclouds3.pointwise_net import (
    SIGMA_MAX,
    SIGMA_MIN,
    PointWiseNet,
    consistency,
    denoise,
    heun_step,
    karras_sigmas,
)
from calozoo_caloclouds3.published_weights import published_points
from calozoo_caloclouds3.torch_one_step_net import TorchOneStepNet

# Moments of 200,000 raw points of the published network, by energy in GeV and direction: mean and
# standard deviation of x, y, layer and log-energy, in the units of its own output.
PUBLISHED = [
    (10, (0, 0, 1), (0.000, 0.000, 0.052, -2.792), (0.369, 0.377, 0.518, 0.460)),
    (50, (0, 0, 1), (0.001, -0.002, 0.259, -2.754), (0.410, 0.416, 0.531, 0.495)),
    (100, (0, 0, 1), (-0.001, -0.002, 0.342, -2.733), (0.434, 0.440, 0.535, 0.524)),
    (50, (0.5, 0, 0.866), (0.037, 0.002, 0.118, -2.755), (0.464, 0.411, 0.507, 0.496)),
    (50, (0, 0.5, 0.866), (0.001, 0.021, 0.116, -2.757), (0.417, 0.478, 0.510, 0.498)),
]


def test_the_published_sizes_give_the_published_parameter_count() -> None:
    net = PointWiseNet(preset("published").points)
    assert sum(p.numel() for p in net.parameters()) == 69_608


@pytest.mark.parametrize(("energy", "direction", "mean", "std"), PUBLISHED)
def test_the_published_weights_give_their_check_values(
    published_weights: Path,
    random: torch.Generator,
    energy: float,
    direction: tuple[float, float, float],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    net = published_points(published_weights)
    condition = torch.tensor([[energy / 127, *direction]])
    noise = SIGMA_MAX * torch.randn(1, 200_000, 4, generator=random)
    with torch.inference_mode():
        points = consistency(net, noise, torch.tensor([SIGMA_MAX]), condition)[0]
    # A spread has tails: in samples of 200,000 that of the log-energy moves by up to 0.007.
    np.testing.assert_allclose(points.mean(0), mean, atol=0.006)
    np.testing.assert_allclose(points.std(0), std, atol=0.01)


@pytest.mark.parametrize("name", ["published", "ild-photon"])
def test_folding_the_conditions_into_the_weights_changes_nothing(
    name: str, random: torch.Generator
) -> None:
    net = PointWiseNet(preset(name).points, random)
    condition = torch.rand(3, 4, generator=random)
    noise = torch.randn(3, 50, 4, generator=random)
    with torch.inference_mode():
        whole = consistency(net, SIGMA_MAX * noise, torch.full((3,), SIGMA_MAX), condition)
    for step in (net.to_numpy(), TorchOneStepNet(net)):
        layers = step.fold(condition.numpy(), 50)
        for i in range(3):
            folded = step(layers, i, noise[i].T.contiguous().numpy())
            np.testing.assert_allclose(folded.T, whole[i], atol=2e-5)


def test_the_student_is_the_identity_at_the_smallest_noise_level(random: torch.Generator) -> None:
    net = PointWiseNet(preset("tiny").points, random)
    x = torch.randn(2, 5, 4, generator=random)
    same = consistency(net, x, torch.full((2,), SIGMA_MIN), torch.rand(2, 4, generator=random))
    torch.testing.assert_close(same, x)


def test_karras_levels_run_from_0_002_to_80_and_rise() -> None:
    levels = karras_sigmas(18)
    assert levels[0].item() == pytest.approx(0.002, rel=1e-4)
    assert levels[-1].item() == pytest.approx(80.0, rel=1e-4)
    assert (levels.diff() > 0).all()


class GaussianNet(PointWiseNet):
    """The exact denoiser of normally distributed points, in the place of a trained one."""

    SPREAD = 0.3

    def forward(self, x: torch.Tensor, log_sigma: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        s = log_sigma.exp().view(-1, 1, 1)
        scale = (s.square() + 0.25).sqrt()
        noisy = x * scale
        clean = noisy * self.SPREAD**2 / (self.SPREAD**2 + s.square())
        return (clean - 0.25 / (s.square() + 0.25) * noisy) * scale / (0.5 * s)


def test_the_teacher_s_path_ends_where_theory_says_for_a_gaussian(random: torch.Generator) -> None:
    """For normal data the path scales the noise by the data's spread, and by nothing else."""
    net = GaussianNet(preset("tiny").points, random)
    noise = torch.randn(2, 100, 4, generator=random)
    end = run_teacher(net, noise, torch.zeros(2, 4), levels=40)
    torch.testing.assert_close(end, GaussianNet.SPREAD * noise, rtol=0.02, atol=1e-3)


def test_a_heun_step_is_of_second_order(random: torch.Generator) -> None:
    net = GaussianNet(preset("tiny").points, random).double()
    x = torch.randn(1, 50, 4, generator=random, dtype=torch.double)
    condition = torch.zeros(1, 4, dtype=torch.double)
    exact = x * ((0.3**2 + 0.25) / (0.3**2 + 1.0)) ** 0.5
    errors = []
    for steps in (4, 8):
        y, sigmas = x, torch.linspace(1.0, 0.5, steps + 1, dtype=torch.double)
        for upper, lower in pairwise(sigmas):
            y = heun_step(net, y, upper[None], lower[None], condition)
        errors.append((y - exact).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)


def test_denoising_clean_points_leaves_them(random: torch.Generator) -> None:
    net = PointWiseNet(preset("tiny").points, random)
    x = torch.randn(1, 5, 4, generator=random)
    sigma = torch.tensor([1e-6])
    torch.testing.assert_close(denoise(net, x, sigma, torch.zeros(1, 4)), x, atol=1e-4, rtol=1e-4)
