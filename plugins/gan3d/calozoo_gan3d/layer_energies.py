"""How much energy each layer gets: a small network that is trained by a proper score."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from calozoo_gan3d.conditions import CONDITIONS
from calozoo_gan3d.config import EnergyConfig

__all__ = ["LayerEnergies", "energy_loss", "energy_score"]


class LayerEnergies(nn.Module):
    """Draws the energies of all layers of a shower.

    It works on square roots of energies over the square root of the primary's, whose spread hardly
    depends on either, and knows their mean and spread over the training sample.

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
            condition: What is known of the primaries, shape (n, 8).
            noise: Normal numbers, shape (n, latent).
        """
        known = torch.cat([condition, noise], dim=-1)
        out: Tensor = self.last(silu(self.second(silu(self.first(known))))) + self.plain(known)
        return out

    def standardised(self, energies: Tensor, incident_gev: Tensor) -> Tensor:
        """What the network should give for these energies, in MeV, shape (n, layers)."""
        return ((energies / incident_gev[:, None]).sqrt() - self.shift) / self.scale

    def energies(self, standardised: Tensor, incident_gev: Tensor) -> Tensor:
        """The other way round; what would be a negative root is an empty layer."""
        roots = (standardised * self.scale + self.shift).clamp_min(0)
        return roots.square() * incident_gev[:, None]


def energy_score(drawn: Tensor, truth: Tensor) -> Tensor:
    """The energy score of some draws for each truth, the mean over the batch.

    A proper score: no distribution has a lower expectation than the one that the truth comes from.

    References:
        | Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation,
        | section 4.2, https://doi.org/10.1198/016214506000001437

    Arguments:
        drawn: Shape (draws, n, features), two draws at least.
        truth: Shape (n, features).

    Example:
        >>> energy_score(torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[2.0]]))
        tensor(0.)
    """
    draws = len(drawn)
    near = (drawn - truth).norm(dim=-1).mean()
    pairs = [(drawn[i] - drawn[j]).norm(dim=-1).mean() for i in range(draws) for j in range(i)]
    return near - torch.stack(pairs).mean() / 2


def energy_loss(network: nn.Module, _: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Scores of the layers together, of each alone, and of their sum and depth."""
    assert isinstance(network, LayerEnergies)
    energies, incident, condition, noise = batch
    truth = network.standardised(energies, incident)
    drawn = network(condition.expand(len(noise), -1, -1), noise)
    single = energy_score(drawn.unsqueeze(-1), truth.unsqueeze(-1))
    levels = torch.linspace(-1, 1, drawn.shape[-1], device=drawn.device)
    sums = [
        energy_score(_moment(network, drawn, weight), _moment(network, truth, weight))
        for weight in (torch.ones_like(levels), levels)
    ]
    return energy_score(drawn, truth) + 5 * single + torch.stack(sums).sum()


def _moment(network: LayerEnergies, standardised: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of the layer energies over the primary's, in tenths of its usual size."""
    root = standardised * network.scale + network.shift
    return (root.clamp_min(0).square() @ weight).unsqueeze(-1)
