"""Report of a refinement: tails, bulk observables and cost, before and after the correction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from calozoo_core.metrics.result import MetricResult, format_with_error
from calozoo_core.strict_model import StrictModel

__all__ = [
    "REPORT_FILE",
    "RefinementReport",
    "ShowerCost",
    "TailLevel",
    "TailResult",
]

REPORT_FILE: Final = "refinement.json"

Row = tuple[str, ...]


class TailResult(StrictModel):
    """Excess in one tail: the part of the showers beyond Geant4's quantile over its own, minus 1.

    Arguments:
        observable: Name of the observable.
        side: Side of its distribution.
        before: Excess of the model.
        before_error: Statistical error of `before`, of both samples.
        after: Excess of the refined model.
        after_error: Statistical error of `after`, of both samples.
        n_before: Number of showers of the model in this tail.
        n_after: Number of showers of the refined model in this tail.
    """

    observable: str
    side: Literal["low", "high"]
    before: float
    before_error: float = Field(ge=0)
    after: float
    after_error: float = Field(ge=0)
    n_before: int = Field(ge=0)
    n_after: int = Field(ge=0)


class TailLevel(StrictModel):
    """Excesses of all tails beyond one quantile.

    Arguments:
        level: Part of Geant4's showers that lies beyond the quantile.
        n_reference: Number of held-out Geant4 showers in each tail.
        tails: Excess in each tail.
        before: Root mean square excess of the model.
        before_error: Statistical error of `before`.
        after: Root mean square excess of the refined model.
        after_error: Statistical error of `after`.
        chance: Root mean square excess expected for two samples of one distribution.
        reason: Reason why there are no numbers.
    """

    level: float
    n_reference: int
    tails: tuple[TailResult, ...] = ()
    before: float | None = None
    before_error: float | None = None
    after: float | None = None
    after_error: float | None = None
    chance: float | None = None
    reason: str | None = None


class ShowerCost(StrictModel):
    """Processor seconds a shower.

    Arguments:
        before: Cost of a shower of the model.
        after: Cost of a shower of the refined model, with all its proposals.
        ratio: Ratio of the two.
    """

    before: float
    after: float
    ratio: float


class RefinementReport(StrictModel):
    """Quality of a refinement, measured with Geant4 showers that were held out of the fit.

    Arguments:
        model: Name of the model.
        refined: Name of the refined model.
        reference: Names of the files with Geant4 showers.
        sha256: Digest of each file.
        n_fitted: Number of Geant4 showers in the fit.
        n_held_out: Number of Geant4 showers that were held out.
        n_generated: Number of evaluated showers of the model, and of the refined model.
        split: Sentence on how the reference was split.
        mode: Use of the density ratio.
        moves: Showers are transported first.
        power: Power to which the ratio of densities is taken; 0 without one.
        cap: Largest weight.
        acceptance: Part of the proposed showers that are kept.
        ess: Effective sample size over the number of showers, if they are weighted.
        clipped: Part of the showers whose weight is the cap.
        auc: Area under the ROC curve of the classifier, on held-out transported showers.
        seed: Seed of the fit and of the evaluation.
        cost: Processor time of a shower.
        levels: Excesses in the tails at each level.
        bulk_before: Jensen-Shannon divergences of the model.
        bulk_after: Jensen-Shannon divergences of the refined model.
        versions: Versions of the packages.
    """

    model: str
    refined: str
    reference: tuple[str, ...]
    sha256: tuple[str, ...]
    n_fitted: int
    n_held_out: int
    n_generated: int
    split: str
    mode: str
    moves: bool
    power: float
    cap: float
    acceptance: float
    ess: float
    clipped: float
    auc: float | None
    seed: int
    cost: ShowerCost
    levels: tuple[TailLevel, ...]
    bulk_before: tuple[MetricResult, ...]
    bulk_after: tuple[MetricResult, ...]
    versions: dict[str, str]

    def summary(self) -> tuple[str, ...]:
        """Three lines: showers, settings and cost."""
        moved = "showers are moved" if self.moves else "showers are not moved"
        weighted = (
            f"{moved}; {self.mode}, weights to the power {self.power:g} and at most "
            f"{self.cap:g}, {100 * self.clipped:.1f} % of them cut"
        )
        showers = (
            f"{self.refined}: fitted on {self.n_fitted} showers of Geant4, judged by "
            f"{self.n_held_out} others and {self.n_generated} generated ones"
        )
        cost = (
            f"acceptance {self.acceptance:.2f}, effective sample size {self.ess:.2f} of the "
            f"showers, cost of a shower {self.cost.ratio:.2f} times the model's"
        )
        unweighted = f"{moved}; no weights (mode {self.mode})"
        return showers, weighted if self.power else unweighted, cost

    def tables(self) -> tuple[list[Row], ...]:
        """Tables of text, the header first: one of each level, and one of the bulk observables."""
        return (*(list(_level_rows(level)) for level in self.levels), self._bulk_rows())

    def _bulk_rows(self) -> list[Row]:
        rows: list[Row] = [("JS [1e-4]", "BEFORE", "AFTER", "FLOOR")]
        for before, after in zip(self.bulk_before, self.bulk_after, strict=True):
            floor = "-" if after.noise_floor is None else f"{1e4 * after.noise_floor:.2g}"
            rows.append((before.name, _divergence(before), _divergence(after), floor))
        return rows


def _level_rows(level: TailLevel) -> Iterator[Row]:
    yield (f"EXCESS AT {level.level:g} [%]", "SIDE", "BEFORE", "AFTER", "SHOWERS", "GEANT4")
    if level.reason is not None:
        yield (level.reason, "", "", "", "", "")
        return
    for tail in level.tails:
        yield (
            tail.observable,
            tail.side,
            _percent(tail.before, tail.before_error),
            _percent(tail.after, tail.after_error),
            f"{tail.n_before} -> {tail.n_after}",
            str(level.n_reference),
        )
    yield (
        "root mean square",
        "",
        _percent(level.before or 0, level.before_error or 0),
        _percent(level.after or 0, level.after_error or 0),
        f"chance {100 * (level.chance or 0):.0f}",
        "",
    )


def _percent(value: float, error: float) -> str:
    return f"{100 * value:+.0f} ± {100 * error:.0f}"


def _divergence(result: MetricResult) -> str:
    if result.value is None:
        return "-"
    return format_with_error(1e4 * result.value, 1e4 * (result.error or 0))
