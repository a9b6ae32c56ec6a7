"""U-Net on a cylinder in numpy, which generates: the same function as `CylinderUnet`."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_calodiffusion.config import UnetConfig
from calozoo_core.nn.mlp import gelu, linear, silu
from calozoo_core.nn.numpy_cylinder import (
    NumpyCylinderConvolution,
    NumpyUpsampling,
    Size,
    kernel_of_upsampling,
    window,
)
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout

__all__ = ["NumpyUnet", "place_images", "unet_layout"]

NORM_EPSILON: Final = np.float32(1e-5)
"""Added to the variance by group normalisation."""


def place_images(config: UnetConfig) -> Float32Array:
    """Coordinates of each voxel, from 0 to 1 along their axis, shape (*grid, places).

    Arguments:
        config: Sizes.
    """
    axes = {"layer": 0, "sector": 1, "ring": 2}
    images = np.empty((*config.grid, len(config.places)), np.float32)
    for number, place in enumerate(config.places):
        axis = axes[place]
        along = np.linspace(0, 1, config.grid[axis], dtype=np.float32)
        shape = [1, 1, 1]
        shape[axis] = len(along)
        images[..., number] = along.reshape(shape)
    return images


def unet_layout(config: UnetConfig) -> Layout:
    """Layout of the tensors of a `CylinderUnet`.

    Arguments:
        config: Sizes.
    """
    half, width, deepest = config.embedding // 2, config.widths[0], config.widths[-1]
    layout: Layout = {}
    for name, inputs in (("time", 1), ("condition", config.conditions)):
        for layer, (a, b) in {
            0: (inputs, half // 2),
            2: (half // 2, half),
            4: (half, half),
        }.items():
            layout |= _affine(f"{name}.{layer}", (b, a))
    layout |= _affine("first", (width, config.channels, *config.window))
    for level, (inputs, outputs) in enumerate(config.levels):
        layout |= _level(f"down.{level}", config, inputs, outputs)
    for level in range(len(config.levels) - 1):
        channels = config.levels[level][1]
        size = window(config.grids[level], config.strides)
        layout |= _affine(f"downsampling.{level}", (channels, channels, *size))
    layout |= _block("middle_in", config, deepest, deepest)
    layout |= _attention("middle_attention", config, deepest)
    layout |= _block("middle_out", config, deepest, deepest)
    for level, (inputs, outputs) in enumerate(reversed(config.levels)):
        layout |= _level(f"up.{level}", config, 2 * outputs, inputs)
    for number, level in enumerate(range(len(config.levels) - 1, 0, -1)):
        channels = config.levels[level][0]
        size = kernel_of_upsampling(config.grids[level - 1], config.strides)
        layout |= _affine(f"upsampling.{number}.convolution", (channels, channels, *size))
    layout |= _block("last", config, width, width, conditioned=False)
    return layout | _affine("output", (1, width, 1, 1, 1))


def _affine(name: str, weight: tuple[int, ...]) -> Layout:
    """Layout of a linear layer or a convolution with bias, of outputs first."""
    return {f"{name}.weight": TensorLayout(weight), f"{name}.bias": TensorLayout((weight[0],))}


def _norm(name: str, channels: int) -> Layout:
    return dict.fromkeys((f"{name}.weight", f"{name}.bias"), TensorLayout((channels,)))


def _block(
    name: str, config: UnetConfig, inputs: int, outputs: int, *, conditioned: bool = True
) -> Layout:
    layout = _affine(f"{name}.given", (outputs, config.embedding)) if conditioned else {}
    layout |= _affine(f"{name}.first", (outputs, inputs, *config.window))
    layout |= _norm(f"{name}.first_norm", outputs)
    layout |= _affine(f"{name}.second", (outputs, outputs, *config.window))
    layout |= _norm(f"{name}.second_norm", outputs)
    if inputs != outputs:
        layout |= _affine(f"{name}.beside", (outputs, inputs, 1, 1, 1))
    return layout


def _attention(name: str, config: UnetConfig, channels: int) -> Layout:
    inner = config.attention
    return (
        _norm(f"{name}.norm", channels)
        | {f"{name}.qkv.weight": TensorLayout((3 * inner, channels, 1, 1, 1))}
        | _affine(f"{name}.project", (channels, inner, 1, 1, 1))
        | _norm(f"{name}.project_norm", channels)
    )


def _level(name: str, config: UnetConfig, inputs: int, outputs: int) -> Layout:
    return (
        _block(f"{name}.first", config, inputs, outputs)
        | _block(f"{name}.second", config, outputs, outputs)
        | _attention(f"{name}.attention", config, outputs)
    )


class NumpyUnet:
    """Output of a U-Net on a cylinder.

    What depends on the condition or on the place alone is computed once for all evaluations.

    Arguments:
        config: Sizes.
        arrays: Tensors of `unet_layout`, by name.
    """

    def __init__(self, config: UnetConfig, arrays: Arrays) -> None:
        self.config = config
        self._time, self._condition = (_perceptron(arrays, name) for name in ("time", "condition"))
        self._places = place_images(config)
        self._first = _convolution(arrays, "first")
        down, up = range(len(config.levels)), range(len(config.levels) - 1)
        strides = config.strides
        self._down = [_NumpyLevel(config, arrays, f"down.{level}") for level in down]
        self._up = [_NumpyLevel(config, arrays, f"up.{level}") for level in down]
        self._downsampling = [_convolution(arrays, f"downsampling.{n}", strides) for n in up]
        self._upsampling = [
            NumpyUpsampling(
                arrays[f"upsampling.{n}.convolution.weight"],
                arrays[f"upsampling.{n}.convolution.bias"],
                config.grids[len(up) - 1 - n],
                strides,
            )
            for n in up
        ]
        self._middle_in = _NumpyBlock(config, arrays, "middle_in")
        self._middle_attention = _NumpyAttention(arrays, "middle_attention")
        self._middle_out = _NumpyBlock(config, arrays, "middle_out")
        self._last = _NumpyBlock(config, arrays, "last")
        self._output = _convolution(arrays, "output")

    def given(self, condition: Float32Array) -> Float32Array:
        """Contribution of the condition at every noise level, shape (n, embedding / 2).

        Arguments:
            condition: Condition of each shower, shape (n, conditions).
        """
        return _forward(self._condition, condition)

    def __call__(
        self,
        x: Float32Array,
        time: float,
        given: Float32Array,
        images: Float32Array | None = None,
    ) -> Float32Array:
        """Output, shape (n, layers, sectors, rings).

        Arguments:
            x: Noisy values, shape (n, layers, sectors, rings).
            time: What says how noisy they are.
            given: What the condition contributes, of `given`.
            images: Further images, shape (n, layers, sectors, rings, images).
        """
        n = len(x)
        channels = np.empty((*x.shape, self.config.channels), np.float32)
        places = 1 + self._places.shape[-1]
        channels[..., 0], channels[..., 1:places] = x, self._places
        if images is not None:
            channels[..., places:] = images
        moment = _forward(self._time, np.full((1, 1), time, np.float32))
        joined = np.concatenate([np.repeat(moment, n, axis=0), given], axis=1)
        shift = silu(joined)
        hidden = self._first(channels)
        kept = []
        for level, block in enumerate(self._down):
            if level:
                hidden = self._downsampling[level - 1](hidden)
            hidden = block(hidden, shift)
            kept.append(hidden)
        hidden = self._middle_in(hidden, shift)
        hidden = self._middle_out(self._middle_attention(hidden), shift)
        for level, block in enumerate(self._up):
            if level:
                hidden = self._upsampling[level - 1](hidden)
            hidden = block(np.concatenate([hidden, kept.pop()], axis=4), shift)
        return self._output(self._last(hidden, None))[..., 0]


class _NumpyBlock:
    def __init__(self, config: UnetConfig, arrays: Arrays, name: str) -> None:
        self._groups = config.groups
        self._first, self._second = (
            _convolution(arrays, f"{name}.{n}") for n in ("first", "second")
        )
        self._first_norm, self._second_norm = (
            (arrays[f"{name}.{n}_norm.weight"], arrays[f"{name}.{n}_norm.bias"])
            for n in ("first", "second")
        )
        has_beside = f"{name}.beside.weight" in arrays
        self._beside = _convolution(arrays, f"{name}.beside") if has_beside else None
        is_given = f"{name}.given.weight" in arrays
        self._given = linear(arrays, f"{name}.given") if is_given else None

    def __call__(self, image: Float32Array, shift: Float32Array | None) -> Float32Array:
        hidden = silu(_normalised(self._first(image), self._groups, self._first_norm))
        if self._given is not None and shift is not None:
            weight, bias = self._given
            hidden += (shift @ weight + bias)[:, None, None, None]
        hidden = silu(_normalised(self._second(hidden), self._groups, self._second_norm))
        hidden += image if self._beside is None else self._beside(image)
        return hidden


class _NumpyAttention:
    def __init__(self, arrays: Arrays, name: str) -> None:
        self._norm = arrays[f"{name}.norm.weight"], arrays[f"{name}.norm.bias"]
        self._qkv = _convolution(arrays, f"{name}.qkv", bias=False)
        self._project = _convolution(arrays, f"{name}.project")
        self._project_norm = (
            arrays[f"{name}.project_norm.weight"],
            arrays[f"{name}.project_norm.bias"],
        )

    def __call__(self, image: Float32Array) -> Float32Array:
        n, places = len(image), int(np.prod(image.shape[1:4]))
        qkv = self._qkv(_normalised(image.copy(), 1, self._norm)).reshape(n, places, -1)
        query, key, value = np.split(qkv, 3, axis=2)
        query = _softmax(query, 2) * np.float32(query.shape[2] ** -0.5)
        context = _softmax(key, 1).transpose(0, 2, 1) @ value
        mixed = self._project((query @ context).reshape(*image.shape[:4], -1))
        result: Float32Array = _normalised(mixed, 1, self._project_norm)
        result += image
        return result


class _NumpyLevel:
    def __init__(self, config: UnetConfig, arrays: Arrays, name: str) -> None:
        self._first = _NumpyBlock(config, arrays, f"{name}.first")
        self._second = _NumpyBlock(config, arrays, f"{name}.second")
        self._attention = _NumpyAttention(arrays, f"{name}.attention")

    def __call__(self, image: Float32Array, shift: Float32Array) -> Float32Array:
        return self._attention(self._second(self._first(image, shift), shift))


def _convolution(
    arrays: Arrays, name: str, stride: Size = (1, 1, 1), *, bias: bool = True
) -> NumpyCylinderConvolution:
    own = arrays[f"{name}.bias"] if bias else None
    return NumpyCylinderConvolution(arrays[f"{name}.weight"], own, stride)


def _perceptron(arrays: Arrays, name: str) -> list[tuple[Float32Array, Float32Array]]:
    return [linear(arrays, f"{name}.{layer}") for layer in (0, 2, 4)]


def _forward(layers: list[tuple[Float32Array, Float32Array]], x: Float32Array) -> Float32Array:
    for number, (weight, bias) in enumerate(layers):
        x = (gelu(x) if number else x) @ weight + bias
    return x


def _normalised(
    image: Float32Array, groups: int, norm: tuple[Float32Array, Float32Array]
) -> Float32Array:
    """Image with groups of channels of mean 0 and spread 1, scaled and shifted, in place."""
    n, channels = len(image), image.shape[-1]
    flat = image.reshape(n, -1, channels)
    numbers = np.float32(flat.shape[1] * channels / groups)

    def of_groups(sums: Float32Array) -> Float32Array:
        """Means of the groups, for each channel, shape (n, channels)."""
        means = sums.reshape(n, groups, -1).sum(axis=2) / numbers
        return np.repeat(means, channels // groups, axis=1)

    mean = of_groups(flat.sum(axis=1))
    flat -= mean[:, None]
    spread = np.sqrt(of_groups(np.einsum("npc,npc->nc", flat, flat)) + NORM_EPSILON)
    weight, bias = norm
    flat *= (weight / spread)[:, None]
    flat += bias
    return image


def _softmax(x: Float32Array, axis: int) -> Float32Array:
    shifted: Float32Array = np.exp(x - x.max(axis=axis, keepdims=True))
    shifted /= shifted.sum(axis=axis, keepdims=True)
    return shifted
