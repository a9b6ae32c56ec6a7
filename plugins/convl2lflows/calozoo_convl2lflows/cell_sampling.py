"""The trained flows as generation uses them: from noise to energies, cells and sub-cells."""

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
    present,
)
from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.layer_energies import FLOOR_MEV as LAYER_FLOOR_MEV
from calozoo_convl2lflows.layer_energies import PRIMARY_FEATURES, LayerEnergies
from calozoo_convl2lflows.numpy_densities import (
    Array,
    Double,
    PlainDensity,
    linear,
    logistic,
    normal_quantile,
    sigmoid,
    silu,
)

__all__ = ["CellSampler", "EnergySampler"]


class EnergySampler:
    """What `LayerEnergies.sample` computes, on arrays.

    Arguments:
        flow: The trained flow; its weights are copied.
    """

    def __init__(self, flow: LayerEnergies) -> None:
        self.layers = flow.layers
        self._hidden = [linear(flow.net[i]) for i in (0, 2, 4)]
        self._logit = linear(flow.logit)
        self._density = PlainDensity(flow.density)

    def __call__(self, streams: Sequence[np.random.Generator], primary: Tensor) -> Tensor:
        """Energies of the layers, in MeV, shape (n, layers).

        Arguments:
            streams: The noise of each shower.
            primary: Features of the primaries, shape (n, 7).
        """
        noise = np.stack([random.random(self.layers) for random in streams])
        return torch.from_numpy(self.energies(noise, primary.cpu().numpy()))

    def energies(self, noise: Double, primary: Array) -> Array:
        """The same from given noise.

        Arguments:
            noise: Uniform in (0, 1), shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
        """
        n, layers = len(primary), self.layers
        weight, bias = self._hidden[0]
        of_primary, of_before, of_which, of_summary = np.split(
            weight, [PRIMARY_FEATURES, PRIMARY_FEATURES + layers, PRIMARY_FEATURES + 2 * layers]
        )
        start = primary @ of_primary + bias
        scale = np.exp(primary[:, 0] * np.float32(1.5) + np.float32(3.5)) * np.float32(24)
        energy, logs = np.zeros((2, n, layers), np.float32)
        total, moment = np.zeros((2, n), np.float32)
        summary = np.zeros((n, 3), np.float32)
        for layer in range(layers):
            x = start + of_which[layer]
            if layer:
                x += logs[:, layer - 1 :: -1] @ of_before[:layer]
                summary[:, 0] = np.log1p(total / np.float32(LAYER_FLOOR_MEV)) / 4
                summary[:, 1] = total / scale
                centre = moment / np.maximum(total, np.float32(1e-3))
                summary[:, 2] = (layer - centre) / layers * (total > 0)
                x += summary @ of_summary
            x = silu(x)
            for inner, inner_bias in self._hidden[1:]:
                x = x @ inner
                x += inner_bias
                x = silu(x)
            logit = (x @ self._logit[0] + self._logit[1])[:, 0].astype(np.float64)
            hit = noise[:, layer] > sigmoid(-logit)
            if not hit.any():
                continue
            share = 1 - (1 - noise[hit, layer]) / sigmoid(logit[hit])
            value = self._density(normal_quantile(share), x[hit])
            drawn = np.expm1(np.clip(value, 1e-3, 14.0)) * np.float32(LAYER_FLOOR_MEV)
            energy[hit, layer] = drawn
            logs[hit, layer] = np.log1p(drawn / np.float32(LAYER_FLOOR_MEV)) / 4
            total[hit] += drawn
            moment[hit] += drawn * layer
        return energy


class CellSampler:
    """Fills the cells of whole showers, layer after layer.

    The convolutions are torch's; what happens where there is energy is numpy's.

    Arguments:
        flows: The trained flows.
        grid: The grid.
    """

    def __init__(self, flows: CellFlows, grid: GridConfig) -> None:
        self.grid, self.flows = grid, flows
        self._parts = [_Folded(flow) for flow in flows.flows if isinstance(flow, CellFlow)]

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise of one shower."""
        half = self.grid.cells // 2
        return self.grid.layers, PHASES, half, half

    def __call__(
        self, streams: Sequence[np.random.Generator], primary: Tensor, energies: Tensor
    ) -> Array:
        """Energies of the cells, in MeV, shape (n, layers, cells, cells).

        Arguments:
            streams: The noise of each shower.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        shape = self.noise_shape
        logits = np.stack([logistic(random.random(shape)) for random in streams])
        return self.cells(logits, primary, energies)

    def cells(self, logits: Array, primary: Tensor, energies: Tensor) -> Array:
        """The same from given noise.

        Arguments:
            logits: Logits of uniform noise, shape (n, layers, 4, half, half): the couplings of a
                layer in their order.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        n, layers, half = len(primary), self.grid.layers, self.grid.cells // 2
        previous = self.flows.of(0).config.previous
        maps = torch.zeros(n, (layers + previous) * PHASES, half, half)
        view = maps.numpy().reshape(n, layers + previous, PHASES, half, half)
        cells = np.zeros((n, layers, PHASES, half, half), np.float32)
        wanted = energies.cpu().numpy()
        conditions = [part.flow.context.of_all(primary, energies) for part in self._parts]
        for layer in range(layers):
            rows = np.flatnonzero(wanted[:, layer] > 0)
            if len(rows) == 0:
                continue
            part = self._parts[0 if self.flows.shared else layer]
            every = len(rows) == n
            index = slice(None) if every else torch.from_numpy(rows)
            before = maps[index, layer * PHASES : (layer + previous) * PHASES]
            own = wanted[rows, layer]
            condition = conditions[0 if self.flows.shared else layer][rows, layer]
            filled, seen = part(logits[rows, layer], before, condition, own)
            cells[rows, layer] = filled
            view[rows, layer + previous] = seen
        blocks = np.empty((n, layers, half, 2, half, 2), np.float32)
        for phase, place in enumerate(ORDER):
            blocks[:, :, :, place // 2, :, place % 2] = cells[:, :, phase]
        return blocks.reshape(n, layers, 2 * half, 2 * half)


class _Folded:
    """One `CellFlow`, its weights cut into the parts of its couplings."""

    def __init__(self, flow: CellFlow) -> None:
        self.flow = flow
        hidden = flow.config.hidden
        self.parts = [slice(k * hidden, (k + 1) * hidden) for k in range(PHASES)]
        self.near = [flow.near.weight[part, :k].contiguous() for k, part in enumerate(self.parts)]
        self.last = [
            (flow.last.weight[p].contiguous(), present(flow.last.bias)[p].contiguous())
            for p in self.parts
        ]
        self.logit = [
            (flow.logit.weight[k : k + 1], present(flow.logit.bias)[k : k + 1])
            for k in range(PHASES)
        ]
        self.left = [linear(layer) for layer in flow.left]
        self.at_hit = linear(flow.at_hit[0])
        self.density = PlainDensity(flow.density)
        # The layers before lie in memory with the nearest last; the flow wants it first.
        weight = torch.unflatten(flow.first.weight, 1, (-1, PHASES)).flip(1).flatten(1, 2)
        self.first = weight.contiguous()

    def __call__(
        self, logits: Array, before: Tensor, condition: Tensor, own: Array
    ) -> tuple[Array, Array]:
        """Energies of the cells of a layer, and their maps, shapes (n, 4, half, half).

        Arguments:
            logits: Logits of the noise, shape (n, 4, half, half).
            before: Maps of the layers before, shape (n, previous * 4, half, half).
            condition: From the context network, shape (n, condition).
            own: Energy of the layer, in MeV, shape (n,).
        """
        flow = self.flow
        known = flow.known(before, condition, self.first)
        seen = condition.numpy()
        n, half = len(logits), logits.shape[-1]
        energy = np.zeros((n, PHASES, half, half), np.float32)
        maps = torch.zeros(n, PHASES, half, half)
        view = maps.numpy()
        margin = np.empty_like(energy)
        used = np.zeros(n, np.float32)
        for phase, part in enumerate(self.parts):
            left = np.maximum(own - used, 0)
            features = np.empty((n, seen.shape[1] + 2), np.float32)
            features[:, :-2] = seen
            features[:, -2] = np.log1p(left / np.float32(FLOOR_MEV)) / 4
            features[:, -1] = left / np.maximum(own, np.float32(1e-3))
            weight, bias = self.left[phase]
            added = torch.from_numpy(features @ weight + bias)[..., None, None]
            x = known[:, part] + added
            if phase:
                x += conv2d(maps[:, :phase], self.near[phase], padding=1)
            x = leaky_relu_(conv2d(leaky_relu_(x, SLOPE), *self.last[phase]), SLOPE)
            logit = conv2d(x, *self.logit[phase])[:, 0].numpy()
            above = np.add(logit, logits[:, phase], out=margin[:, phase])
            image, row, column = np.nonzero(above > 0)
            if len(image) == 0:
                continue
            at = x.numpy()[image, :, row, column]
            value = self._values(at, logit[image, row, column], above[image, row, column])
            view[image, phase, row, column] = value / 2
            drawn = np.expm1(value) * np.float32(FLOOR_MEV)
            energy[image, phase, row, column] = drawn
            used += np.bincount(image, drawn, minlength=n).astype(np.float32)
        energy = _scaled(energy, margin, own, used)
        return energy, np.log1p(energy / np.float32(FLOOR_MEV)) / 2

    def _values(self, features: Array, logit: Array, above: Array) -> Array:
        chance = logit.astype(np.float64)
        # 1 - (1 - u) / p, where u is the noise and p the probability of a hit.
        share = 1 - sigmoid(chance - above) / sigmoid(chance)
        weight, bias = self.at_hit
        value = self.density(normal_quantile(share), silu(features @ weight + bias))
        clipped: Array = np.minimum(np.maximum(value, LEAST), LARGEST)
        return clipped


def _scaled(energy: Array, margin: Array, own: Array, total: Array) -> Array:
    """Deposits that add up to the energy of their layer; at least one in each."""
    for image in np.flatnonzero(total <= 0):
        energy[image].flat[margin[image].argmax()] = 1
        total[image] = 1
    energy *= (own / total)[:, None, None, None]
    return energy
