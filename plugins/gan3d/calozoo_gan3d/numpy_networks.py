"""Networks of layer energies and images in numpy, as generation uses them."""

from __future__ import annotations

import numpy as np

from calozoo_core.nn.mlp import linear, linear_layout, silu
from calozoo_core.nn.numpy_convolution import Convolution3x3, convolution_layout
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout
from calozoo_gan3d.config import EnergyConfig, Gan3dConfig
from calozoo_gan3d.primaries import CONDITIONS

__all__ = [
    "MIP_MEV",
    "THRESHOLD_MEV",
    "NumpyGenerator",
    "NumpyImages",
    "NumpyLayerEnergies",
    "energies_layout",
    "generator_layout",
    "numpy_deposits",
]

MIP_MEV = 0.2

THRESHOLD_MEV = 1e-3
"""Least energy of a voxel in MeV; those with less are empty."""


def energies_layout(layers: int, config: EnergyConfig) -> Layout:
    """Layout of the network of the layer energies."""
    inputs = CONDITIONS + config.latent
    return {
        **linear_layout("first", inputs, config.hidden),
        **linear_layout("second", config.hidden, config.hidden),
        **linear_layout("last", config.hidden, layers),
        **linear_layout("plain", inputs, layers),
        "shift": TensorLayout.table(layers),
        "scale": TensorLayout.table(layers),
    }


class NumpyLayerEnergies:
    """Network of the energies of all layers of a shower, on arrays.

    Arguments:
        arrays: Tensors of `energies_layout`.
    """

    def __init__(self, arrays: Arrays) -> None:
        names = ("first", "second", "last", "plain")
        self._first, self._second, self._last, self._plain = (linear(arrays, n) for n in names)
        self._shift, self._scale = arrays["shift"], arrays["scale"]

    def __call__(
        self, condition: Float32Array, noise: Float32Array, energy_gev: Float32Array
    ) -> Float32Array:
        """Layer energies in MeV, shape (n, layers); negative roots are empty layers.

        Arguments:
            condition: Condition of the primaries, shape (n, 8).
            noise: Standard normal numbers, shape (n, latent).
            energy_gev: Incident energies, shape (n,).
        """
        inputs = np.concatenate([condition, noise], axis=1)
        x = inputs
        for weight, bias in (self._first, self._second):
            x = silu(x @ weight + bias)
        out = x @ self._last[0] + self._last[1] + inputs @ self._plain[0] + self._plain[1]
        roots = np.maximum(out * self._scale + self._shift, 0)
        energies: Float32Array = roots * roots * energy_gev[:, None]
        return energies

    def standardised(self, energies: Float32Array, energy_gev: Float32Array) -> Float32Array:
        """Standardised roots of layer energies in MeV, shape (n, layers)."""
        roots: Float32Array = np.sqrt(energies / energy_gev[:, None])
        return np.asarray((roots - self._shift) / self._scale, np.float32)


def generator_layout(config: Gan3dConfig) -> Layout:
    """Layout of the network of the images."""
    grid, sizes = config.grid, config.generator
    inputs, channels = CONDITIONS + grid.layers + sizes.latent, 2 * grid.layers
    size = channels * grid.cells**2
    return {
        **linear_layout("hidden", inputs, sizes.hidden),
        **linear_layout("small", sizes.hidden, sizes.width * (grid.cells // 4) ** 2),
        **convolution_layout("medium", sizes.width, sizes.width),
        **convolution_layout("large", sizes.width, 4 * sizes.fine),
        **convolution_layout("last", sizes.fine, channels),
        **linear_layout("mixed.0", inputs, sizes.hidden),
        **linear_layout("mixed.2", sizes.hidden, sizes.maps),
        "means": TensorLayout((sizes.knots, size)),
        "maps": TensorLayout((sizes.maps, size)),
        "share": TensorLayout((grid.layers, grid.layers)),
    }


class NumpyGenerator:
    """Network of the images on arrays; layers are the last axis inside it.

    Arguments:
        config: Sizes.
        arrays: Tensors of `generator_layout`.
    """

    def __init__(self, config: Gan3dConfig, arrays: Arrays) -> None:
        self._grid, sizes = config.grid, config.generator
        cells, channels = self._grid.cells, 2 * self._grid.layers
        quarter = cells // 4
        self._hidden = linear(arrays, "hidden")
        # The small image comes out with its channels last.
        weight, bias = linear(arrays, "small")
        order = np.arange(len(bias)).reshape(sizes.width, quarter**2).T.ravel()
        self._small = np.ascontiguousarray(weight[:, order]), bias[order]
        self._shape = quarter, sizes.width
        self._medium = Convolution3x3.of(arrays, "medium")
        # So do the four pixels that a pixel of the large image becomes.
        order = np.arange(4 * sizes.fine).reshape(sizes.fine, 4).T.ravel()
        self._large = Convolution3x3(arrays["large.weight"][order], arrays["large.bias"][order])
        self._last = Convolution3x3.of(arrays, "last")
        self._mixed = linear(arrays, "mixed.0"), linear(arrays, "mixed.2")
        images = np.concatenate([arrays["means"], arrays["maps"]])
        images = images.reshape(-1, channels, cells**2).transpose(0, 2, 1)
        self._images = np.ascontiguousarray(images).reshape(len(images), -1)
        self._share = np.ascontiguousarray(arrays["share"].T)
        self._knots = np.linspace(-1, 1, sizes.knots, dtype=np.float32)

    def __call__(
        self,
        condition: Float32Array,
        roots: Float32Array,
        latent: Float32Array,
        noise: Float32Array,
    ) -> Float32Array:
        """Values t of the voxels, shape (n, layers, cells, cells).

        Arguments:
            condition: Condition of the primaries, shape (n, 8).
            roots: Standardised roots of the layer energies, shape (n, layers).
            latent: Standard normal numbers, shape (n, latent).
            noise: Standard normal numbers of the voxels, shape (n, layers, cells, cells).
        """
        n, layers = roots.shape
        inputs = np.concatenate([condition, roots, latent], axis=1)
        own = self._own(inputs)
        distance = np.clip(condition[:, :1], -1, 1) - self._knots
        near = np.maximum(1 - np.abs(distance * np.float32((len(self._knots) - 1) / 2)), 0)
        (weight, bias), (last, last_bias) = self._mixed
        mixed = silu(inputs @ weight + bias) @ last + last_bias
        own += (np.concatenate([near, mixed], axis=1) @ self._images).reshape(own.shape)
        spread = own[..., layers:]
        # Positive number r of r - 1/r.
        root = np.sqrt(spread * spread + np.float32(4))
        root += spread
        root *= np.float32(0.5)
        root *= (noise.reshape(n, layers, -1).transpose(0, 2, 1) @ self._share).reshape(root.shape)
        root += own[..., :layers]
        return np.ascontiguousarray(root.transpose(0, 3, 1, 2))

    def _own(self, inputs: Float32Array) -> Float32Array:
        """Output of the convolutions, shape (n, cells, cells, 2 layers)."""
        quarter, width = self._shape
        hidden = silu(inputs @ self._hidden[0] + self._hidden[1])
        small = np.maximum(hidden @ self._small[0] + self._small[1], 0)
        small = small.reshape(-1, quarter, 1, quarter, 1, width)
        image = np.broadcast_to(small, (len(small), quarter, 2, quarter, 2, width))
        image = self._medium(image.reshape(len(small), 2 * quarter, 2 * quarter, width), leak=0)
        image = self._large(image, leak=0)
        half = image.shape[1]
        image = image.reshape(len(image), half, half, 2, 2, -1)
        image = image.transpose(0, 1, 3, 2, 4, 5).reshape(len(image), 2 * half, 2 * half, -1)
        return self._last(image)


def numpy_deposits(t: Float32Array, layer_energy: Float32Array) -> Float32Array:
    """Deposits in MeV, as `networks.deposits` has them, scaled to the layer energies.

    A layer with energy and no positive t has all of it where t is largest.

    Arguments:
        t: Output of the generator, shape (n, layers, cells, cells).
        layer_energy: Layer energies in MeV, shape (n, layers).
    """
    positive = np.maximum(t, 0)
    raw = positive / (positive + np.float32(0.1))
    raw += positive * positive
    raw *= np.float32(MIP_MEV)
    flat = raw.reshape(*layer_energy.shape, -1)
    total = flat.sum(axis=2)
    for shower, layer in zip(*np.nonzero(total <= 0), strict=True):
        flat[shower, layer, t[shower, layer].argmax()] = MIP_MEV
        total[shower, layer] = MIP_MEV
    flat *= (layer_energy / total)[..., None]
    return np.asarray(raw, np.float32)


class NumpyImages:
    """Deposits of the generator network, as `torch_images.TorchImages` has them.

    Arguments:
        network: Trained network.
    """

    def __init__(self, network: NumpyGenerator) -> None:
        self.network = network

    def __call__(self, *inputs: Float32Array, energies: Float32Array) -> Float32Array:
        """Deposits in MeV, shape (n, layers, cells, cells).

        Arguments:
            inputs: Condition, roots, latent variables and noise of `NumpyGenerator`.
            energies: Layer energies in MeV, shape (n, layers).
        """
        return numpy_deposits(self.network(*inputs), energies)
