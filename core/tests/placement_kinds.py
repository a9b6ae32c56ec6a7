"""One placement of each kind, and what tests of all of them share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.detector_description import Barrel
from calozoo_core.incident import Incident
from calozoo_core.placement import load_placement
from calozoo_core.placement.barrel import BarrelPlacement
from calozoo_core.placement.endcap import EndcapPlacement
from calozoo_core.showers import Showers

__all__ = ["BARREL", "ENDCAP", "ILD", "KINDS", "entries", "gaussian_showers", "owner"]

ILD = load_detector("ild_siecal")
BARREL, ENDCAP = BarrelPlacement(ILD), EndcapPlacement(ILD)
TWELVE = Barrel(
    sides=12,
    inner_radius_mm=1500,
    half_length_mm=2350,
    modules=5,
    towers_per_module=5,
    lateral_mm=1.6,
    support_mm=5,
)
KINDS = {
    "slab": load_placement("ild_siecal_regular"),
    "barrel": BARREL,
    "endcap": ENDCAP,
    "barrel and endcaps": load_placement(ILD),
    "gapless barrel": BarrelPlacement(replace(ILD, wafers=None)),
    "gapless endcap": EndcapPlacement(replace(ILD, wafers=None)),
    "twelve staves": BarrelPlacement(replace(ILD, barrel=TWELVE, face_mm=1499.9)),
    "cylinder": load_placement("par04_siw"),
}


def entries(kind, n, seed=1):
    """Positions on the face that lines from the interaction point reach, and those lines."""
    momentum = np.random.default_rng(seed).normal(size=(60 * n, 3))
    position, is_hit = kind.crossing(momentum)
    return position[is_hit][:n], momentum[is_hit][:n]


def gaussian_showers(detector, n=20, points=400, width=25.0, seed=1):
    """Round showers, straight in, whose points lie anywhere in depth."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, points, n)
    total = int(counts.sum())
    return Showers(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        x=rng.normal(0, width, total),
        y=rng.normal(0, width, total),
        layer=rng.integers(0, detector.n_layers, total).astype(np.uint8),
        energy=rng.gamma(2, 0.1, total),
        incident=Incident(np.full(n, 10.0), (0, 0, 1)),
        representation="x25",
        detector=detector.name,
    )


def owner(hits):
    """The shower each hit belongs to."""
    return np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
