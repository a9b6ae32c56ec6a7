"""A model's tails made Geant4's: how far out a shower is, and what is done about too many there.

Showers are moved, so that some of their quantities get Geant4's distributions, and then kept or
weighted by what a classifier says they are worth. It needs nothing of a model but its showers.
"""

from __future__ import annotations

from calozoo_core.refining.classifier import RatioEstimator, fit_ratio
from calozoo_core.refining.config import Reference, RefinementConfig
from calozoo_core.refining.corrections import MODES, Mode, Quality, Strength, Weights
from calozoo_core.refining.excess import LEVELS, TAILS, Excesses, Tail, excess, excesses, fewest
from calozoo_core.refining.files import Refinement, read_refinement, write_refinement
from calozoo_core.refining.fitting import Fitted, Recipe, fit_refinement
from calozoo_core.refining.generator import Refined
from calozoo_core.refining.observables import (
    OBSERVABLES,
    Sample,
    TailObservable,
    observed,
    sampled,
)
from calozoo_core.refining.sampler import TailEnhancedSampler
from calozoo_core.refining.tails import PrimaryBins, TailScore
from calozoo_core.refining.transport import Transport

__all__ = [
    "LEVELS",
    "MODES",
    "OBSERVABLES",
    "TAILS",
    "Excesses",
    "Fitted",
    "Mode",
    "PrimaryBins",
    "Quality",
    "RatioEstimator",
    "Recipe",
    "Reference",
    "Refined",
    "Refinement",
    "RefinementConfig",
    "Sample",
    "Strength",
    "Tail",
    "TailEnhancedSampler",
    "TailObservable",
    "TailScore",
    "Transport",
    "Weights",
    "excess",
    "excesses",
    "fewest",
    "fit_ratio",
    "fit_refinement",
    "observed",
    "read_refinement",
    "sampled",
    "write_refinement",
]
