"""CaloINN in its published sizes."""

from __future__ import annotations

import pytest
import torch

from calozoo_caloinn.inn import Inn
from studies.caloinn.published_sizes import PUBLISHED, count_parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dataset-1-photons", 18_821_350),
        ("dataset-1-pions", 26_592_624),
        ("dataset-2", 270_999_370),
        ("dataset-1-photons-vae", 15_747_908),
    ],
)
def test_the_published_sizes_give_the_published_parameter_counts(name: str, expected: int) -> None:
    assert count_parameters(name) == expected


def test_what_generates_behind_the_autoencoder_has_the_published_size() -> None:
    assert count_parameters("dataset-1-photons-vae", to_generate=True) == 8_321_308


def test_a_permutation_costs_its_length_and_not_its_square() -> None:
    with torch.device("meta"):
        inn = Inn(PUBLISHED["dataset-2"][0])
    buffers = sum(buffer.numel() for buffer in inn.buffers())
    assert buffers < 40 * 6525
