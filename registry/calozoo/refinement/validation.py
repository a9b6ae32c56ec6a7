"""How a refinement is judged: tails and histograms of showers held out, before and after."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from time import process_time

from calozoo.refinement.report import Cost, Level, RefinementReport, TailFigure
from calozoo_core.comparison import compare
from calozoo_core.detector import Detector, load_detector
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.refining import (
    LEVELS,
    TAILS,
    Excesses,
    Fitted,
    Sample,
    excesses,
    fewest,
    observed,
)
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.config import REFINED
from calozoo_core.showers import Showers

__all__ = ["Judged", "Look", "judge", "report_on"]

MADE_AT_ONCE = 512

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Judged:
    """What was looked at of a set of showers.

    Arguments:
        sample: Their tail observables.
        tally: Histograms of their points.
        seconds: Processor time it took to make them; 0 for showers of a file.
    """

    sample: Sample
    tally: ObservableAccumulator
    seconds: float


def judge(
    generator: Generator, incident: Incident, copies: int, seed: int, on_showers: Advance
) -> Judged:
    """Make showers for some primaries, several of each, and look at them.

    Arguments:
        generator: Makes them.
        incident: The primaries.
        copies: Showers of each.
        seed: Of the showers.
        on_showers: Called with the number of showers of each batch.
    """
    look = Look(load_detector(generator.spec.detector))
    seconds = 0.0
    for copy in range(copies):
        batches = generator.batches(
            incident,
            seed=seed,
            first=copy * len(incident),
            batch_size=MADE_AT_ONCE,
            extrapolate=True,
        )
        while True:
            start = process_time()
            showers = next(batches, None)
            seconds += process_time() - start
            if showers is None:
                break
            look.add(showers)
            on_showers(len(showers))
    return look.judged(seconds)


class Look:
    """Takes in showers batch by batch.

    Arguments:
        detector: That they are in.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.tally = ObservableAccumulator(detector, levels=("points",))
        self.parts: list[Sample] = []

    def add(self, showers: Showers) -> None:
        """Look at some more."""
        self.parts.append(Sample(observed(Cloud.of(showers, self.detector)), showers.incident))
        self.tally.add(showers)

    def judged(self, seconds: float = 0.0) -> Judged:
        """What was seen of all."""
        return Judged(Sample.concatenate(self.parts), self.tally, seconds)


def report_on(
    spec: ModelSpec,
    fitted: Fitted,
    truth: Judged,
    before: Judged,
    after: Judged,
    seed: int,
    held_out: float,
) -> RefinementReport:
    """What a refinement changed, by held-out showers.

    Arguments:
        spec: Of the model.
        fitted: The refinement.
        truth: Geant4's showers that were held out.
        before: The model's, of the same primaries.
        after: The refined model's.
        seed: Of the bootstrap, and of what was held out.
        held_out: Part of the reference.
    """
    config = fitted.refinement.config
    n_generated = len(before.sample)
    costs = before.seconds / n_generated, after.seconds / n_generated
    packages = ("calozoo", "calozoo-core", "numpy")
    return RefinementReport(
        model=spec.name,
        refined=spec.name + REFINED,
        reference=config.reference.files,
        sha256=config.reference.sha256,
        n_fitted=config.reference.n_fitted,
        n_held_out=config.reference.n_held_out,
        n_generated=n_generated,
        split=(
            f"each shower is held out with chance {held_out:g}, by seed {seed}; nothing is fitted, "
            "stopped, calibrated or chosen on those"
        ),
        mode=config.mode,
        moves=config.moves,
        power=config.power,
        cap=config.cap,
        acceptance=config.acceptance,
        ess=config.ess,
        clipped=config.clipped,
        auc=fitted.auc,
        seed=seed,
        cost=Cost(before=costs[0], after=costs[1], ratio=costs[1] / costs[0]),
        levels=tuple(_level(level, truth, before, after, seed) for level in LEVELS),
        bulk_before=_bulk(before, truth),
        bulk_after=_bulk(after, truth),
        versions={"python": platform.python_version()} | {name: version(name) for name in packages},
    )


def _level(level: float, truth: Judged, before: Judged, after: Judged, seed: int) -> Level:
    n = len(truth.sample)
    beyond = round(level * n)
    if n < fewest(level):
        reason = f"{n} held-out showers are too few for this quantile; it needs {fewest(level)}."
        return Level(level=level, n_reference=beyond, reason=reason)
    one, other = (excesses(truth.sample, j.sample, level, seed) for j in (before, after))
    return Level(
        level=level,
        n_reference=beyond,
        tails=_tails(one, other),
        before=one.rms,
        before_error=one.of_rms,
        after=other.rms,
        after_error=other.of_rms,
        chance=other.chance,
    )


def _tails(before: Excesses, after: Excesses) -> tuple[TailFigure, ...]:
    return tuple(
        TailFigure(
            observable=tail.observable,
            side=tail.side,
            before=float(before.values[i]),
            before_error=float(before.errors[i]),
            after=float(after.values[i]),
            after_error=float(after.errors[i]),
            n_before=int(before.beyond[i]),
            n_after=int(after.beyond[i]),
        )
        for i, tail in enumerate(TAILS)
    )


def _bulk(generated: Judged, truth: Judged) -> tuple[MetricResult, ...]:
    found = compare(generated.tally, truth.tally)
    return tuple(f for f in found if f.metric == "js" and f.name.startswith("points."))
