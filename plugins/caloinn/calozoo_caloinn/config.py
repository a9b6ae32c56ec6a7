"""What config.json says: the sizes of the networks, the rings, and how energies become vectors."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = [
    "CONDITIONS",
    "CaloInnConfig",
    "CodecConfig",
    "InnConfig",
    "RingsConfig",
    "VaeConfig",
]

CONDITIONS = 4
"""ln E and the unit direction."""

Width = Annotated[int, Field(ge=1, le=8192)]


class InnConfig(StrictModel):
    """One invertible network. The defaults are those of the photons of CaloChallenge's first set.

    Arguments:
        dim: Width of what it models.
        conditions: Width of what it is told.
        blocks: Blocks of ActNorm, spline coupling and permutation; the first has no ActNorm.
        spline: Kind of the splines.
        bins: Bins of each spline.
        bound: A spline acts inside [-bound, bound], for every element on its own.
        hidden: Width of the hidden layers of a coupling's network.
        hidden_layers: Their number.
        batch_norm: Whether each of them is normalised over the batch.
        act_norm: Whether blocks begin with an ActNorm.
        dropout: Share of hidden units left out in training.
        baseline_hidden: Width of a network that takes out mean and spread before the couplings;
            None as published.
        baseline_head: The first so many elements are among what the baseline of the others sees.
    """

    dim: Width
    conditions: Width = 1
    blocks: int = Field(default=12, ge=1, le=40)
    spline: Literal["rational-quadratic", "cubic"] = "rational-quadratic"
    bins: int = Field(default=10, ge=2, le=64)
    bound: float = Field(default=18.0, gt=0)
    hidden: Width = 256
    hidden_layers: int = Field(default=3, ge=1, le=8)
    batch_norm: bool = False
    act_norm: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    baseline_hidden: Width | None = None
    baseline_head: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _head_fits(self) -> InnConfig:
        if self.baseline_head > self.dim:
            msg = "the head of an invertible network is among its elements"
            raise ValueError(msg)
        return self


class VaeConfig(StrictModel):
    """The autoencoder in front: voxels to a few latent numbers and back.

    Arguments:
        dim: Number of voxels.
        conditions: Width of what both halves are told: layer ratios and condition.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        latent: Number of latent numbers.
        reconstruction: Weight of the cross entropy of the normalised voxels.
        divergence: Weight of the divergence from a standard normal.
    """

    dim: Width
    conditions: Width
    hidden: tuple[Width, ...] = Field(default=(5000, 1000, 500), min_length=1, max_length=8)
    latent: Width = 50
    reconstruction: float = Field(default=1e4, gt=0)
    divergence: float = Field(default=1e-5, ge=0)


class RingsConfig(StrictModel):
    """Rings about the shower axis, in the plane at right angles to it, and how they are filled.

    Arguments:
        edges_mm: Where one ring ends and the next begins; the last goes on for ever.
        levels: Energies at which the template of a ring is kept.
        members: Points kept for each ring and energy.
    """

    edges_mm: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(1.5, 4.0, 9.0, 18.0, 40.0), min_length=1, max_length=40
    )
    levels: int = Field(default=12, ge=2, le=64)
    members: int = Field(default=256, ge=2, le=4096)

    @model_validator(mode="after")
    def _edges_rise(self) -> RingsConfig:
        if any(a >= b for a, b in pairwise(self.edges_mm)):
            msg = "the edges of rings must rise"
            raise ValueError(msg)
        return self

    @property
    def number(self) -> int:
        """Rings in a layer."""
        return len(self.edges_mm) + 1


class CodecConfig(StrictModel):
    """From energies of voxels to the vector that the networks see.

    Arguments:
        layers: Layers of the detector.
        voxels: Voxels of a layer.
        kind: "ratios": each voxel over what it and those behind it hold, a bijection.
            "normalised": the logarithm of each voxel over its layer, as published, one number a
            layer more than there is to know.
        power: Ratios are taken of energies to this power, so that empty and filled lie closer.
        noise_mev: Uniform noise of this width fills empty voxels, fresh in every batch; what is
            generated below it is empty.
        visible: A typical visible over incident energy, to begin from.
    """

    layers: int = Field(default=30, ge=1, le=255)
    voxels: int = Field(default=6, ge=2, le=4096)
    kind: Literal["ratios", "normalised"] = "ratios"
    power: float = Field(default=0.5, gt=0, le=1)
    noise_mev: float = Field(default=0.01, gt=0)
    visible: float = Field(default=0.024, gt=0)

    @property
    def width(self) -> int:
        """Length of the voxels' part of the vector; the layers' part has one number a layer."""
        return self.layers * (self.voxels - (self.kind == "ratios"))


class CaloInnConfig(StrictModel):
    """A trained CaloINN.

    Arguments:
        schema_version: Of this file.
        architecture: Always "caloinn".
        arrangement: "joint": one network for layer ratios and voxels, as published. "factorised":
            one for the layer ratios, and one for the voxels that is told them. "latent": one for
            layer ratios and latent numbers, which an autoencoder turns into voxels.
        codec: From energies to vectors.
        rings: From energies to points.
        layers: The network of the layer ratios; only if factorised.
        inn: The network of the voxels, or of everything.
        vae: The autoencoder; only if latent.
        fitted_on: What the template and the calibration were fitted on.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["caloinn"] = "caloinn"
    arrangement: Literal["joint", "factorised", "latent"] = "factorised"
    codec: CodecConfig = CodecConfig()
    rings: RingsConfig = RingsConfig()
    layers: InnConfig | None = None
    inn: InnConfig
    vae: VaeConfig | None = None
    fitted_on: str = "not fitted"

    @model_validator(mode="after")
    def _parts_fit(self) -> CaloInnConfig:
        codec, n = self.codec, self.codec.layers
        if self.rings.number != codec.voxels:
            msg = f"{self.rings.number} rings are not {codec.voxels} voxels a layer"
            raise ValueError(msg)
        if (self.layers is not None) != (self.arrangement == "factorised") or (
            self.vae is not None
        ) != (self.arrangement == "latent"):
            msg = f"the parts are not those of the arrangement {self.arrangement!r}"
            raise ValueError(msg)
        wanted = {"inn": (n + codec.width, CONDITIONS)}
        if self.layers is not None:
            wanted = {"layers": (n, CONDITIONS), "inn": (codec.width, CONDITIONS + n)}
        if self.vae is not None:
            wanted = {
                "vae": (codec.width, CONDITIONS + n),
                "inn": (n + 2 * self.vae.latent, CONDITIONS),
            }
        for name, sizes in wanted.items():
            part = getattr(self, name)
            if (part.dim, part.conditions) != sizes:
                msg = f"{name} needs dim and conditions {sizes}, not {part.dim, part.conditions}"
                raise ValueError(msg)
        if self.vae is not None and codec.kind != "normalised":
            msg = "an autoencoder needs normalised voxels"
            raise ValueError(msg)
        return self
