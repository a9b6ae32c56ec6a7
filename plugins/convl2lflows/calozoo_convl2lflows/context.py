"""What the flows of a layer know of the whole shower: the primary and the layer energies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_convl2lflows.hurdle import log_deposit
from calozoo_convl2lflows.layer_energies import FLOOR_MEV, PRIMARY_FEATURES

__all__ = ["LayerContext"]

NEIGHBOURS = 3
"""Layers on either side whose energies are seen."""


class LayerContext(nn.Module):
    """One vector for one layer of one shower.

    Arguments:
        layers: Number of layers.
        width: Of the vector.
    """

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.layers = layers
        inputs = PRIMARY_FEATURES + layers + (2 * NEIGHBOURS + 1) + 4
        self.net = nn.Sequential(
            nn.Linear(inputs, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU()
        )

    def of_all(self, primary: Tensor, energies: Tensor) -> Tensor:
        """The vectors of all layers, shape (n, layers, width)."""
        n, layers = len(primary), self.layers
        which = torch.arange(layers, device=primary.device).repeat(n)
        every = (values.repeat_interleave(layers, dim=0) for values in (primary, energies))
        vectors: Tensor = self(*every, which)
        return vectors.view(n, layers, -1)

    def forward(self, primary: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        """The vectors, shape (n, width).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Which layer is meant, shape (n,).
        """
        layers = self.layers
        logs = log_deposit(energies, FLOOR_MEV) / 4
        padded = nn.functional.pad(logs, (NEIGHBOURS, NEIGHBOURS))
        window = layer[:, None] + torch.arange(2 * NEIGHBOURS + 1, device=layer.device)
        which = nn.functional.one_hot(layer, layers).to(logs.dtype)
        total = energies.sum(dim=1, keepdim=True)
        depth = torch.arange(layers, dtype=logs.dtype, device=logs.device)
        centre = (energies @ depth)[:, None] / total.clamp(min=1e-3)
        own = energies.gather(1, layer[:, None])
        summary = [
            log_deposit(total, FLOOR_MEV) / 4,
            centre / layers,
            (layer[:, None] - centre) / layers,
            own / total.clamp(min=1e-3) * 10,
        ]
        seen = torch.cat([primary, which, padded.gather(1, window), *summary], dim=1)
        out: Tensor = self.net(seen)
        return out
