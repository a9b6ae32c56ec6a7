"""Generator and discriminator networks; layers are channels of two-dimensional convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, relu, silu

from calozoo_gan3d.config import DiscriminatorConfig, GeneratorConfig, GridConfig
from calozoo_gan3d.numpy_networks import MIP_MEV
from calozoo_gan3d.primaries import CONDITIONS

__all__ = ["Discriminator", "Generator", "deposits", "energy_of", "positive"]

LEAK = 0.2


class Generator(nn.Module):
    r"""Generator network: from latent variables, condition and layer energies to an image.

    For each voxel the network gives a mean and a spread; with a normal number for the voxel they
    make t, and `energy_of` turns t into energy, zero where t is negative. Learned mean images at
    several incident energies are added to its output.

    Arguments:
        grid: The voxels.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: GeneratorConfig) -> None:
        super().__init__()
        self.grid, self.config = grid, config
        quarter, channels = grid.cells // 4, 2 * grid.layers
        inputs = CONDITIONS + grid.layers + config.latent
        self.hidden = nn.Linear(inputs, config.hidden)
        self.small = nn.Linear(config.hidden, config.width * quarter**2)
        self.medium = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.large = nn.Conv2d(config.width, 4 * config.fine, 3, padding=1)
        self.last = nn.Conv2d(config.fine, channels, 3, padding=1)
        mixing = nn.Linear(config.hidden, config.maps)
        self.mixed = nn.Sequential(nn.Linear(inputs, config.hidden), nn.SiLU(), mixing)
        size = channels * grid.cells**2
        self.means = nn.Parameter(torch.zeros(config.knots, size))
        self.maps = nn.Parameter(torch.randn(config.maps, size) * 0.02)
        self.share = nn.Parameter(torch.eye(grid.layers))
        for layer in (self.last, mixing):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, condition: Tensor, roots: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        """Values t of the voxels, shape (n, layers, cells, cells).

        Arguments:
            condition: Condition of the primaries, shape (n, 8).
            roots: Standardised roots of the layer energies, shape (n, layers).
            latent: Standard normal numbers, shape (n, latent).
            noise: Standard normal numbers of the voxels, shape (n, layers, cells, cells).
        """
        grid, config = self.grid, self.config
        inputs = torch.cat([condition, roots, latent], dim=1)
        quarter = grid.cells // 4
        small = self.small(silu(self.hidden(inputs)))
        image = torch.unflatten(small, 1, (config.width, quarter, quarter))
        image = relu(image.repeat_interleave(2, 2).repeat_interleave(2, 3))
        image = relu(self.medium(image))
        image = relu(pixel_shuffle(self.large(image), 2))
        own = self.last(image)
        base = self.knot_weights(condition) @ self.means + self.mixed(inputs) @ self.maps
        mean, spread = (own + base.view(own.shape)).chunk(2, dim=1)
        mixed = (self.share @ noise.flatten(2)).view(noise.shape)
        t: Tensor = mean + positive(spread) * mixed
        return t

    def knot_weights(self, condition: Tensor) -> Tensor:
        """Weights of the mean images by linear interpolation of the energy, shape (n, knots)."""
        knots = torch.linspace(-1, 1, self.config.knots, device=condition.device)
        distance = (condition[:, :1].clamp(-1, 1) - knots) * ((self.config.knots - 1) / 2)
        return relu(1 - distance.abs())


def positive(values: Tensor) -> Tensor:
    """Positive number r of r - 1/r: like softplus, at a tenth of its cost.

    Example:
        >>> positive(torch.tensor([2 - 1 / 2])).item()
        2.0
    """
    return (values + (values.square() + 4).sqrt()) / 2


def energy_of(t: Tensor) -> Tensor:
    """Energies in MeV of t: zero below 0, a minimum-ionising particle's soon above, then t^2.

    The sign of t decides on hits, their spectrum has a peak, and the spread of a large deposit is
    that of a square root.

    Example:
        >>> energy_of(torch.tensor([-1.0, 0.0, 10.0])).tolist()
        [0.0, 0.0, 20.19801902770996]
    """
    positive = relu(t)
    return MIP_MEV * (positive / (positive + 0.1) + positive.square())


def deposits(t: Tensor, layer_energy: Tensor) -> tuple[Tensor, Tensor]:
    """Deposits scaled to the layer energies, and the layer sums before scaling.

    A layer with energy and no positive t has all of it where t is largest.

    Arguments:
        t: Output of the generator, shape (n, layers, cells, cells).
        layer_energy: Layer energies in MeV, shape (n, layers).

    Returns:
        Deposits in MeV, in the shape of t, and layer sums in MeV, shape (n, layers).
    """
    raw = energy_of(t)
    if t.requires_grad:
        # Empty voxels get a gradient, or they would stay empty.
        slope = MIP_MEV * torch.sigmoid(3 * t) * (t < 0)
        raw = raw + slope - slope.detach()
    total = raw.sum(dim=(2, 3))
    empty = total <= 0
    if bool(empty.any()):
        flat = t.detach()[empty].flatten(1)
        single = torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), MIP_MEV)
        raw = raw.clone()
        raw[empty] = raw[empty] + single.view(-1, *t.shape[2:])
        total = raw.sum(dim=(2, 3))
    return raw * (layer_energy / total)[:, :, None, None], total


class Discriminator(nn.Module):
    """Discriminator network: real or generated, and the incident energy, of an image.

    Arguments:
        grid: The voxels.
        config: Sizes.
        power: Exponent of the deposits.
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
        self.condition = nn.Sequential(
            nn.Linear(CONDITIONS + grid.layers, config.hidden),
            nn.LeakyReLU(LEAK),
            nn.Linear(config.hidden, config.hidden),
        )
        self.real = nn.Linear(config.hidden, 1)
        self.energy = nn.Linear(config.hidden, 1)

    def forward(
        self, image: Tensor, condition: Tensor, roots: Tensor, incident_gev: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of being real, and incident energies in GeV, both of shape (n,).

        Arguments:
            image: Deposits in MeV, shape (n, layers, cells, cells).
            condition: Condition of the primaries, shape (n, 8).
            roots: Standardised roots of the layer energies, shape (n, layers).
            incident_gev: Incident energies, shape (n,).
        """
        view = torch.cat(self.views(image, incident_gev), dim=1)
        return self.judge(view, condition, roots)

    def views(self, image: Tensor, incident_gev: Tensor) -> tuple[Tensor, Tensor]:
        """Input images: deposits to a power, scaled, and logarithms of them in units of a MIP."""
        scaled = (image + 1e-6) ** self.power / incident_gev[:, None, None, None] ** self.power
        return scaled * 4, torch.log1p(image / (MIP_MEV / 2))

    def judge(self, view: Tensor, condition: Tensor, roots: Tensor) -> tuple[Tensor, Tensor]:
        """Output of `forward` from both views, shape (n, 2 layers, cells, cells)."""
        x = leaky_relu(self.first(view) + self.place, LEAK)
        x = leaky_relu(self.third(leaky_relu(self.second(x), LEAK)), LEAK)
        x = leaky_relu(self.hidden(x.flatten(1)), LEAK)
        projection = (self.condition(torch.cat([condition, roots], dim=1)) * x).sum(dim=1)
        logit = self.real(x).squeeze(1) + projection / x.shape[1] ** 0.5
        # The energy comes from the image alone, since the condition contains it. Float32 from here
        # on: percentages and logits need it.
        energy = self.energy(x).squeeze(1).float()
        return logit.float(), torch.exp(energy.clamp(-10, 8) + 3.0)
