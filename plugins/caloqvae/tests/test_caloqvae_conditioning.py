"""Bits of a primary, ours and the published ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_caloqvae.conditioning import BITS, condition_bits, gray_bits
from calozoo_caloqvae.published import energy_bits
from calozoo_core.clumps.core_encoding import primary_condition
from calozoo_core.incident import Incident


def test_neighbours_differ_in_one_bit() -> None:
    bits = gray_bits(np.linspace(0, 1, 64, endpoint=False, dtype=np.float32), 6, 0.0, 1.0)
    assert len({tuple(row) for row in bits.tolist()}) == 64
    np.testing.assert_array_equal(np.abs(np.diff(bits, axis=0)).sum(axis=1), 1)


def test_what_lies_outside_has_the_last_code() -> None:
    inside, outside = (
        gray_bits(np.array(values, np.float32), 4, -1.0, 1.0) for values in ([-1, 1], [-9, 9])
    )
    np.testing.assert_array_equal(inside, outside)


def test_bits_are_repeated_and_tell_primaries_apart() -> None:
    energy = np.array([1, 32.8, 33, 127])
    condition = primary_condition(Incident(energy, (0, 0, 1)))
    bits = condition_bits(condition, 84)
    assert bits.shape == (4, 84)
    np.testing.assert_array_equal(bits[:, :BITS], bits[:, BITS : 2 * BITS])
    assert len({tuple(row) for row in bits.tolist()}) == 4
    padded = condition_bits(condition, 90)
    np.testing.assert_array_equal(padded[:, :84], bits)
    assert not padded[:, 84:].any()


def test_mirror_images_have_the_same_bits() -> None:
    directions = np.array([[0.3, 0.2, 0.9], [-0.3, 0.2, 0.9], [0.3, -0.2, 0.9]])
    bits = condition_bits(primary_condition(Incident(np.full(3, 20.0), directions)), 28)
    np.testing.assert_array_equal(bits[0], bits[1])
    assert (bits[0] != bits[2]).any()


@pytest.mark.parametrize("energy_gev", [1, 32.8, 127, 1000])
def test_the_published_bits_are_the_energy_its_root_and_its_logarithm(energy_gev: float) -> None:
    energy = torch.tensor([1000 * energy_gev])
    bits = energy_bits(energy, 130)[0]
    powers = 2.0 ** torch.arange(20)
    linear, root, logarithm = (float(part @ powers) for part in bits[:60].chunk(3))
    assert linear == int(1000 * energy_gev)
    assert root**2 / 10 == pytest.approx(1000 * energy_gev, rel=0.02)
    assert logarithm / np.exp(10) == pytest.approx(float(energy.log()), rel=1e-3)
    assert torch.equal(bits[60:120], bits[:60])
    assert not bits[120:].any()
