"""The terms of the loss, and the mistakes that others made in them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calozoo_gan3d.adversarial_step import (
    axis_angles,
    deposit_sum,
    percentage_error,
    real_loss,
    ring_sums,
    sorted_distance,
)
from calozoo_gan3d.config import LossConfig
from calozoo_gan3d.layer_energies import energy_score


def test_weights_are_those_of_the_paper() -> None:
    weights = LossConfig()
    assert (weights.real, weights.energy, weights.angle, weights.deposit) == (3, 0.1, 25, 0.1)
    assert weights.power == 0.85


def test_a_logit_goes_through_one_sigmoid_only() -> None:
    """Through two, a sure and right answer would cost ln(1 + 1/e) = 0.31, and never less."""
    assert float(real_loss(torch.tensor([20.0]), torch.tensor([1.0]))) < 1e-6
    assert float(real_loss(torch.tensor([-20.0]), torch.tensor([0.0]))) < 1e-6
    assert float(real_loss(torch.tensor([0.0]), torch.tensor([1.0]))) == pytest.approx(math.log(2))


def test_a_percentage_is_one_of_the_truth_and_not_of_the_prediction() -> None:
    one, four = torch.tensor([1.0]), torch.tensor([4.0])
    assert float(percentage_error(one, four)) == pytest.approx(75)
    assert float(percentage_error(four, one)) == pytest.approx(300)


@pytest.mark.parametrize("term", [real_loss, percentage_error, sorted_distance])
def test_a_column_and_a_row_are_refused_and_not_made_a_square(term: object) -> None:
    assert callable(term)
    with pytest.raises(ValueError, match="two equal shapes"):
        term(torch.ones(4, 1), torch.ones(4))


def test_the_deposit_sum_is_the_sum_of_the_deposits() -> None:
    image = torch.zeros(2, 3, 2, 2)
    image[1, 0, 1, 1], image[1, 2, 0, 0] = 1.5, 2.0
    assert deposit_sum(image).tolist() == [0.0, 3.5]


def line(slope_x: float, slope_y: float) -> torch.Tensor:
    """Four layers at 0, 10, 20, 30 mm, each with all its energy in one of 81 x 81 cells of 1 mm."""
    image = torch.zeros(1, 4, 81, 81)
    for layer in range(4):
        depth = 10.0 * layer
        image[0, layer, round(40 + slope_y * depth), round(40 + slope_x * depth)] = layer + 1.0
    return image


MIDDLES, DEPTH = torch.arange(-40.0, 41.0), torch.arange(0.0, 40.0, 10.0)


@pytest.mark.parametrize(("slope_x", "slope_y"), [(0, 0), (1, 0), (0, -1), (0.5, 0.2)])
def test_the_axis_of_a_straight_line_is_the_line(slope_x: float, slope_y: float) -> None:
    angles = axis_angles(line(slope_x, slope_y), MIDDLES, DEPTH)
    expected = [[math.atan(slope_x), math.atan(slope_y)]]
    np.testing.assert_allclose(angles.numpy(), expected, atol=1e-6)


def test_an_image_without_depth_has_its_axis_along_the_depth() -> None:
    flat = torch.zeros(2, 4, 81, 81)
    flat[1, 2, 50, 60] = 1.0
    assert axis_angles(flat, MIDDLES, DEPTH).abs().max() == 0


def test_ring_sums_sum_rings_and_neighbouring_layers() -> None:
    image = torch.zeros(1, 6, 2, 2)
    image[0, 0, 0, 0], image[0, 2, 0, 1], image[0, 5, 1, 1] = 1.0, 2.0, 4.0
    rings = torch.tensor([0, 1, 1, 1])
    assert ring_sums(image, rings, 3).tolist() == [[1.0, 2.0, 0.0, 4.0]]


def test_the_sorted_distance_does_not_care_for_the_order() -> None:
    one = torch.tensor([[1.0], [2.0], [5.0]])
    assert float(sorted_distance(one, one.flip(0))) == 0
    assert float(sorted_distance(one + 3, one.flip(0))) == pytest.approx(3)


def test_the_energy_score_is_least_for_the_true_spread() -> None:
    random = np.random.default_rng(3)
    truth = torch.from_numpy(random.standard_normal((20_000, 1)))
    noise = torch.from_numpy(random.standard_normal((4, 20_000, 1)))
    scores = {spread: float(energy_score(noise * spread, truth)) for spread in (0.5, 1.0, 2.0)}
    assert min(scores, key=scores.__getitem__) == 1.0
