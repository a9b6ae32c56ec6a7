"""Generation of the cells of a layer by the trained flow: from noise to energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu_

from calozoo_convl2lflows.cells import (
    FLOOR_MEV,
    LARGEST,
    LEAST,
    ORDER,
    PHASES,
    SLOPE,
    CellFlow,
    CellFlows,
)
from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.hurdle import NumpyDensity, logistic, normal_quantile, sigmoid
from calozoo_core.nn.mlp import linear, silu
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["CellSampler"]


class CellSampler:
    """Generation of the cells of whole showers, layer after layer.

    Convolutions are computed by torch, deposits by numpy.

    Arguments:
        flows: Trained flows.
        grid: The grid.
    """

    def __init__(self, flows: CellFlows, grid: GridConfig) -> None:
        self.grid, self.flows = grid, flows
        self._samplers = [_LayerSampler(flow) for flow in flows.flows if isinstance(flow, CellFlow)]

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise of one shower."""
        half = self.grid.cells // 2
        return self.grid.layers, PHASES, half, half

    def __call__(
        self, streams: Sequence[np.random.Generator], primary: Tensor, energies: Tensor
    ) -> Float32Array:
        """Energies of the cells, in MeV, shape (n, layers, cells, cells).

        Arguments:
            streams: Random stream of each shower.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        shape = self.noise_shape
        logits = np.stack([logistic(random.random(shape)) for random in streams])
        return self.cells(logits, primary, energies)

    def cells(self, logits: Float32Array, primary: Tensor, energies: Tensor) -> Float32Array:
        """Energies of the cells from noise, in MeV, shape (n, layers, cells, cells).

        Arguments:
            logits: Logits of uniform noise, shape (n, layers, 4, half, half): the couplings of a
                layer in their order.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        n, layers, half = len(primary), self.grid.layers, self.grid.cells // 2
        previous = self.flows.of(0).config.previous
        maps = torch.zeros(n, (layers + previous) * PHASES, half, half)
        map_array = maps.numpy().reshape(n, layers + previous, PHASES, half, half)
        cells = np.zeros((n, layers, PHASES, half, half), np.float32)
        layer_energy = energies.cpu().numpy()
        conditions = [
            sampler.flow.context.all_layers(primary, energies) for sampler in self._samplers
        ]
        for layer in range(layers):
            rows = np.flatnonzero(layer_energy[:, layer] > 0)
            if len(rows) == 0:
                continue
            sampler = self._samplers[0 if self.flows.shared else layer]
            index = slice(None) if len(rows) == n else torch.from_numpy(rows)
            before = maps[index, layer * PHASES : (layer + previous) * PHASES]
            own = layer_energy[rows, layer]
            condition = conditions[0 if self.flows.shared else layer][rows, layer]
            filled, filled_maps = sampler(logits[rows, layer], before, condition, own)
            cells[rows, layer] = filled
            map_array[rows, layer + previous] = filled_maps
        blocks = np.empty((n, layers, half, 2, half, 2), np.float32)
        for phase, place in enumerate(ORDER):
            blocks[:, :, :, place // 2, :, place % 2] = cells[:, :, phase]
        return blocks.reshape(n, layers, 2 * half, 2 * half)


class _LayerSampler:
    """Generation of the cells of one layer, with the weights split into those of each coupling."""

    def __init__(self, flow: CellFlow) -> None:
        self.flow = flow
        hidden = flow.config.hidden
        assert flow.last.bias is not None
        assert flow.logit.bias is not None
        self.parts = [slice(k * hidden, (k + 1) * hidden) for k in range(PHASES)]
        self.near = [flow.near.weight[part, :k].contiguous() for k, part in enumerate(self.parts)]
        self.last = [
            (flow.last.weight[part].contiguous(), flow.last.bias[part].contiguous())
            for part in self.parts
        ]
        self.logit = [
            (flow.logit.weight[k : k + 1], flow.logit.bias[k : k + 1]) for k in range(PHASES)
        ]
        self.left = [linear(layer) for layer in flow.left]
        self.at_hit = linear(flow.at_hit[0])
        self.density = NumpyDensity(flow.density)
        # The nearest of the layers before is the last one in memory; the flow has it first.
        weight = torch.unflatten(flow.first.weight, 1, (-1, PHASES)).flip(1).flatten(1, 2)
        self.first = weight.contiguous()

    def __call__(
        self, logits: Float32Array, before: Tensor, condition: Tensor, layer_energy: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Energies of the cells of a layer, and their maps, shapes (n, 4, half, half).

        Arguments:
            logits: Logits of the noise, shape (n, 4, half, half).
            before: Maps of the layers before, shape (n, previous * 4, half, half).
            condition: Context vector, shape (n, condition).
            layer_energy: Energy of the layer, in MeV, shape (n,).
        """
        hidden = self.flow.previous_layers(before, condition, self.first)
        context = condition.numpy()
        n, half = len(logits), logits.shape[-1]
        energy = np.zeros((n, PHASES, half, half), np.float32)
        maps = torch.zeros(n, PHASES, half, half)
        map_array = maps.numpy()
        excesses = np.empty_like(energy)
        used = np.zeros(n, np.float32)
        for phase, part in enumerate(self.parts):
            remaining = np.maximum(layer_energy - used, 0)
            features = np.empty((n, context.shape[1] + 2), np.float32)
            features[:, :-2] = context
            features[:, -2] = np.log1p(remaining / np.float32(FLOOR_MEV)) / 4
            features[:, -1] = remaining / np.maximum(layer_energy, np.float32(1e-3))
            weight, bias = self.left[phase]
            x = hidden[:, part] + torch.from_numpy(features @ weight + bias)[..., None, None]
            if phase:
                x += conv2d(maps[:, :phase], self.near[phase], padding=1)
            x = leaky_relu_(conv2d(leaky_relu_(x, SLOPE), *self.last[phase]), SLOPE)
            logit = conv2d(x, *self.logit[phase])[:, 0].numpy()
            excess = np.add(logit, logits[:, phase], out=excesses[:, phase])
            image, row, column = np.nonzero(excess > 0)
            if len(image) == 0:
                continue
            at_hit = x.numpy()[image, :, row, column]
            value = self._values(at_hit, logit[image, row, column], excess[image, row, column])
            map_array[image, phase, row, column] = value / 2
            deposit = np.expm1(value) * np.float32(FLOOR_MEV)
            energy[image, phase, row, column] = deposit
            used += np.bincount(image, deposit, minlength=n).astype(np.float32)
        energy = _scaled(energy, excesses, layer_energy, used)
        return energy, np.log1p(energy / np.float32(FLOOR_MEV)) / 2

    def _values(
        self, features: Float32Array, logit: Float32Array, excess: Float32Array
    ) -> Float32Array:
        """Logarithmic deposits of cells that are hit, shape (n,).

        Arguments:
            features: Hidden features, shape (n, hidden).
            logit: Logits of a hit.
            excess: Sums of the logits and the logistic noise.
        """
        double: FloatArray = logit.astype(np.float64)
        # 1 - (1 - u) / p, where u is the noise and p the probability of a hit.
        probability = 1 - sigmoid(double - excess) / sigmoid(double)
        weight, bias = self.at_hit
        value = self.density(normal_quantile(probability), silu(features @ weight + bias))
        clipped: Float32Array = np.minimum(np.maximum(value, LEAST), LARGEST)
        return clipped


def _scaled(
    energy: Float32Array, excesses: Float32Array, layer_energy: Float32Array, total: Float32Array
) -> Float32Array:
    """Deposits scaled to the energy of their layer; if none is hit, one cell has all of it."""
    for image in np.flatnonzero(total <= 0):
        energy[image].flat[excesses[image].argmax()] = 1
        total[image] = 1
    energy *= (layer_energy / total)[:, None, None, None]
    return energy
