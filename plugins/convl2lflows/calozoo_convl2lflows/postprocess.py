"""The last steps: layers scaled to their energy, and the spectrum of deposits put right."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["calibrated", "fitted_spectrum", "renormalised"]


def renormalised(energy: Tensor, wanted: Tensor, threshold: float) -> Tensor:
    """Layers that add up to a given energy, none of their voxels below the threshold.

    The brightest voxels are kept, as many of them as stay above the threshold when one factor makes
    them add up to the energy of their layer.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        energy: Voxels of each layer, in MeV, shape (n, height, width).
        wanted: Energy of each layer, in MeV, shape (n,).
        threshold: In MeV.

    Example:
        >>> layer = torch.tensor([[[1.0, 0.5], [0.01, 0.0]]])
        >>> renormalised(layer, torch.tensor([3.0]), 0.1).tolist()
        [[[2.0, 1.0], [0.0, 0.0]]]
    """
    flat = energy.flatten(1).double()
    ordered, order = flat.sort(dim=1, descending=True)
    kept = ordered.cumsum(dim=1)
    scaled = ordered * wanted[:, None].double() / kept.clamp(min=1e-30)
    stays = (scaled >= threshold) & (ordered > 0)
    number = (stays * torch.arange(1, flat.shape[1] + 1)).amax(dim=1)
    # Where nothing can stay, the brightest takes it all.
    number = torch.where((number == 0) & (wanted > 0), 1, number)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(flat.shape[1]).expand_as(order).contiguous()
    )
    total = kept.gather(1, (number[:, None] - 1).clamp(min=0))
    factor = wanted[:, None].double() / total.clamp(min=1e-30)
    result = torch.where(rank < number[:, None], flat * factor, 0.0)
    return result.view_as(energy).to(energy.dtype)


def calibrated(
    energy: NDArray[np.float32], spectrum: tuple[tuple[float, float], ...]
) -> NDArray[np.float32]:
    """Deposits whose spectrum has been put right, in MeV.

    Between the nodes the curve is straight in the logarithms, below and above them the factor of
    the last node goes on. The published spline through the same nodes is smooth instead.
    """
    if not spectrum:
        return energy
    nodes = np.log(np.array(spectrum))
    logs = np.log(energy)
    change = np.interp(logs, nodes[:, 0], nodes[:, 1] - nodes[:, 0])
    corrected: NDArray[np.float32] = (energy * np.exp(change)).astype(np.float32)
    return corrected


def fitted_spectrum(
    generated: NDArray[np.floating], reference: NDArray[np.floating], nodes: int = 128
) -> tuple[tuple[float, float], ...]:
    """Pairs of a generated deposit and the one of the reference at the same quantile.

    Arguments:
        generated: Deposits, in MeV.
        reference: Geant4's.
        nodes: How many pairs.
    """
    shares = (np.arange(nodes) + 0.5) / nodes
    pairs = np.column_stack([np.quantile(generated, shares), np.quantile(reference, shares)])
    rising = np.concatenate([[True], np.all(np.diff(pairs, axis=0) > 1e-9, axis=1)])
    return tuple((float(f"{a:.6g}"), float(f"{b:.6g}")) for a, b in pairs[rising])
