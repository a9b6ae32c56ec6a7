"""What `calozoo refine` says of a refined model: its tails and its bulk, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from calozoo_core.errors import CalozooError
from calozoo_core.metrics.result import MetricResult
from calozoo_core.strict_model import StrictModel

__all__ = ["REPORT_FILE", "Cost", "Level", "RefinementReport", "TailFigure", "read_report"]

REPORT_FILE = "refinement.json"


class TailFigure(StrictModel):
    """The excess in one tail: the part of the showers beyond Geant4's quantile, over its own, - 1.

    Arguments:
        observable: Which.
        side: Of its distribution.
        before: Of the model.
        before_error: Its statistical error, of both samples.
        after: Of the refined model.
        after_error: Likewise.
        n_before: Showers of the model in this tail.
        n_after: Of the refined model.
    """

    observable: str
    side: Literal["low", "high"]
    before: float
    before_error: float = Field(ge=0)
    after: float
    after_error: float = Field(ge=0)
    n_before: int = Field(ge=0)
    n_after: int = Field(ge=0)


class Level(StrictModel):
    """All tails beyond one quantile.

    Arguments:
        level: The part of Geant4's showers that lies beyond it.
        n_reference: Held-out showers of Geant4 in each tail.
        tails: Each of them.
        before: Root mean square excess of all, of the model.
        before_error: Its statistical error.
        after: Of the refined model.
        after_error: Likewise.
        chance: Of two samples of one law, of these sizes.
        reason: Why there are no figures.
    """

    level: float
    n_reference: int
    tails: tuple[TailFigure, ...] = ()
    before: float | None = None
    before_error: float | None = None
    after: float | None = None
    after_error: float | None = None
    chance: float | None = None
    reason: str | None = None


class Cost(StrictModel):
    """What a shower costs, in processor seconds.

    Arguments:
        before: Of the model.
        after: Of the refined model, all its tries taken together.
        ratio: Of both.
    """

    before: float
    after: float
    ratio: float


class RefinementReport(StrictModel):
    """How good a refinement is, by showers of Geant4 that it was not fitted on.

    Arguments:
        model: Name of the model.
        refined: Of the refined one.
        reference: Files of Geant4's showers.
        sha256: Of each.
        n_fitted: Showers of them it was fitted on.
        n_held_out: Showers that were kept from it, and judge it here.
        n_generated: Showers of either model that are judged.
        split: How the reference was split, in words.
        mode: Of the correction.
        moves: Whether showers are moved first.
        power: To which the ratio of densities is taken; 0 if there is none.
        cap: The largest weight.
        acceptance: Part of the proposed showers that are kept.
        ess: Effective part of the showers, if they were weighted.
        clipped: Part of the showers whose weight is the cap.
        auc: Of the classifier, on moved showers that it had not seen.
        seed: Of all of it.
        cost: Of a shower.
        levels: The tails.
        bulk_before: Jensen-Shannon divergences of the model.
        bulk_after: Of the refined model.
        versions: Of what computed it.
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
    cost: Cost
    levels: tuple[Level, ...]
    bulk_before: tuple[MetricResult, ...]
    bulk_after: tuple[MetricResult, ...]
    versions: dict[str, str]


def read_report(path: Path) -> RefinementReport:
    """The report in a JSON file.

    Raises:
        CalozooError: If the file is missing, or is none of ours.
    """
    try:
        return RefinementReport.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read: {str(error.strerror).lower()}."
        raise CalozooError(msg) from error
    except ValidationError as error:
        msg = f"{path} is no report of a refinement; make it with `calozoo refine`."
        raise CalozooError(msg) from error
