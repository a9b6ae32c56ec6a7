"""Configuration (config.json): sizes of the networks, rings, encoding of energies, and presets."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = [
    "CONDITIONS",
    "PRESETS",
    "CaloInnConfig",
    "CodecConfig",
    "InnConfig",
    "RingsConfig",
    "VaeConfig",
    "preset",
]

CONDITIONS = 4
"""Width of the condition: ln E and the unit direction."""

Width = Annotated[int, Field(ge=1, le=8192)]


class InnConfig(StrictModel):
    """Sizes of an invertible network, by default those of CaloChallenge's photons (data set 1).

    Arguments:
        dim: Width of the data.
        conditions: Width of the condition.
        blocks: Blocks of ActNorm, spline coupling and permutation; the first has no ActNorm.
        spline: Kind of the splines.
        bins: Bins of each spline.
        bound: A spline acts inside [-bound, bound], for every element on its own.
        hidden: Width of the hidden layers of a coupling's network.
        hidden_layers: Their number.
        batch_norm: Normalise each of them over the batch.
        act_norm: Begin blocks with an ActNorm.
        dropout: Share of hidden units dropped in training.
        baseline_hidden: Width of a network that removes mean and spread before the couplings;
            None as published.
        baseline_head: Number of first elements that condition the baseline of the others.
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
    """Sizes of the autoencoder, from voxels to a few latent numbers and back.

    Arguments:
        dim: Number of voxels.
        conditions: Width of the condition of both halves: layer ratios and condition.
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
    """Rings about the shower axis, in the plane at right angles to it, and sizes of their template.

    Arguments:
        edges_mm: Radii between neighbouring rings; the last ring has no outer edge.
        levels: Number of energies of a ring at which its template is tabulated.
        members: Number of points tabulated for each ring and energy.
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
    """Encoding of voxel energies as the vector that the networks model.

    Arguments:
        layers: Number of layers of the detector.
        voxels: Number of voxels of a layer.
        kind: "ratios": each voxel over what it and those behind it hold, a bijection.
            "normalised": the logarithm of each voxel over its layer, as published, one number a
            layer more than there is to know.
        power: Ratios are taken of energies to this power, so that empty and filled lie closer.
        noise_mev: Uniform noise of this width fills empty voxels, fresh in every batch; what is
            generated below it is empty.
        visible: Typical visible over incident energy, the unit of the first number.
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
    """Configuration of a CaloINN.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "caloinn".
        arrangement: "joint": one network for layer ratios and voxels, as published. "factorised":
            one for the layer ratios, and one for the voxels, given those. "latent": one for
            layer ratios and latent numbers, which an autoencoder turns into voxels.
        codec: Encoding of energies.
        rings: Rings and their template.
        layers: The network of the layer ratios; only if factorised.
        inn: The network of the voxels, or of everything.
        vae: The autoencoder; only if latent.
        fitted_on: Name of the showers that template and calibration were fitted on.
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


LAYERS, RINGS = 30, 6

_CODEC = CodecConfig(layers=LAYERS, voxels=RINGS)
_NORMALISED = _CODEC.model_copy(update={"kind": "normalised"})
_EDGES = RingsConfig()
_OWN = InnConfig(dim=LAYERS, conditions=CONDITIONS, bins=8, bound=8.0, hidden_layers=2, dropout=0.1)
_SMALL = {"hidden": 8, "hidden_layers": 1, "baseline_hidden": 8, "dropout": 0.0}


def _factorised(layers: InnConfig, inn: InnConfig) -> CaloInnConfig:
    """Two networks of these sizes; what follows from the rings is filled in."""
    conditions = {"conditions": CONDITIONS + LAYERS}
    return CaloInnConfig(
        codec=_CODEC,
        rings=_EDGES,
        layers=layers.model_copy(update={"baseline_head": LAYERS}),
        inn=inn.model_copy(update=conditions | {"baseline_head": inn.dim}),
    )


def _latent(hidden: tuple[int, ...], latent: int, blocks: int, width: int) -> CaloInnConfig:
    return CaloInnConfig(
        arrangement="latent",
        codec=_NORMALISED,
        rings=_EDGES,
        inn=InnConfig(
            dim=LAYERS + 2 * latent,
            conditions=CONDITIONS,
            blocks=blocks,
            bins=8,
            bound=8.0,
            hidden=width,
            hidden_layers=2,
            dropout=0.05,
            baseline_hidden=width,
            baseline_head=LAYERS,
        ),
        vae=VaeConfig(
            dim=_NORMALISED.width,
            conditions=CONDITIONS + LAYERS,
            hidden=hidden,
            latent=latent,
            reconstruction=1e3,
            divergence=1e-3,
        ),
    )


def _tiny(config: CaloInnConfig) -> CaloInnConfig:
    rings = config.rings.model_copy(update={"levels": 3, "members": 32})
    return config.model_copy(update={"rings": rings})


PRESETS = {
    "ild-photon": _factorised(
        _OWN.model_copy(update={"blocks": 6, "hidden": 48, "baseline_hidden": 32}),
        _OWN.model_copy(
            update={
                "dim": _CODEC.width,
                "blocks": 3,
                "hidden": 64,
                "hidden_layers": 1,
                "baseline_hidden": 96,
                "dropout": 0.05,
            }
        ),
    ),
    "ild-photon-joint": CaloInnConfig(
        arrangement="joint",
        codec=_CODEC,
        rings=_EDGES,
        inn=InnConfig(
            dim=LAYERS * RINGS,
            conditions=CONDITIONS,
            blocks=6,
            bins=8,
            bound=8.0,
            hidden=64,
            hidden_layers=2,
            dropout=0.05,
            baseline_hidden=64,
            baseline_head=LAYERS,
        ),
    ),
    "ild-photon-vae": _latent((192, 96), latent=24, blocks=6, width=48),
    "tiny": _tiny(
        _factorised(
            _OWN.model_copy(update=_SMALL | {"blocks": 2}),
            _OWN.model_copy(update=_SMALL | {"dim": _CODEC.width, "blocks": 1}),
        )
    ),
    "tiny-joint": _tiny(
        CaloInnConfig(
            arrangement="joint",
            codec=_NORMALISED,
            rings=_EDGES,
            inn=InnConfig(
                dim=LAYERS + LAYERS * RINGS,
                conditions=CONDITIONS,
                blocks=2,
                spline="cubic",
                bins=4,
                hidden=8,
                hidden_layers=1,
                batch_norm=True,
            ),
        )
    ),
    "tiny-vae": _tiny(_latent((8,), latent=2, blocks=2, width=8)),
}


def preset(name: str) -> CaloInnConfig:
    """Named configuration.

    `ild-photon` is what calozoo trains; `ild-photon-joint` has one network as the paper has,
    `ild-photon-vae` an autoencoder in front; `tiny`, `tiny-joint` and `tiny-vae` are for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("ild-photon").arrangement
        'factorised'
    """
    if name not in PRESETS:
        msg = f"no preset is called {name!r}; there are {', '.join(PRESETS)}"
        raise ValueError(msg)
    return PRESETS[name]
