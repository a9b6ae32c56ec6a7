"""The configuration of the paper: sizes and shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from calozoo_gan3d.published import (
    LATENT,
    SHAPE,
    PublishedDiscriminator,
    PublishedGenerator,
)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [(PublishedGenerator, 1_364_983), (PublishedDiscriminator, 87_354)],
)
def test_it_has_as_many_parameters_as_published(network: type[nn.Module], parameters: int) -> None:
    assert sum(p.numel() for p in network().parameters()) == parameters


def test_images_have_the_published_shape_and_are_judged() -> None:
    random = torch.Generator().manual_seed(2)
    generator, discriminator = PublishedGenerator().eval(), PublishedDiscriminator().eval()
    with torch.inference_mode():
        image = generator(torch.randn(1, LATENT, generator=random))
        verdict = discriminator(image)
    assert image.shape == (1, 1, *SHAPE)
    assert image.min() >= 0
    assert [part.shape for part in verdict] == [(1,)] * 4
    power = image.double() ** (1 / 0.85)
    assert float(verdict.deposit) == pytest.approx(float(power.sum()), rel=1e-4)
