"""From a model and Geant4's showers to what corrects the one by the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core.generator import Conditions, Generator
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.refining.classifier import WIDTH, FittedRatio, fit_ratio
from calozoo_core.refining.classifier_strength import find_strength
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.config import Reference, RefinementConfig
from calozoo_core.refining.corrections import Mode, Quality, Strength, Weights
from calozoo_core.refining.files import Refinement
from calozoo_core.refining.generator import fingerprint
from calozoo_core.refining.observables import Sample, observed
from calozoo_core.refining.proposals import Proposals
from calozoo_core.refining.transport import Transport
from calozoo_core.refining.trend import Span

__all__ = ["Fitted", "Recipe", "fit_refinement"]

MADE_AT_ONCE = 256


@dataclass(frozen=True)
class Recipe:
    """How a refinement is fitted.

    Arguments:
        mode: How the ratio of densities is used.
        moves: Whether showers are moved first.
        lowest_acceptance: Part of the proposed showers that must be kept, or must count.
        steps: Of a Metropolis-Hastings chain.
        copies: Generated showers for each of the reference.
        seed: Of all of it.
    """

    mode: Mode = "accept-reject"
    moves: bool = True
    lowest_acceptance: float = 0.8
    steps: int = 2
    copies: int = 2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A refinement, and how well its classifier told the two sides apart.

    Arguments:
        refinement: What is written.
        auc: Of the classifier, for moved showers it had not seen; 0.5 if there is no difference.
            None if there was none to be trained.
    """

    refinement: Refinement
    auc: float | None


def fit_refinement(
    base: Generator,
    reference: Sample,
    conditions: Conditions,
    provenance: Reference,
    recipe: Recipe,
    on_showers: Callable[[int], None] = lambda n: None,
) -> Fitted:
    """Fit the moves on one set of generated showers, and the classifier on another.

    Both sets are made for the primaries of the reference, `copies` times each.

    Arguments:
        base: The model.
        reference: Geant4's showers, less those that are held out.
        conditions: Primaries that both cover.
        provenance: Where the reference came from.
        recipe: How.
        on_showers: Called with the number of showers of each batch that was made.
    """
    span = Span.of(reference.incident)
    seed = int(stream(recipe.seed, 0, "refinement").integers(2**62))
    made = _Making(base, reference.incident, recipe.copies, seed, on_showers)
    transport = None
    if recipe.moves:
        transport = Transport.fitted(span, made.sample(None, first=0), reference)
    fitted: FittedRatio | None = None
    strength: Strength | None = None
    quality = Quality(1.0, 1.0, 0.0)
    weights: Weights | None = None
    if recipe.mode != "none":
        moved = made.sample(transport, first=recipe.copies * len(reference))
        fitted = fit_ratio(span, moved, reference, recipe.seed)
        strength = find_strength(
            moved, reference, fitted.held_out, recipe.mode, recipe.lowest_acceptance
        )
        if strength is not None:
            log_ratio = fitted.estimator.log_ratio(moved)
            weights = Weights.fitted(strength, log_ratio, moved.incident)
            quality = Quality.of(weights(log_ratio, moved.incident), strength.cap)
    estimator = fitted.estimator if fitted is not None and strength is not None else None
    config = RefinementConfig(
        base=base.spec.name,
        representation=base.spec.representation,
        detector=base.spec.detector,
        conditions=conditions,
        mode=recipe.mode,
        moves=recipe.moves,
        steps=recipe.steps if recipe.mode == "metropolis" else 1,
        power=strength.power if strength else 0.0,
        cap=strength.cap if strength else 1.0,
        networks=len(estimator.networks) if estimator else 0,
        width=WIDTH,
        calibration=estimator.calibration if estimator else (1.0, 0.0),
        energy_nodes=len(weights.log_energy) if weights else 0,
        log_energy=span.log_energy,
        slant=span.slant,
        acceptance=_kept(recipe, quality),
        ess=quality.ess,
        clipped=quality.clipped,
        seed=recipe.seed,
        reference=provenance,
        fingerprint=fingerprint(base, conditions.energy_gev[0]),
    )
    refinement = Refinement(config, transport, estimator, weights)
    return Fitted(refinement, fitted.auc if fitted else None)


def _kept(recipe: Recipe, quality: Quality) -> float:
    """Part of the proposed showers that are kept; a chain keeps its last."""
    if recipe.mode == "accept-reject":
        return min(quality.acceptance, 1.0)
    return 1 / recipe.steps if recipe.mode == "metropolis" else 1.0


@dataclass(frozen=True, eq=False)
class _Making:
    """Makes showers for the primaries of a reference, again and again."""

    base: Generator
    incident: Incident
    copies: int
    seed: int
    on_showers: Callable[[int], None]

    def sample(self, transport: Transport | None, first: int) -> Sample:
        """All of them, moved, of which the first is number `first`."""
        parts = [
            Sample(observed(cloud), cloud.incident) for cloud in self._clouds(transport, first)
        ]
        return Sample.concatenate(parts)

    def _clouds(self, transport: Transport | None, first: int) -> Iterator[Cloud]:
        propose = Proposals(self.base, transport)
        for copy in range(self.copies):
            for start, part in self.incident.batches(MADE_AT_ONCE):
                begin = first + copy * len(self.incident) + start
                numbers: NDArray[np.int64] = np.arange(begin, begin + len(part))
                yield propose(part, self.seed, numbers)
                self.on_showers(len(part))
