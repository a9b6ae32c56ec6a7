"""Generation of layer energies by a compiled kernel, with the weights as it reads them.

What `energy_sampling` computes in numpy, to rounding.
"""

from __future__ import annotations

import numpy as np

from calozoo_convl2lflows.contexts import PRIMARY_FEATURES
from calozoo_core.nn.mlp import linear
from calozoo_core.nn.packing import filled, matrix, packed, width
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays

__all__ = ["CompiledLayerEnergies"]


class CompiledLayerEnergies:
    """Generation of layer energies.

    Arguments:
        layers: Number of layers.
        arrays: Tensors of the flow.
    """

    def __init__(self, layers: int, arrays: Arrays) -> None:
        self._layers = layers
        (first, bias), (second, second_bias), (third, third_bias) = (
            linear(arrays, f"net.{i}") for i in (0, 2, 4)
        )
        logit, logit_bias = linear(arrays, "logit")
        head, head_bias = linear(arrays, "density.head")
        self._hidden, self._bins = width(len(bias)), (len(head_bias) - 1) // 3
        of_primary, of_before, of_which, of_summary = np.split(
            first, [PRIMARY_FEATURES, PRIMARY_FEATURES + layers, PRIMARY_FEATURES + 2 * layers]
        )
        self._of_primary, self._bias = filled(of_primary), filled(bias)
        self._weights = packed(
            [
                filled(of_which),
                matrix(np.concatenate([of_before, of_summary])),
                matrix(second, rows=self._hidden),
                filled(second_bias),
                matrix(third, rows=self._hidden),
                filled(third_bias),
                filled(logit.T),
                logit_bias,
                matrix(head, rows=self._hidden),
                filled(head_bias),
            ]
        )

    def __call__(
        self, noise: FloatArray, primary: Float32Array, scale: Float32Array, lanes: int
    ) -> Float32Array:
        """Energies of the layers from noise, in MeV, shape (n, layers).

        Arguments:
            noise: Uniform in [0, 1), shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
            scale: Energies that the showers leave, about, in MeV, shape (n,).
            lanes: Numbers in a vector of the kernel.
        """
        from calozoo_core.kernels import _compiled

        energy = np.empty((len(primary), self._layers), np.float32)
        _compiled.sample_layers(
            np.ascontiguousarray(noise),
            primary @ self._of_primary + self._bias,
            scale,
            self._weights,
            energy,
            self._layers,
            self._hidden,
            self._bins,
            lanes,
        )
        return energy
