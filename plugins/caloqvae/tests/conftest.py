"""Boltzmann machine that is small enough for all of its states to be counted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.numpy_rbm import NumpyRbm
from calozoo_core.typing import Float32Array, FloatArray

CONFIG = RbmConfig(graph="dense", size=3)


@dataclass(frozen=True, eq=False)
class Counted:
    """Machine of four partitions of three nodes, and all of its states.

    Arguments:
        rbm: The machine.
        bits: States of the first partition, shape (3,).
        states: All states of the other nodes, shape (512, 9).
        probabilities: Of these, shape (512,).
    """

    rbm: NumpyRbm
    bits: Float32Array
    states: Float32Array
    probabilities: FloatArray

    def given(self, n: int) -> Float32Array:
        """States of the first partition, n times."""
        return np.tile(self.bits, (n, 1))

    @property
    def marginals(self) -> FloatArray:
        """Probabilities of the nodes to be 1, shape (9,)."""
        return self.probabilities @ self.states


@pytest.fixture(scope="session")
def counted() -> Counted:
    """Machine whose couplings matter."""
    random = np.random.default_rng(1)
    arrays = {
        "bias": random.normal(0, 0.5, 12).astype(np.float32),
        "coupling": random.normal(0, 0.7, 54).astype(np.float32),
    }
    rbm, bits = NumpyRbm(CONFIG, arrays), np.array([1, 0, 1], np.float32)
    states = np.array(list(product((0, 1), repeat=9)), np.float32)
    energy = rbm.energy(np.tile(bits, (len(states), 1)), states).astype(np.float64)
    weights = np.exp(-energy)
    return Counted(rbm, bits, states, weights / weights.sum())
