"""Generator and discriminator; layers are channels of two-dimensional convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, relu, silu

from calozoo_gan3d.conditions import CONDITIONS
from calozoo_gan3d.config import DiscriminatorConfig, GeneratorConfig, GridConfig

__all__ = ["MIP_MEV", "Discriminator", "Generator", "deposits", "image_of", "positive"]

MIP_MEV = 0.2
LEAK = 0.2


class Generator(nn.Module):
    r"""From noise, primary and layer energies to an image.

    For each voxel the network gives a mean and a spread; with a normal number of its own they make
    t, and `image_of` turns t into energy, nothing where t is negative. So that the picture need not
    be drawn from nothing, a mean image for some energies comes first, learned like all the rest.

    Arguments:
        grid: The voxels.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: GeneratorConfig) -> None:
        super().__init__()
        self.grid, self.config = grid, config
        quarter, channels = grid.cells // 4, 2 * grid.layers
        known = CONDITIONS + grid.layers
        self.hidden = nn.Linear(known + config.latent, config.hidden)
        self.small = nn.Linear(config.hidden, config.width * quarter**2)
        self.medium = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.large = nn.Conv2d(config.width, 4 * config.fine, 3, padding=1)
        self.last = nn.Conv2d(config.fine, channels, 3, padding=1)
        self.mixed = nn.Sequential(
            nn.Linear(known + config.latent, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.maps),
        )
        size = channels * grid.cells**2
        self.means = nn.Parameter(torch.zeros(config.knots, size))
        self.maps = nn.Parameter(torch.randn(config.maps, size) * 0.02)
        self.share = nn.Parameter(torch.eye(grid.layers))
        for layer in (self.last, self.mixed[-1]):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, condition: Tensor, roots: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        """The value t of each voxel, shape (n, layers, cells, cells).

        Arguments:
            condition: What is known of the primaries, shape (n, 8).
            roots: Standardised roots of the layer energies, shape (n, layers).
            latent: Normal numbers, shape (n, latent).
            noise: One for each voxel, shape (n, layers, cells, cells).
        """
        grid, config = self.grid, self.config
        known = torch.cat([condition, roots, latent], dim=1)
        quarter = grid.cells // 4
        image = self.small(silu(self.hidden(known))).unflatten(1, (config.width, quarter, quarter))
        image = relu(image.repeat_interleave(2, 2).repeat_interleave(2, 3))
        image = relu(self.medium(image))
        image = relu(pixel_shuffle(self.large(image), 2))
        own = self.last(image)
        base = self.hats(condition) @ self.means + self.mixed(known) @ self.maps
        mean, spread = (own + base.view(own.shape)).chunk(2, dim=1)
        mixed = (self.share @ noise.flatten(2)).view(noise.shape)
        return mean + positive(spread) * mixed

    def hats(self, condition: Tensor) -> Tensor:
        """How near the primary's energy is to each knot; knots are spread over -1 to 1."""
        knots = torch.linspace(-1, 1, self.config.knots, device=condition.device)
        distance = (condition[:, :1].clamp(-1, 1) - knots) * ((self.config.knots - 1) / 2)
        return relu(1 - distance.abs())


def positive(values: Tensor) -> Tensor:
    """A number above 0 for any: as softplus, in a tenth of its time; r comes from r - 1/r.

    Example:
        >>> positive(torch.tensor([2 - 1 / 2])).item()
        2.0
    """
    return (values + (values.square() + 4).sqrt()) / 2


def image_of(t: Tensor) -> Tensor:
    """Energy for t, in MeV: none below zero, a minimum-ionising particle's soon above, then t^2.

    Hits stay rare or frequent by the sign of t, their spectrum has a peak, and the spread of a
    large deposit is that of a square root.

    Example:
        >>> image_of(torch.tensor([-1.0, 0.0, 10.0])).tolist()
        [0.0, 0.0, 20.19801902770996]
    """
    positive = relu(t)
    return MIP_MEV * (positive / (positive + 0.1) + positive.square())


def deposits(t: Tensor, layer_energy: Tensor) -> tuple[Tensor, Tensor]:
    """Voxels whose layers have the energies they should have, and the energies they had before.

    A layer with energy and no positive t has it all where t is largest.

    Arguments:
        t: From the generator, shape (n, layers, cells, cells).
        layer_energy: In MeV, shape (n, layers).

    Returns:
        Deposits, in MeV, shaped as t, and layer sums before, shape (n, layers).
    """
    raw = image_of(t)
    if t.requires_grad:
        # What is empty gets a slope, or it would stay empty for ever.
        slope = MIP_MEV * torch.sigmoid(3 * t) * (t < 0)
        raw = raw + slope - slope.detach()
    total = raw.sum(dim=(2, 3))
    empty = total <= 0
    if bool(empty.any()):
        flat = t.detach()[empty].flatten(1)
        lone = torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), MIP_MEV)
        raw = raw.clone()
        raw[empty] = raw[empty] + lone.view(-1, *t.shape[2:])
        total = raw.sum(dim=(2, 3))
    return raw * (layer_energy / total)[:, :, None, None], total


class Discriminator(nn.Module):
    """Real or drawn, and of which energy, given an image and its primary.

    Arguments:
        grid: The voxels.
        config: Sizes.
        power: Images are deposits to this power.
    """

    def __init__(self, grid: GridConfig, config: DiscriminatorConfig, power: float) -> None:
        super().__init__()
        self.power = power
        first, second, third = config.widths
        half = grid.cells // 2
        self.first = nn.Conv2d(2 * grid.layers, first, 4, stride=2, padding=1)
        self.place = nn.Parameter(torch.zeros(first, half, half))
        self.second = nn.Conv2d(first, second, 4, stride=2, padding=1)
        self.third = nn.Conv2d(second, third, 4, stride=2, padding=1)
        self.hidden = nn.Linear(third * (grid.cells // 8) ** 2, config.hidden)
        self.known = nn.Sequential(
            nn.Linear(CONDITIONS + grid.layers, config.hidden),
            nn.LeakyReLU(LEAK),
            nn.Linear(config.hidden, config.hidden),
        )
        self.real = nn.Linear(config.hidden, 1)
        self.energy = nn.Linear(config.hidden, 1)

    def forward(
        self, image: Tensor, condition: Tensor, roots: Tensor, incident_gev: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logit of being real, and the primary's energy in GeV, both of shape (n,).

        Arguments:
            image: Deposits in MeV, shape (n, layers, cells, cells).
            condition: What is known of the primaries, shape (n, 8).
            roots: Standardised roots of the layer energies, shape (n, layers).
            incident_gev: Energies of the primaries, shape (n,).
        """
        view = torch.cat(self.views(image, incident_gev), dim=1)
        return self.judge(view, condition, roots)

    def views(self, image: Tensor, incident_gev: Tensor) -> tuple[Tensor, Tensor]:
        """The image to the power, over the primary's, and the logarithm of it in particles."""
        scaled = (image + 1e-6) ** self.power / incident_gev[:, None, None, None] ** self.power
        return scaled * 4, torch.log1p(image / (MIP_MEV / 2))

    def judge(self, view: Tensor, condition: Tensor, roots: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, from both views at once, shape (n, 2 layers, cells, cells)."""
        x = leaky_relu(self.first(view) + self.place, LEAK)
        x = leaky_relu(self.third(leaky_relu(self.second(x), LEAK)), LEAK)
        x = leaky_relu(self.hidden(x.flatten(1)), LEAK)
        known = self.known(torch.cat([condition, roots], dim=1))
        logit = self.real(x).squeeze(1) + (known * x).sum(dim=1) / x.shape[1] ** 0.5
        # The energy is read off the image alone: known would give it away.
        # Thirty-two bits from here on: percentages and logits need them.
        energy = self.energy(x).squeeze(1).float()
        return logit.float(), torch.exp(energy.clamp(-10, 8) + 3.0)
