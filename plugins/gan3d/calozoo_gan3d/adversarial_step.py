"""Losses of generator and discriminator, and one step of their adversarial training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, relu

from calozoo_core.detector import load_detector
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.grid import edges, ring_index
from calozoo_gan3d.layer_energies import LayerEnergies
from calozoo_gan3d.networks import Discriminator, Generator, deposits
from calozoo_gan3d.numpy_networks import MIP_MEV

__all__ = [
    "AdversarialLoss",
    "AdversarialPair",
    "axis_angles",
    "deposit_sum",
    "percentage_error",
    "real_loss",
    "ring_sums",
    "sorted_distance",
]

#: Steps between two gradient penalties, which are expensive.
PENALTY_EVERY = 16
#: Number of layers whose sums are compared together.
GROUP = 3


class AdversarialPair(nn.Module):
    """Generator and discriminator as one module.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: Gan3dConfig) -> None:
        super().__init__()
        self.generator = Generator(config.grid, config.generator)
        power = config.loss.power
        self.discriminator = Discriminator(config.grid, config.discriminator, power)


class AdversarialLoss:
    """Sum of the losses of both networks, of which each gets the gradient of its own only.

    The loss of the discriminator is computed on detached images, and that of the generator with
    detached weights of the discriminator. So both are stepped at once.

    Arguments:
        config: Weights of the terms.
        energies: Network with mean and spread of the layer energies.
        detector: Name of the detector, whose layer depths the angles need.
    """

    def __init__(self, config: Gan3dConfig, energies: LayerEnergies, detector: str) -> None:
        self.weights, self.energies = config.loss, energies
        bounds = edges(config.grid)
        self._middles = torch.from_numpy((bounds[1:] + bounds[:-1]) / 2).float()
        self._depth = torch.tensor(load_detector(detector).layer_depth_mm, dtype=torch.float32)
        self._rings = torch.from_numpy(ring_index(config.grid))
        self._n_rings = config.grid.cells // 2

    def __call__(self, pair: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Loss of a batch of `training_data.image_batch`."""
        assert isinstance(pair, AdversarialPair)
        truth, condition, incident, energy, latent, noise, labels, directions, step = batch
        roots = self.energies.standardised(energy, incident)
        with self._autocast():
            t = pair.generator(condition, roots, latent, noise)
        generated, before = deposits(t.float(), energy)
        inputs = condition, roots, incident
        penalised = int(step) % PENALTY_EVERY == 0
        discriminator = self._discriminator_loss(
            pair.discriminator, truth, generated.detach(), inputs, labels, penalised=penalised
        )
        generator = self._generator_loss(pair.discriminator, truth, generated, inputs)
        weights = self.weights
        raw = weights.deposit * percentage_error(before.sum(dim=1), deposit_sum(truth))
        sums = weights.sums * self._sum_distance(generated, truth, incident, condition @ directions)
        return discriminator + generator + raw + sums

    def _discriminator_loss(
        self,
        net: Discriminator,
        truth: Tensor,
        generated: Tensor,
        inputs: tuple[Tensor, Tensor, Tensor],
        labels: Tensor,
        *,
        penalised: bool,
    ) -> Tensor:
        condition, roots, incident = inputs
        view = torch.cat(net.views(truth, incident), dim=1).requires_grad_(penalised)
        with self._autocast():
            real, energy = net.judge(view, condition, roots)
            fake, fake_energy = net(generated, condition, roots, incident)
        weights = self.weights
        loss = weights.real * (real_loss(real, labels[0]) + real_loss(fake, labels[1]))
        loss = loss + weights.energy * (
            percentage_error(energy, incident) + percentage_error(fake_energy, incident)
        )
        if not penalised:
            return loss
        (slope,) = torch.autograd.grad(real.sum(), view, create_graph=True)
        steepness = slope.flatten(1).square().sum(dim=1).mean()
        return loss + weights.penalty * PENALTY_EVERY * steepness / 2

    def _generator_loss(
        self,
        net: Discriminator,
        truth: Tensor,
        generated: Tensor,
        inputs: tuple[Tensor, Tensor, Tensor],
    ) -> Tensor:
        frozen = {name: p.detach() for name, p in net.named_parameters()}
        with self._autocast():
            logit, energy = functional_call(net, frozen, (generated, *inputs))
        weights = self.weights
        angles = [axis_angles(image, self._middles, self._depth) for image in (generated, truth)]
        return (
            weights.real * real_loss(logit, torch.ones_like(logit))
            + weights.energy * percentage_error(energy, inputs[2])
            + weights.angle * sorted_distance(angles[0], angles[1])
        )

    def _autocast(self) -> torch.autocast:
        """Context in which networks, but no sums, are computed in bfloat16."""
        return torch.autocast(self._middles.device.type, torch.bfloat16)

    def _sum_distance(
        self, generated: Tensor, truth: Tensor, incident: Tensor, mixtures: Tensor
    ) -> Tensor:
        """Distance of sums over parts of the images from the simulated ones.

        A random mixture of the conditions is added to each sum, so that not only its distribution
        counts, but also its correlation with the conditions.
        """
        distances = []
        for sums, reference in zip(
            self._features(generated, incident), self._features(truth, incident), strict=True
        ):
            spread = reference.std(dim=0) + 1e-3
            shift = mixtures[:, : sums.shape[1]]
            distances.append(sorted_distance(sums / spread + shift, reference / spread + shift))
        return torch.stack(distances).mean()

    def _features(self, image: Tensor, incident: Tensor) -> list[Tensor]:
        """Energies and hits of rings, of whole layers and of whole images, and barycentres."""
        few, many = (1 - torch.exp(-image / (MIP_MEV * s)) for s in (0.1, 1.0))
        scale = incident[:, None]
        energy = ring_sums(image, self._rings) / scale
        counts = [ring_sums(view, self._rings) / scale**0.7 for view in (few, many)]
        views = [energy, *counts, ring_sums(image.square(), self._rings) / scale**2]
        rings = [torch.unflatten(view, 1, (-1, self._n_rings)) for view in views]
        weight = torch.unflatten(image, 1, (-1, GROUP)).sum(dim=2)
        total = weight.sum(dim=(2, 3)) + 1e-3 * incident[:, None]
        centre = [weight.sum(dim=d) @ self._middles for d in (2, 3)]
        whole = image.sum(dim=(1, 2, 3))[:, None]
        return [
            torch.cat([_root(view.flatten(1)) for view in rings], dim=1),
            torch.cat([_root(view.sum(dim=2)) for view in rings[1:]], dim=1),
            torch.cat([_root(view.sum(dim=1)) for view in rings], dim=1),
            torch.cat([_root(view.sum(dim=(1, 2))[:, None]) for view in rings[1:]], dim=1),
            torch.cat([c / total for c in centre], dim=1),
            torch.cat([c.sum(dim=1, keepdim=True) / whole for c in centre], dim=1),
        ]


def _root(values: Tensor) -> Tensor:
    return (relu(values) + 1e-6).sqrt()


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
