"""Layer energies: a small network trained by the energy score, in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from calozoo_gan3d.config import EnergyConfig
from calozoo_gan3d.primaries import CONDITIONS

__all__ = [
    "LayerEnergies",
    "energy_loss",
    "energy_score",
]


class LayerEnergies(nn.Module):
    """Network of the energies of all layers of a shower.

    Its outputs are square roots of layer energies over the incident energy, whose spread hardly
    depends on either, standardised by mean and spread of the training sample.

    Arguments:
        layers: Number of layers.
        config: Sizes.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, layers: int, config: EnergyConfig) -> None:
        super().__init__()
        self.latent = config.latent
        self.first = nn.Linear(CONDITIONS + config.latent, config.hidden)
        self.second = nn.Linear(config.hidden, config.hidden)
        self.last = nn.Linear(config.hidden, layers)
        self.plain = nn.Linear(CONDITIONS + config.latent, layers)
        self.register_buffer("shift", torch.zeros(layers))
        self.register_buffer("scale", torch.ones(layers))

    def forward(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Standardised roots, shape (n, layers).

        Arguments:
            condition: Condition of the primaries, shape (n, 8).
            noise: Standard normal numbers, shape (n, latent).
        """
        inputs = torch.cat([condition, noise], dim=-1)
        out: Tensor = self.last(silu(self.second(silu(self.first(inputs))))) + self.plain(inputs)
        return out

    def standardised(self, energies: Tensor, incident_gev: Tensor) -> Tensor:
        """Standardised roots of layer energies in MeV, shape (n, layers)."""
        return ((energies / incident_gev[:, None]).sqrt() - self.shift) / self.scale

    def energies(self, standardised: Tensor, incident_gev: Tensor) -> Tensor:
        """Layer energies in MeV of standardised roots; negative roots are empty layers."""
        roots = (standardised * self.scale + self.shift).clamp_min(0)
        return roots.square() * incident_gev[:, None]


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    """Energy score of several samples for each true value, the mean over the batch.

    It is a proper score: no distribution has a lower expectation than that of the truth.

    References:
        | Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation,
        | section 4.2, https://doi.org/10.1198/016214506000001437

    Arguments:
        samples: At least two samples of each, shape (samples, n, features).
        truth: True values, shape (n, features).

    Example:
        >>> energy_score(torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[2.0]]))
        tensor(0.)
    """
    n = len(samples)
    near: Tensor = (samples - truth).norm(dim=-1).mean()
    pairs = [(samples[i] - samples[j]).norm(dim=-1).mean() for i in range(n) for j in range(i)]
    return near - torch.stack(pairs).mean() / 2


def energy_loss(network: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Energy scores of the layers together, of each alone, and of their sum and depth."""
    assert isinstance(network, LayerEnergies)
    energies, incident, condition, noise = batch
    truth = network.standardised(energies, incident)
    samples = network(condition.expand(len(noise), -1, -1), noise)
    single = energy_score(samples.unsqueeze(-1), truth.unsqueeze(-1))
    levels = torch.linspace(-1, 1, samples.shape[-1], device=samples.device)
    sums = [
        energy_score(_moment(network, samples, weight), _moment(network, truth, weight))
        for weight in (torch.ones_like(levels), levels)
    ]
    return energy_score(samples, truth) + 5 * single + torch.stack(sums).sum()


def _moment(network: LayerEnergies, standardised: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of the layer energies over the incident energy."""
    root = standardised * network.scale + network.shift
    moment: Tensor = (root.clamp_min(0).square() @ weight).unsqueeze(-1)
    return moment
