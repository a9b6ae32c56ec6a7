"""Named sets of sizes: the papers' and our own."""

from __future__ import annotations

from calozoo_caloinn.config import (
    CONDITIONS,
    CaloInnConfig,
    CodecConfig,
    InnConfig,
    RingsConfig,
    VaeConfig,
)

__all__ = ["PRESETS", "PUBLISHED", "preset"]

PUBLISHED: dict[str, tuple[InnConfig, VaeConfig | None]] = {
    "dataset-1-photons": (InnConfig(dim=373, batch_norm=True), None),
    "dataset-1-pions": (InnConfig(dim=540, batch_norm=True), None),
    "dataset-2": (InnConfig(dim=6525, blocks=14, spline="cubic", hidden_layers=2), None),
    "dataset-1-photons-vae": (
        InnConfig(dim=105, blocks=18, bound=20, hidden=32, hidden_layers=2, act_norm=False),
        VaeConfig(dim=368, conditions=6),
    ),
}
"""The submissions to CaloChallenge: an invertible network each, and an autoencoder in front of one.

Layer ratios and voxels: 5 + 368, 7 + 533 and 45 + 6480; behind the autoencoder 5 + 2 x 50.
"""

LAYERS, RINGS = 30, 6

_CODEC = CodecConfig(layers=LAYERS, voxels=RINGS)
_NORMALISED = _CODEC.model_copy(update={"kind": "normalised"})
_EDGES = RingsConfig()
_OWN = InnConfig(dim=LAYERS, conditions=CONDITIONS, bins=8, bound=8.0, hidden_layers=2, dropout=0.1)
_SMALL = {"hidden": 8, "hidden_layers": 1, "baseline_hidden": 8, "dropout": 0.0}


def _factorised(layers: InnConfig, inn: InnConfig) -> CaloInnConfig:
    """Two networks; their own sizes are given, what follows from the rings is filled in."""
    told = {"conditions": CONDITIONS + LAYERS}
    return CaloInnConfig(
        codec=_CODEC,
        rings=_EDGES,
        layers=layers.model_copy(update={"baseline_head": LAYERS}),
        inn=inn.model_copy(update=told | {"baseline_head": inn.dim}),
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
    """A named configuration.

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
