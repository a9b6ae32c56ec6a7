"""Networks of models on clumps: where generation calls them, and their operations.

One rule counts all of them: a product of matrices, a convolution or an attention of m rows, k inner
numbers and n columns is 2 m k n operations. Activations, normalisations, splines and random numbers
count nothing. What torch can compute is counted by torch, from shapes alone; the rest from the
shapes of its weights and the rows that they are applied to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from calozoo_caloclouds3.layer_flow import flow_layout
from calozoo_caloclouds3.one_step_net import points_layout
from calozoo_calodiffusion.unet import CylinderUnet
from calozoo_caloinn.numpy_inn import inn_layout
from calozoo_caloqvae.numpy_rbm import NumpyRbm
from calozoo_caloscore.unet import Unet
from calozoo_convl2lflows.cell_sampling import ORDER, cells_layout
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.contexts import context_layout
from calozoo_convl2lflows.energy_sampling import energies_layout
from calozoo_convl2lflows.subcell_sampling import subcells_layout
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.layout import Layout
from calozoo_gan3d.networks import Generator as ImageGenerator
from calozoo_gan3d.numpy_networks import energies_layout as gan3d_energies_layout
from calozoo_gan3d.primaries import CONDITIONS

__all__ = ["NETWORKS", "Call", "dense", "traced"]


class Call(NamedTuple):
    """Call that generation makes to evaluate a network.

    Arguments:
        network: Name of the network; several calls can belong to one.
        owner: Object that holds what is called.
        attribute: Name of it there.
        operations: Operations of a call, of its result and its arguments.
    """

    network: str
    owner: Any
    attribute: str
    operations: Callable[..., float]


def dense(layout: Layout, rows: Callable[[str], float] = lambda _: 1) -> float:
    """Operations of weights that are applied to rows of numbers.

    Arguments:
        layout: Layout of the tensors, of which trained ones of two and more dimensions count.
        rows: Number of rows that a weight of this name is applied to.

    Example:
        >>> from calozoo_core.nn.mlp import Mlp
        >>> dense(Mlp(4, (8,), 2).layout())
        96
    """
    weights = {
        name: tensor.shape
        for name, tensor in layout.items()
        if tensor.is_trained and len(tensor.shape) > 1
    }
    return sum(2 * prod(shape) * rows(name) for name, shape in weights.items())


def traced(network: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Operations of one evaluation of a network, as torch counts them without computing it.

    Arguments:
        network: The network; its weights are given up.
        shapes: Shapes of its inputs.
    """
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        network.eval().to("meta")(*inputs)
    return counter.get_total_flops()


def _each(operations: float) -> Callable[..., float]:
    """Operations of a call whose result has so many of them a row."""
    return lambda result, *_: len(result) * operations


def _caloclouds3(generator: Any) -> list[Call]:
    from calozoo_core.kernels import _compiled

    source = generator._source
    config, net = source.trained.config, source._net
    widths: tuple[int, ...] = net.widths

    def of_context(_: Any, condition: Any, *__: Any) -> float:
        """Gates and biases of showers, which are folded into the weights for their points."""
        layout = points_layout(config.points)
        return len(condition) * dense(
            layout, lambda name: name.startswith("mix") or "gate" in name or ".bias." in name
        )

    def points(_: None, offsets: Any, *__: Any) -> float:
        return 2.0 * int(offsets[-1]) * sum(a * b for a, b in pairwise(widths))

    return [
        Call("layers", source, "_flow", _each(dense(flow_layout(config.flow)))),
        Call("points", net, "fold", of_context),
        Call("points", _compiled, "sorted_points", points),
    ]


def _caloinn(generator: Any) -> list[Call]:
    flows, vectors = generator.trained.config.flows, generator._energies.vectors
    return [
        Call("layer energies", vectors, "_layers", _each(dense(inn_layout(flows.layers)))),
        Call("rings", vectors, "_inn", _each(dense(inn_layout(flows.inn)))),
    ]


def _gan3d(generator: Any) -> list[Call]:
    source = generator._source
    config = source.trained.config
    layers, cells = config.grid.layers, config.grid.cells
    shapes = [(1, width) for width in (CONDITIONS, layers, config.generator.latent)]
    images = traced(
        ImageGenerator(config.grid, config.generator), *shapes, (1, layers, cells, cells)
    )
    energies = dense(gan3d_energies_layout(layers, config.energies))
    return [
        Call("layer energies", source, "_energies", _each(energies)),
        Call("images", source._deposits, "network", _each(images)),
    ]


def _convl2lflows(generator: Any) -> list[Call]:
    from calozoo_core.kernels import _compiled

    pipeline = generator._source._pipeline
    config: ConvL2LConfig = pipeline.config
    grid = config.grid
    flow = {
        name.removeprefix("flows.0."): tensor
        for name, tensor in cells_layout(grid, config.cells).items()
    }

    def cells(filled: Any, _: Any, __: Any, energies: Any) -> float:
        """All cells of layers with energy, and densities of those that are hit."""
        layers, hit = int(np.count_nonzero(energies > 0)), int(np.count_nonzero(filled))
        places = layers * (grid.cells // 2) ** 2
        phases = len(ORDER)

        def rows(weight: str) -> float:
            if weight.startswith(("context", "mix", "gate", "left")):
                return layers
            if weight.startswith(("at_hit", "density")):
                return hit
            if weight == "maps":
                return layers * config.cells.width
            # A coupling sees the windows of those before it.
            return places * (phases - 1) / (2 * phases) if weight == "near.weight" else places

        return dense(flow, rows)

    subcells = subcells_layout(grid, config.subcells)
    of_context = context_layout(grid.layers, config.subcells.condition)

    def fractions(weight: str) -> int:
        """Times that a weight is applied for a cell; each fraction has the second layer again."""
        if "first" in weight or not weight.startswith(("rows", "columns")):
            return 0 if weight.startswith("context") else 1
        return (grid.split - 1) * (grid.split if weight.startswith("columns") else 1)

    def split(_: None, __: Any, ___: Any, counts: Any, *____: Any) -> float:
        return int(counts.sum()) * dense(subcells, fractions)

    return [
        Call(
            "layer energies",
            pipeline.energies,
            "energies",
            _each(grid.layers * dense(energies_layout(grid.layers, config.energies))),
        ),
        Call("cells", pipeline.cells, "cells", cells),
        Call(
            "sub-cells",
            pipeline.subcells,
            "_context",
            _each(grid.layers * dense(of_context)),
        ),
        Call("sub-cells", _compiled, "split_cells", split),
    ]


def _layer_energies(generator: Any) -> Call:
    """Flow of the layer energies that models of a shower's core share."""
    sampler = generator._core._energies
    return Call("layer energies", sampler, "_network", _each(_transformer(sampler._network.config)))


def _transformer(config: Any) -> int:
    shapes = [(1, config.tokens, config.patch_size), (1,), (1, config.conditions)]
    if config.token_conditions:
        shapes.append((1, config.tokens, config.token_conditions))
    return traced(VisionTransformer(config), *shapes)


def _core(of_rings: Callable[[Any], int]) -> Callable[[Any], list[Call]]:
    def calls(generator: Any) -> list[Call]:
        sampler = generator._core._rings
        rings = _each(of_rings(sampler._network.config))
        return [_layer_energies(generator), Call("rings", sampler, "_network", rings)]

    return calls


def _caloscore_unet(config: Any) -> int:
    conditions = [(1, width) for width in config.embedding.conditions]
    images = (1, *config.grid, config.channels), (1, *config.grid, config.place_conditions)
    return traced(Unet(config), images[0], (1,), *conditions, images[1])


def _calodiffusion_unet(config: Any) -> int:
    grid = config.grid
    shapes = (1, *grid), (1,), (1, config.conditions), (1, config.images, *grid)
    return traced(CylinderUnet(config), *shapes)


def _caloqvae(generator: Any) -> list[Call]:
    sampler, config = generator._core._rings, generator.trained.config
    rbm: NumpyRbm = sampler._latents._rbm
    nodes: int = config.prior.nodes
    latents: int = config.prior.latents

    def sweeps(states: Any, _: Any, __: Any, thresholds: Any) -> float:
        return 2.0 * len(states) * latents * (nodes + int(thresholds.shape[1]) * latents)

    return [
        _layer_energies(generator),
        Call("Boltzmann machine", rbm, "gibbs", sweeps),
        Call("decoder", sampler, "_decode", _each(dense(config.decoder.layout()))),
    ]


NETWORKS: Final[Mapping[str, Callable[[Any], list[Call]]]] = {
    "caloinn": _caloinn,
    "caloclouds3": _caloclouds3,
    "3dgan": _gan3d,
    "convl2lflows": _convl2lflows,
    "calodream": _core(_transformer),
    "calodiffusion": _core(_calodiffusion_unet),
    "caloqvae": _caloqvae,
    "caloscore": _core(_caloscore_unet),
}
"""Calls of the networks of a loaded model on clumps, by its architecture."""
