"""Configuration of a model: grid, sizes of the networks, weights of the losses."""

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
    """Voxels around the shower axis: fine in the core, coarse in the tail.

    Along x' and along y' the edges are at `core_mm * sinh(u)`, u in equal steps, out to `half_mm`.

    Arguments:
        layers: Number of layers.
        cells: Number of voxels along x' and along y'.
        core_mm: Distance at which the linear core passes into the exponential tail.
        half_mm: Half the width of the box.
    """

    layers: int = Field(default=30, ge=1, le=256)
    cells: int = Field(default=24, ge=8, le=128, multiple_of=8)
    core_mm: float = Field(default=8.0, gt=0)
    half_mm: float = Field(default=150.0, gt=0)


class EnergyConfig(StrictModel):
    """Sizes of the network of the layer energies.

    Arguments:
        hidden: Width of its two hidden layers.
        latent: Number of latent variables of a shower.
    """

    hidden: Width = 128
    latent: Width = 32


class GeneratorConfig(StrictModel):
    """Sizes of the generator network.

    Arguments:
        latent: Number of latent variables of a shower.
        hidden: Width of the layer before the first small image.
        width: Channels at a quarter and at half of the resolution.
        fine: Channels at the full resolution.
        knots: Number of energies with a mean image.
        maps: Number of further images, mixed with weights from the condition.
    """

    latent: Width = 48
    hidden: Width = 128
    width: Width = 64
    fine: Width = 24
    knots: int = Field(default=6, ge=2, le=64)
    maps: Width = 12


class DiscriminatorConfig(StrictModel):
    """Sizes of the discriminator network.

    Arguments:
        widths: Channels after each halving of the resolution.
        hidden: Width of the layer before the heads.
    """

    widths: tuple[Width, Width, Width] = (48, 64, 96)
    hidden: Width = 96


class LossConfig(StrictModel):
    """Weights of the terms of the loss; the first four are those of 3DGAN.

    Arguments:
        real: Binary cross entropy of real against generated.
        energy: Mean absolute percentage error of the primary's energy.
        angle: Mean absolute error of the angle, in radians.
        deposit: Mean absolute percentage error of the deposit sum.
        sums: Distance of sums over rings, not in the paper.
        penalty: Gradient penalty of the discriminator at real images, not in the paper.
        flip: Share of the labels that are flipped.
        power: Exponent of the deposits in the images.
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
    """Configuration of a trained 3DGAN.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "3dgan".
        grid: The voxels.
        energies: Network of the layer energies.
        generator: Network of the image.
        discriminator: Discriminator of the training.
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
    """A named set of sizes: `ild-photon` is what calozoo trains, `tiny` is for tests.

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
