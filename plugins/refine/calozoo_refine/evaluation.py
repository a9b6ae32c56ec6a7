"""Evaluation of a refinement: tails and bulk of the model and the refined model against Geant4."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from time import process_time
from typing import TYPE_CHECKING, Final

import numpy as np

from calozoo_core.detector import Detector, load_detector
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.metrics.comparison import compare
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.observables.tails import TAIL_OBSERVABLES, AxisPoints, TailSample, TailScore
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_refine import REFINED
from calozoo_refine.refinement import RefinementConfig
from calozoo_refine.report import RefinementReport, ShowerCost, TailLevel, TailResult
from calozoo_refine.tail_excess import TAILS, TailExcesses, min_showers, tail_excesses

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "EvaluationSample",
    "RefinementResult",
    "SampleBuilder",
    "evaluate_generator",
    "make_report",
]

LEVELS: Final = (1e-2, 1e-3)
"""Parts of Geant4's showers in the tails that are reported."""

BATCH_SIZE: Final = 512

SIZE_INCHES: Final = (7.2, 7.6)
RANK_BINS: Final = 13
LARGEST_LOG_ODDS: Final = 2.5
"""Decimal logarithm of the odds at which the outermost bins start: ranks of 0.003 and 0.997."""

BEFORE_COLOUR, AFTER_COLOUR, ERROR_COLOUR = "#d55e00", "#0072b2", "#d4d4d4"


@dataclass(frozen=True, eq=False)
class EvaluationSample:
    """Observables of a set of showers.

    Arguments:
        tails: Tail observables.
        bulk: Histograms of the points.
        seconds: Processor time it took to generate them; 0 for showers of a file.
    """

    tails: TailSample
    bulk: ObservableAccumulator
    seconds: float


@dataclass(frozen=True, eq=False)
class RefinementResult:
    """Report of a refinement with the samples it is made from; a `WrapperResult`.

    Arguments:
        report: All numbers.
        reference: Held-out Geant4 showers.
        before: Showers of the model.
        after: Showers of the refined model.
    """

    report: RefinementReport
    reference: EvaluationSample
    before: EvaluationSample
    after: EvaluationSample

    @property
    def summary(self) -> tuple[str, ...]:
        """Lines on the showers, the settings and the cost."""
        return self.report.summary()

    @property
    def tables(self) -> tuple[list[tuple[str, ...]], ...]:
        """Tables of the tails and of the bulk, the header first."""
        return self.report.tables()

    def to_json(self) -> str:
        """Report as a JSON object."""
        return self.report.model_dump_json(indent=2)

    def figure(self) -> Figure:
        """Ratio to Geant4 of every tail observable, in bins of rank that are narrow in the tails.

        The rank of a shower is the part of Geant4's showers of its energy and angle that lie below
        it. A perfect model is 1 everywhere.
        """
        from matplotlib.figure import Figure

        score = TailScore(self.reference.tails)
        ranks = [(score.ranks(one.tails) + 1) / 2 for one in (self.before, self.after)]
        n = len(self.reference.tails)
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.subplots(4, 2, sharex=True, sharey=True).ravel()
        for k, (one, observable) in enumerate(zip(axes, TAIL_OBSERVABLES, strict=True)):
            _draw_ratios(one, [rank[:, k] for rank in ranks], n)
            one.set_title(observable.label.partition(" [")[0], fontsize=8)
        for one in axes[-2:]:
            one.set_xlabel("part of Geant4's showers below")
        for one in axes[::2]:
            one.set_ylabel("model / Geant4")
        handles = [*axes[0].collections[:1], *axes[0].containers]
        labels = ["error of Geant4's", self.report.model, self.report.refined]
        axes[0].legend(handles, labels, fontsize=6.5)
        return figure


class SampleBuilder:
    """Accumulation of an `EvaluationSample`, batch by batch.

    Arguments:
        detector: Detector of the showers.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._bulk = ObservableAccumulator(detector, levels=("points",))
        self._tails: list[TailSample] = []

    def add(self, showers: Showers) -> None:
        """Add a batch of showers."""
        points = AxisPoints.from_showers(showers, self._detector)
        self._tails.append(TailSample.from_points(points))
        self._bulk.add(showers)

    def sample(self, seconds: float = 0.0) -> EvaluationSample:
        """Sample of all showers that were added."""
        return EvaluationSample(TailSample.concatenate(self._tails), self._bulk, seconds)


def evaluate_generator(
    generator: Generator,
    incident: Incident,
    copies: int,
    seed: int,
    on_showers: Callable[[int], None],
) -> EvaluationSample:
    """Sample of generated showers, with the processor time they took.

    Arguments:
        generator: Generator of the showers.
        incident: Primaries.
        copies: Number of showers for each primary.
        seed: Seed of the showers.
        on_showers: Called with the number of showers of each batch.
    """
    builder = SampleBuilder(load_detector(generator.spec.detector))
    seconds = 0.0
    for copy in range(copies):
        batches = generator.batches(
            incident,
            seed=seed,
            first=copy * len(incident),
            batch_size=BATCH_SIZE,
            extrapolate=True,
        )
        while True:
            start = process_time()
            showers = next(batches, None)
            seconds += process_time() - start
            if showers is None:
                break
            builder.add(showers)
            on_showers(len(showers))
    return builder.sample(seconds)


def make_report(
    config: RefinementConfig,
    auc: float | None,
    reference: EvaluationSample,
    before: EvaluationSample,
    after: EvaluationSample,
    held_out: float,
) -> RefinementReport:
    """Report of a refinement, from held-out showers.

    Arguments:
        config: Configuration of the refinement.
        auc: Area under the ROC curve of the classifier, if there is one.
        reference: Held-out Geant4 showers.
        before: Showers of the model for the same primaries.
        after: Showers of the refined model for the same primaries.
        held_out: Part of the reference that was held out.
    """
    n_generated = len(before.tails)
    costs = before.seconds / n_generated, after.seconds / n_generated
    packages = ("calozoo-refine", "calozoo-core", "numpy")
    return RefinementReport(
        model=config.base,
        refined=config.base + REFINED.suffix,
        reference=config.reference.files,
        sha256=config.reference.sha256,
        n_fitted=config.reference.n_fitted,
        n_held_out=config.reference.n_held_out,
        n_generated=n_generated,
        split=(
            f"each shower is held out with probability {held_out:g}, by seed {config.seed}; "
            "nothing is fitted, stopped, calibrated or chosen on those"
        ),
        mode=config.mode,
        moves=config.moves,
        power=config.power,
        cap=config.cap,
        acceptance=config.acceptance,
        ess=config.ess,
        clipped=config.clipped,
        auc=auc,
        seed=config.seed,
        cost=ShowerCost(before=costs[0], after=costs[1], ratio=costs[1] / costs[0]),
        levels=tuple(_level(level, reference, before, after, config.seed) for level in LEVELS),
        bulk_before=_divergences(before, reference),
        bulk_after=_divergences(after, reference),
        versions={"python": platform.python_version()} | {name: version(name) for name in packages},
    )


def _level(
    level: float,
    reference: EvaluationSample,
    before: EvaluationSample,
    after: EvaluationSample,
    seed: int,
) -> TailLevel:
    n = len(reference.tails)
    n_reference = round(level * n)
    if n < min_showers(level):
        reason = (
            f"{n} held-out showers are too few for this quantile; it needs {min_showers(level)}."
        )
        return TailLevel(level=level, n_reference=n_reference, reason=reason)
    first, second = (
        tail_excesses(reference.tails, sample.tails, level, seed) for sample in (before, after)
    )
    return TailLevel(
        level=level,
        n_reference=n_reference,
        tails=_tail_results(first, second),
        before=first.rms,
        before_error=first.rms_error,
        after=second.rms,
        after_error=second.rms_error,
        chance=second.expected_rms,
    )


def _tail_results(before: TailExcesses, after: TailExcesses) -> tuple[TailResult, ...]:
    return tuple(
        TailResult(
            observable=tail.observable,
            side=tail.side,
            before=float(before.values[i]),
            before_error=float(before.errors[i]),
            after=float(after.values[i]),
            after_error=float(after.errors[i]),
            n_before=int(before.n_beyond[i]),
            n_after=int(after.n_beyond[i]),
        )
        for i, tail in enumerate(TAILS)
    )


def _divergences(
    generated: EvaluationSample, reference: EvaluationSample
) -> tuple[MetricResult, ...]:
    """Jensen-Shannon divergences of the observables of points."""
    found = compare(generated.bulk, reference.bulk)
    return tuple(f for f in found if f.metric == "js" and f.name.startswith("points."))


def _draw_ratios(axes: Axes, ranks: list[FloatArray], n_reference: int) -> None:
    """Draw the density of ranks of the model and of the refined model, with their errors."""
    log_odds = np.linspace(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, RANK_BINS + 1)
    edges = 10**log_odds / (1 + 10**log_odds)
    edges[[0, -1]] = 0, 1  # the last bins hold everything farther out
    widths = np.diff(edges)
    centres = (log_odds[1:] + log_odds[:-1]) / 2
    error = 1 / np.sqrt(widths * n_reference)
    axes.fill_between(centres, 1 - error, 1 + error, step="mid", color=ERROR_COLOUR, lw=0)
    for rank, colour in zip(ranks, (BEFORE_COLOUR, AFTER_COLOUR), strict=True):
        counts = np.histogram(rank, edges)[0]
        axes.errorbar(
            centres,
            counts / len(rank) / widths,
            np.sqrt(np.maximum(counts, 1)) / len(rank) / widths,
            fmt="o",
            ms=3,
            lw=0.8,
            color=colour,
        )
    axes.axhline(1, color="black", lw=0.6)
    axes.set_ylim(0, 3)
    shown = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    axes.set_xticks(np.log10(shown / (1 - shown)), [f"{part:g}" for part in shown])
