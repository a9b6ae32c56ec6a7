"""Configurations: the published sizes to the parameter, and what is refused."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from calozoo_caloscore.config import CaloScoreConfig, UnetConfig, preset, published
from calozoo_caloscore.residual_mlp import ResidualMlp
from calozoo_caloscore.unet import Unet


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "energies", "shape", "both"),
    [
        ("calochallenge1-photon", 199_813, 2_247_553, 2_447_366),
        ("calochallenge2", 10_680_749, 3_755_457, 14_436_206),
        ("calochallenge3", 10_680_749, 3_755_457, 14_436_206),
    ],
)
def test_the_published_networks_have_as_many_parameters_as_published(
    name: str, energies: int, shape: int, both: int
) -> None:
    config = published(name)
    assert config.steps == 512
    with torch.device("meta"):
        counts = count(ResidualMlp(config.energies)), count(Unet(config.shape))
    assert counts == (energies, shape)
    assert sum(counts) == both


@pytest.mark.parametrize(
    ("name", "padded"), [("calochallenge2", (48, 16, 12)), ("calochallenge3", (48, 52, 20))]
)
def test_the_published_grids_are_padded_as_published(
    name: str, padded: tuple[int, int, int]
) -> None:
    assert published(name).shape.padded == padded


@pytest.mark.parametrize("name", ["ild-photon", ""])
def test_a_name_that_does_not_exist_lists_those_that_do(name: str) -> None:
    with pytest.raises(ValueError, match="there are ild-photon-clumps, tiny"):
        preset(name)
    with pytest.raises(ValueError, match="there are calochallenge1-photon, calochallenge2"):
        published(name)


SIZES = {
    "grid": (6, 4, 2),
    "padding": ((1, 1), (0, 0), (0, 0)),
    "stem": 4,
    "widths": (4, 8),
    "attention": (False, True),
    "depth": 1,
    "embedding": {"conditions": (3,)},
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grid": (6, 4)}, "is not of 1 or 3 dimensions"),
        ({"padding": ((1, 1),)}, "is not of 1 or 3 dimensions"),
        ({"attention": (True,)}, "there are 2 levels, and attention for 1"),
        ({"grid": (5, 4, 2)}, "cannot be halved 1 times"),
        ({"embedding": {"conditions": (3,), "width": 7}}, "multiple of 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object], message: str) -> None:
    assert UnetConfig.model_validate(SIZES).padded == (8, 4, 2)
    with pytest.raises(ValidationError, match=message):
        UnetConfig.model_validate(SIZES | wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"core_edges_mm": (1.5, 3.0)}, "30 layers of 2 channels"),
        ({"distilled": (8, 3)}, "must be halves of each other"),
        (
            {"energies": preset("tiny").energies.model_dump() | {"grid": (20, 1, 1)}},
            "20 layers of 5",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CaloScoreConfig.model_validate(preset("tiny").model_dump() | wrong)


def test_the_trained_network_is_small() -> None:
    with torch.device("meta"):
        assert count(Unet(preset("ild-photon-clumps").shape)) < 500_000
