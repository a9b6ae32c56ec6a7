"""A generated sample against a reference: every figure, and all that is needed to find it again."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Literal

from calozoo.cards.literature import PublishedFigure, published_figures
from calozoo.evaluation.accumulate import peak_mb, tally_files
from calozoo.evaluation.plan import Sample, plan_evaluation
from calozoo_core.comparison import compare, compare_features
from calozoo_core.errors import InputError
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator
from calozoo_core.strict_model import StrictModel

__all__ = ["Evaluation", "Report", "evaluate", "evaluate_files"]


class Report(StrictModel):
    """All that an evaluation found, and all that is needed to do it again; ready for JSON.

    Arguments:
        format: What this is.
        schema_version: Of this layout.
        generated: The model's sample.
        reference: Geant4's.
        readout: Whose cells were looked at, in words.
        threshold_mev: Cells with less were left out.
        seed: Of the grids of cells where there is no placement, and of distances in features.
        notes: What a reader should know.
        figures: Every figure.
        published: What papers print about the model.
        workers: Processes that took part.
        seconds: What it all took, of all generated samples together.
        peak_mb: Peak resident memory of all processes, in 10^6 bytes.
        versions: Of what computed it.
    """

    format: Literal["calozoo-evaluation"] = "calozoo-evaluation"
    schema_version: Literal[1] = 1
    generated: Sample
    reference: Sample
    readout: str
    threshold_mev: float
    seed: int
    notes: tuple[str, ...]
    figures: tuple[MetricResult, ...]
    published: tuple[PublishedFigure, ...]
    workers: int
    seconds: float
    peak_mb: float
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A generated sample against a reference.

    Arguments:
        report: What was found.
        generated: The sums it was found from.
        reference: Those of the reference.
    """

    report: Report
    generated: ObservableAccumulator
    reference: ObservableAccumulator

    @property
    def figures(self) -> tuple[MetricResult, ...]:
        """Every figure."""
        return self.report.figures

    def figure(self, name: str, metric: str) -> MetricResult:
        """One figure, such as `figure("cells.layer_energy", "js")`.

        Raises:
            InputError: If there is no such figure.
        """
        for figure in self.figures:
            if (figure.name, figure.metric) == (name, metric):
                return figure
        known = ", ".join(dict.fromkeys(f"{f.name} ({f.metric})" for f in self.figures))
        msg = f"There is no figure {name} ({metric}); there are {known}."
        raise InputError(msg)


def evaluate(
    generated: Path | str,
    reference: Path | str,
    *,
    place: str | None = None,
    threshold_mev: float = HALF_MIP_MEV,
    features: bool = False,
    seed: int = 0,
    workers: int = 1,
    on_batch: Callable[[int], None] = lambda n: None,
) -> Evaluation:
    """How far a generated sample is from a reference.

    Arguments:
        generated: A shower file of a model.
        reference: One of Geant4, of primaries with the same spectrum.
        place: Detector into which both are put, by name or as a `.toml` file. None takes the hits
            in the files, if both have them; else the reference's own detector, if that has a shape;
            else cells without gaps.
        threshold_mev: Cells with less are left out; by default half of what a muon leaves in ILD.
        features: Whether distances in features, which take longer, are found too.
        seed: Of the grids of cells where nothing is placed, and of distances in features.
        workers: Processes; the figures do not depend on their number. With more than one, a script
            must call this behind `if __name__ == "__main__":`.
        on_batch: Called with the number of showers of each run that was looked at.

    Raises:
        ShowerFileError: If a file is missing, damaged or empty.
        DetectorError: If the samples' detectors cannot be compared.
        InputError: If their primaries differ, they seem to be swapped, or an option makes no sense.
    """
    return evaluate_files(
        [Path(generated)],
        Path(reference),
        place=place,
        threshold_mev=threshold_mev,
        features=features,
        seed=seed,
        workers=workers,
        on_batch=on_batch,
    )[0]


def evaluate_files(
    generated: Sequence[Path],
    reference: Path,
    *,
    place: str | None = None,
    threshold_mev: float = HALF_MIP_MEV,
    features: bool = False,
    seed: int = 0,
    workers: int = 1,
    on_start: Callable[[int], None] = lambda n: None,
    on_batch: Callable[[int], None] = lambda n: None,
    on_looked: Callable[[], None] = lambda: None,
) -> tuple[Evaluation, ...]:
    """How far several generated samples are from one reference, which is looked at once.

    Arguments:
        generated: Shower files of models.
        reference: One of Geant4.
        place: As in `evaluate`, like all that follow.
        threshold_mev: Likewise.
        features: Likewise.
        seed: Likewise.
        workers: Likewise.
        on_start: Called with the number of showers in all files.
        on_batch: Called with the number of showers of each run that was looked at.
        on_looked: Called when all files are closed again, and figures are to be found.

    Raises:
        CalozooError: What `evaluate` raises.
    """
    start = perf_counter()
    _check_options(generated, threshold_mev, workers)
    plan = plan_evaluation(generated, reference, place, threshold_mev, seed)
    on_start(sum(sample.n_showers for sample in (*plan.generated, plan.reference)))
    tallied = tally_files(plan.looks, workers=workers, on_batch=on_batch)
    on_looked()
    *tallies, truth = tallied.tallies
    found = [_figures(tally, truth, seed, features=features) for tally in tallies]
    seconds, memory = perf_counter() - start, peak_mb() + tallied.workers_mb
    return tuple(
        Evaluation(
            Report(
                generated=plan.generated[i],
                reference=plan.reference,
                readout=truth.readout,
                threshold_mev=threshold_mev,
                seed=seed,
                notes=(*plan.notes[i], *_notes(features)),
                figures=found[i],
                published=published_figures(plan.generated[i].generator),
                workers=workers,
                seconds=round(seconds, 2),
                peak_mb=round(memory, 1),
                versions=_versions(),
            ),
            tally,
            truth,
        )
        for i, tally in enumerate(tallies)
    )


def _check_options(generated: Sequence[Path], threshold_mev: float, workers: int) -> None:
    if not generated:
        msg = "Give at least one file of generated showers."
        raise InputError(msg)
    if not 0 <= threshold_mev < math.inf:
        msg = f"A threshold must be an energy in MeV, 0 or more, not {threshold_mev:g}."
        raise InputError(msg)
    if workers < 1:
        msg = f"The number of workers must be at least 1, not {workers}."
        raise InputError(msg)


def _figures(
    generated: ObservableAccumulator, reference: ObservableAccumulator, seed: int, *, features: bool
) -> tuple[MetricResult, ...]:
    figures = compare(generated, reference)
    if not features:
        return figures
    metrics = ("fpd", "kpd", "auc") if _has_classifier() else ("fpd", "kpd")
    return figures + compare_features(generated, reference, metrics, seed=seed)


def _notes(features: bool) -> tuple[str, ...]:
    if not features or _has_classifier():
        return ()
    return ("There is no AUC, since `pip install 'calozoo[classifier]'` was not done.",)


def _has_classifier() -> bool:
    return find_spec("sklearn") is not None


def _versions() -> dict[str, str]:
    packages = ("calozoo", "calozoo-core", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
