"""What a refinement's config.json says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calozoo_core.generator import Conditions
from calozoo_core.refining.corrections import Mode
from calozoo_core.strict_model import StrictModel

__all__ = ["MOST_STEPS", "Reference", "RefinementConfig"]

MOST_STEPS = 100

REFINED = "+refined"

Pair = tuple[float, float]


class Reference(StrictModel):
    """The showers a refinement was fitted on.

    Arguments:
        files: Their files' names.
        sha256: Of each.
        generators: Who made each.
        n_fitted: Showers it was fitted on.
        n_held_out: Showers it was judged by, and had not seen.
    """

    files: tuple[str, ...]
    sha256: tuple[str, ...]
    generators: tuple[str, ...]
    n_fitted: int = Field(ge=1)
    n_held_out: int = Field(ge=0)


class RefinementConfig(StrictModel):
    """All that is no tensor.

    Arguments:
        kind: That this is a refinement.
        base: Name of the model whose showers are corrected.
        representation: Of its points.
        detector: Of its showers.
        conditions: Primaries that both the model and the reference cover.
        mode: How a ratio of densities is used.
        moves: Whether showers are moved first.
        steps: Steps of a Metropolis-Hastings chain.
        power: To which the ratio is taken; 0 if there is none.
        cap: The largest weight.
        networks: How many there are; 0 if there are none.
        width: Of each.
        calibration: Slope and offset from their mean output to the logarithm of the ratio.
        energy_nodes: Energies at which mean weights are 1.
        log_energy: Middle and half width of what ln(E / GeV) ranges over.
        slant: Likewise of 1 / cos(theta).
        acceptance: Part of the proposed showers that are kept.
        ess: Effective part of the showers, if they were weighted.
        clipped: Part of the showers whose weight is the cap.
        seed: Of the fit.
        reference: What it was fitted on.
        fingerprint: Visible energies of a few of the model's showers, in MeV, by which another
            version of its weights is told.
    """

    kind: Literal["calozoo-refinement"] = "calozoo-refinement"
    base: str
    representation: Literal["x1", "x9", "x25", "steps"]
    detector: str
    conditions: Conditions
    mode: Mode
    moves: bool
    steps: int = Field(ge=1, le=MOST_STEPS)
    power: float = Field(ge=0, le=1)
    cap: float = Field(ge=1)
    networks: int = Field(ge=0, le=100)
    width: int = Field(ge=1, le=4096)
    calibration: Pair
    energy_nodes: int = Field(ge=0, le=100)
    log_energy: Pair
    slant: Pair
    acceptance: float = Field(gt=0, le=1)
    ess: float = Field(gt=0, le=1.0000001)
    clipped: float = Field(ge=0, le=1)
    seed: int = Field(ge=0)
    reference: Reference
    fingerprint: Annotated[tuple[float, ...], Field(max_length=100)]
