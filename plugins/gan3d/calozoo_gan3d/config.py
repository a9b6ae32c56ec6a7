"""What config.json says: the grid, the sizes of the networks, and the weights of the losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calozoo_core.strict_model import StrictModel

__all__ = [
    "DiscriminatorConfig",
    "EnergyConfig",
    "Gan3dConfig",
    "GeneratorConfig",
    "GridConfig",
    "LossConfig",
    "preset",
]

Width = Annotated[int, Field(ge=1, le=1024)]
Weight = Annotated[float, Field(ge=0)]


class GridConfig(StrictModel):
    """The voxels about the shower axis: fine in the core, coarse in the tail.

    Along x' and along y' the edges are at `core_mm * sinh(u)`, u in equal steps, out to `half_mm`.

    Arguments:
        layers: Layers.
        cells: Voxels along x' and along y'.
        core_mm: Where the linear core passes into the exponential tail.
        half_mm: Half the width of the box.
    """

    layers: int = Field(default=30, ge=1, le=256)
    cells: int = Field(default=24, ge=8, le=128, multiple_of=8)
    core_mm: float = Field(default=8.0, gt=0)
    half_mm: float = Field(default=150.0, gt=0)


class EnergyConfig(StrictModel):
    """The network that draws the energy of each layer.

    Arguments:
        hidden: Width of its two hidden layers.
        latent: Normal numbers it turns into the energies of a shower.
    """

    hidden: Width = 128
    latent: Width = 32


class GeneratorConfig(StrictModel):
    """The network that draws the image.

    Arguments:
        latent: Normal numbers for the shower as a whole.
        hidden: Width of the layer before the first small image.
        width: Channels at a quarter and at half of the resolution.
        fine: Channels at the full resolution.
        knots: Energies for which it has a mean image.
        maps: Further images, mixed as the condition says.
    """

    latent: Width = 48
    hidden: Width = 128
    width: Width = 64
    fine: Width = 24
    knots: int = Field(default=6, ge=2, le=64)
    maps: Width = 12


class DiscriminatorConfig(StrictModel):
    """The network that tells drawn images from simulated ones.

    Arguments:
        widths: Channels after each halving of the resolution.
        hidden: Width of the layer before the heads.
    """

    widths: tuple[Width, Width, Width] = (48, 64, 96)
    hidden: Width = 96


class LossConfig(StrictModel):
    """Weights of the terms of the loss; the first four are 3DGAN's.

    Arguments:
        real: Binary cross entropy of real against drawn.
        energy: Mean absolute percentage error of the primary's energy.
        angle: Mean absolute error of the angle, in radians.
        deposit: Mean absolute percentage error of the deposit sum.
        sums: Distance of sums over rings, ours.
        penalty: On the slope of the discriminator at real images, ours.
        flip: Part of the labels that are turned over.
        power: Images are deposits to this power.
    """

    real: Weight = 3.0
    energy: Weight = 0.1
    angle: Weight = 25.0
    deposit: Weight = 0.1
    sums: Weight = 20.0
    penalty: Weight = 1.0
    flip: float = Field(default=0.05, ge=0, le=0.5)
    power: float = Field(default=0.85, gt=0, le=1)


class Gan3dConfig(StrictModel):
    """A trained 3DGAN.

    Arguments:
        schema_version: Of this file.
        architecture: Always "3dgan".
        grid: The voxels.
        energies: Network of the layer energies.
        generator: Network of the image.
        discriminator: Its opponent in training.
        loss: Weights of the losses.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["3dgan"] = "3dgan"
    grid: GridConfig = GridConfig()
    energies: EnergyConfig = EnergyConfig()
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    loss: LossConfig = LossConfig()


def preset(name: str) -> Gan3dConfig:
    """A named set of sizes.

    `ild-photon` is what calozoo trains; `tiny` is for tests. The network of the paper is in
    `calozoo_gan3d.published`.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon").grid.cells
        24
    """
    presets = {
        "ild-photon": Gan3dConfig(),
        "tiny": Gan3dConfig(
            grid=GridConfig(cells=8),
            energies=EnergyConfig(hidden=16, latent=4),
            generator=GeneratorConfig(latent=4, hidden=16, width=8, fine=4, knots=2, maps=2),
            discriminator=DiscriminatorConfig(widths=(8, 8, 8), hidden=8),
        ),
    }
    if name not in presets:
        msg = f"no preset is called {name!r}; there are {', '.join(presets)}"
        raise ValueError(msg)
    return presets[name]
