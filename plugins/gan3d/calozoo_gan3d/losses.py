"""Terms of the loss of 3DGAN, and the observables of images in them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

__all__ = [
    "axis_angles",
    "deposit_sum",
    "percentage_error",
    "real_loss",
    "ring_sums",
    "sorted_distance",
]

EMPTY = 1e-12
"""Smallest sum that is divided by."""


def real_loss(logit: Tensor, label: Tensor) -> Tensor:
    """Binary cross entropy of logits; the sigmoid is applied here only.

    Arguments:
        logit: Logits of being real, shape (n,).
        label: 1 for real, 0 for generated, shape (n,).

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(logit, label)
    return binary_cross_entropy_with_logits(logit, label)


def percentage_error(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute percentage error, in percent of the truth.

    Raises:
        ValueError: If the shapes differ; they would be broadcast to all pairs otherwise.

    Example:
        >>> percentage_error(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0]))
        tensor(75.)
    """
    _check_shapes(prediction, truth)
    return 100 * ((prediction - truth).abs() / truth.abs().clamp_min(EMPTY)).mean()


def sorted_distance(generated: Tensor, truth: Tensor) -> Tensor:
    """1-Wasserstein distance of two batches: mean absolute difference of the sorted columns.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(generated, truth)
    return (generated.sort(dim=0).values - truth.sort(dim=0).values).abs().mean()


def deposit_sum(image: Tensor) -> Tensor:
    """Sum of the deposits of each image, shape (n,)."""
    return image.flatten(1).sum(dim=1)


def axis_angles(image: Tensor, middles_mm: Tensor, depth_mm: Tensor) -> Tensor:
    """The two angles between the axis of each image and its depth, in radians, shape (n, 2).

    The axis is the straight line fitted to the barycentres of the layers, weighted with their
    energies; an image in one layer or none has its axis along the depth.

    Arguments:
        image: Deposits, shape (n, layers, rows along y', columns along x').
        middles_mm: Positions of rows and of columns, shape (cells,).
        depth_mm: Depths of the layers, shape (layers,).

    Returns:
        The angle towards x', and that towards y'.
    """
    weight = image.sum(dim=(2, 3))
    moments = torch.stack([image.sum(dim=2) @ middles_mm, image.sum(dim=3) @ middles_mm], dim=2)
    total = weight.sum(dim=1, keepdim=True).clamp_min(EMPTY)
    lever = depth_mm - (weight @ depth_mm)[:, None] / total
    inertia = (weight * lever.square()).sum(dim=1, keepdim=True)
    slope = (lever[:, :, None] * moments).sum(dim=1) / inertia.clamp_min(EMPTY)
    return torch.atan(slope)


def ring_sums(image: Tensor, rings: Tensor, group: int = 3) -> Tensor:
    """Sums of an image over rings around the axis and groups of layers, shape (n, features).

    Arguments:
        image: Shape (n, layers, cells, cells).
        rings: Index of the ring of each voxel of a layer, shape (cells * cells,).
        group: Number of layers in a group.
    """
    members = one_hot(rings).to(image.dtype)
    sums = image.flatten(2) @ members
    return torch.unflatten(sums, 1, (-1, group)).sum(dim=2).flatten(1)


def _check_shapes(one: Tensor, other: Tensor) -> None:
    if one.shape != other.shape:
        msg = f"a loss needs two equal shapes, not {tuple(one.shape)} and {tuple(other.shape)}"
        raise ValueError(msg)
