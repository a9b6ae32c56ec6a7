"""The published 3DGAN: its sizes, shapes, angle and loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from calozoo_gan3d.config import LossConfig
from studies.gan3d.published_networks import (
    LATENT,
    SHAPE,
    DiscriminatorOutput,
    PublishedDiscriminator,
    PublishedGenerator,
    cell_angle,
    published_loss,
)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [(PublishedGenerator, 1_364_983), (PublishedDiscriminator, 87_354)],
)
def test_it_has_as_many_parameters_as_published(network: type[nn.Module], parameters: int) -> None:
    assert sum(p.numel() for p in network().parameters()) == parameters


def test_images_and_outputs_have_the_published_shapes() -> None:
    random = torch.Generator().manual_seed(2)
    generator, discriminator = PublishedGenerator().eval(), PublishedDiscriminator().eval()
    with torch.inference_mode():
        image = generator(torch.randn(1, LATENT, generator=random))
        output = discriminator(image)
    assert image.shape == (1, 1, *SHAPE)
    assert image.min() >= 0
    assert [part.shape for part in output] == [(1,)] * 4
    power = image.double() ** (1 / 0.85)
    assert float(output.deposit) == pytest.approx(float(power.sum()), rel=1e-4)


ONE = torch.ones(4)


def output_batch(real: float, energy: float, angle: float, deposit: float) -> DiscriminatorOutput:
    return DiscriminatorOutput(real * ONE, energy * ONE, angle * ONE, deposit * ONE)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (output_batch(0.0, 0.5, 1.0, 2.0), 3 * math.log(2)),
        (output_batch(100.0, 0.25, 1.0, 2.0), 0.1 * 50),
        (output_batch(100.0, 0.5, 1.2, 2.0), 25 * 0.2),
        (output_batch(100.0, 0.5, 1.0, 5.0), 0.1 * 150),
    ],
)
def test_each_term_counts_with_its_weight(wrong: DiscriminatorOutput, expected: float) -> None:
    loss = published_loss(wrong, output_batch(1.0, 0.5, 1.0, 2.0), LossConfig())
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["real", "energy", "angle", "deposit"])
def test_a_truth_of_another_shape_is_refused_in_every_term(name: str) -> None:
    truth = output_batch(1.0, 0.5, 1.0, 2.0)
    odd = truth._replace(**{name: torch.ones(4, 1, 1)})
    with pytest.raises(ValueError, match="two equal shapes"):
        published_loss(truth, odd, LossConfig())


def test_the_angle_of_the_paper_is_that_to_the_second_axis() -> None:
    straight, slanted = torch.zeros(1, 9, 9, 9), torch.zeros(1, 9, 9, 9)
    for z in range(9):
        straight[0, 4, 4, z] = slanted[0, 4, z, z] = 1.0
    # The middle layer is the barycentre itself and has no direction: it counts as straight.
    weight = torch.arange(9) + 0.5
    expected = math.pi / 2 - math.pi / 4 * float(1 - weight[4] / weight.sum())
    assert float(cell_angle(straight)[0]) == pytest.approx(math.pi / 2)
    assert float(cell_angle(slanted)[0]) == pytest.approx(expected, rel=1e-5)
    assert float(cell_angle(torch.zeros(1, 9, 9, 9))[0]) == 100
