"""Evaluation of generated showers against a reference, and its report as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Literal

from pydantic import TypeAdapter

from calozoo.evaluation.accumulate import accumulate_files, peak_mb
from calozoo.evaluation.literature import PublishedFigure, published_figures
from calozoo.evaluation.plan import SampleRecord, plan_evaluation
from calozoo_core.cores import check_processes
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.io.atomic import write_atomic
from calozoo_core.metrics.comparison import (
    classifier_floors,
    compare,
    compare_classifier,
    compare_features,
)
from calozoo_core.metrics.result import MetricResult, format_with_error
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator
from calozoo_core.strict_model import StrictModel

__all__ = [
    "Evaluation",
    "EvaluationReport",
    "evaluate",
    "evaluate_files",
    "report_text",
    "versions",
    "write_report",
]


class EvaluationReport(StrictModel):
    """Report of an evaluation: every figure, and what is needed to reproduce it.

    Arguments:
        format: Name of the format.
        schema_version: Version of the format.
        generated: Record of the model's sample.
        reference: Record of the reference.
        readout: Name of the readout, in words.
        threshold_mev: Energy below which cells were left out.
        seed: Seed of the grids of cells where there is no placement, and of feature distances.
        notes: Remarks for the reader.
        figures: Every figure.
        published: Values of the literature for the model.
        workers: Number of processes.
        seconds: Time of all generated samples together.
        peak_mb: Peak resident memory of all processes, in 10^6 bytes.
        versions: Versions of Python and packages.
    """

    format: Literal["calozoo-evaluation"] = "calozoo-evaluation"
    schema_version: Literal[1] = 1
    generated: SampleRecord
    reference: SampleRecord
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

    def __repr__(self) -> str:
        generated, reference = (
            f"{Path(sample.file).name[:40]} ({sample.n_showers} showers)"
            for sample in (self.generated, self.reference)
        )
        return (
            f"<{type(self).__name__}: {generated} against {reference}, {len(self.figures)} "
            f"figures in {self.readout}>"
        )

    __str__ = __repr__


SHOWN_METRICS = ("js", "auc", "l1")
"""Metrics of the table in a notebook."""

_REPORTS = TypeAdapter(tuple[EvaluationReport, ...])


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Evaluation of one generated sample.

    Arguments:
        report: Every figure, ready for JSON.
        generated: Accumulated observables of the sample.
        reference: Accumulated observables of the reference.
    """

    report: EvaluationReport
    generated: ObservableAccumulator
    reference: ObservableAccumulator

    def __repr__(self) -> str:
        return repr(self.report).replace("EvaluationReport", "Evaluation", 1)

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{figure.name}</td><td>{figure.metric}</td>"
            f"<td>{format_with_error(figure.value, figure.error or 0.0)}</td>"
            f"<td>{'' if figure.noise_floor is None else f'{figure.noise_floor:.2g}'}</td></tr>"
            for figure in self.figures
            if figure.value is not None and figure.metric in SHOWN_METRICS
        ]
        head = "<tr><th>figure</th><th>metric</th><th>value</th><th>noise floor</th></tr>"
        return f"<div>{escape(repr(self))}<table>{head}{''.join(rows)}</table></div>"

    @property
    def figures(self) -> tuple[MetricResult, ...]:
        """Every figure."""
        return self.report.figures

    def figure(self, name: str, metric: str) -> MetricResult:
        """Figure of an observable and a metric, such as `figure("cells.layer_energy", "js")`.

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
    classifier: bool = True,
    features: bool = False,
    seed: int = 0,
    workers: int = 1,
    on_batch: Callable[[int], None] = lambda n: None,
) -> Evaluation:
    """Evaluation of a generated sample against a reference.

    Arguments:
        generated: A shower file of a model.
        reference: A shower file of Geant4, of incident particles with the same spectrum.
        place: Detector that both are placed into, by name or as a `.toml` file. None takes the hits
            in the files, if both have them; else the reference's own detector, if that has a shape;
            else cells without gaps.
        threshold_mev: Energy below which cells are left out; by default half of what a muon leaves
            in ILD.
        classifier: Whether a classifier is trained, which takes a minute or two for 3,000 showers;
            it needs scikit-learn, and 200 showers on either side.
        features: Whether the distances FPD and KPD, which take longer, are found too.
        seed: Seed of the grids of cells where nothing is placed, and of feature distances.
        workers: Processes; the figures do not depend on their number. With more than one, a script
            must call this behind `if __name__ == "__main__":`.
        on_batch: Called with the number of showers of each batch that was read.

    Raises:
        ShowerFileError: If a file is missing, damaged or empty.
        DetectorError: If the samples' detectors cannot be compared.
        InputError: If their incident particles differ, they seem to be swapped, or an option makes
            no sense.
    """
    return evaluate_files(
        [Path(generated)],
        Path(reference),
        place=place,
        threshold_mev=threshold_mev,
        classifier=classifier,
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
    classifier: bool = True,
    features: bool = False,
    seed: int = 0,
    workers: int = 1,
    on_start: Callable[[int], None] = lambda n: None,
    on_batch: Callable[[int], None] = lambda n: None,
    on_read: Callable[[], None] = lambda: None,
) -> tuple[Evaluation, ...]:
    """Evaluations of several generated samples against one reference, which is read once.

    Arguments:
        generated: Shower files of models.
        reference: A shower file of Geant4.
        place: As in `evaluate`, like all that follow.
        threshold_mev: As in `evaluate`.
        classifier: As in `evaluate`.
        features: As in `evaluate`.
        seed: As in `evaluate`.
        workers: As in `evaluate`.
        on_start: Called with the number of showers in all files.
        on_batch: Called with the number of showers of each batch that was read.
        on_read: Called when all files are read, before the figures are computed.

    Raises:
        CalozooError: What `evaluate` raises.
    """
    start = perf_counter()
    _check_options(generated, threshold_mev, workers)
    plan = plan_evaluation(generated, reference, place, threshold_mev, seed)
    on_start(sum(sample.n_showers for sample in (*plan.generated, plan.reference)))
    files = accumulate_files(plan.readouts, workers=workers, on_batch=on_batch)
    on_read()
    *samples, truth = files.accumulators
    floors = classifier_floors(truth, seed=seed) if classifier else None
    figures = [_figures(sample, truth, floors, seed, features=features) for sample in samples]
    seconds, memory = perf_counter() - start, peak_mb() + files.workers_mb
    return tuple(
        Evaluation(
            EvaluationReport(
                generated=plan.generated[i],
                reference=plan.reference,
                readout=truth.readout,
                threshold_mev=threshold_mev,
                seed=seed,
                notes=plan.notes[i],
                figures=figures[i],
                published=published_figures(plan.generated[i].generator),
                workers=workers,
                seconds=round(seconds, 2),
                peak_mb=round(memory, 1),
                versions=versions(),
            ),
            sample,
            truth,
        )
        for i, sample in enumerate(samples)
    )


def report_text(reports: Sequence[EvaluationReport]) -> str:
    """Reports as a JSON array, one entry per generated sample."""
    return _REPORTS.dump_json(tuple(reports), indent=2).decode() + "\n"


def write_report(path: Path, reports: Sequence[EvaluationReport]) -> None:
    """Write reports to a file.

    Raises:
        CalozooError: If it cannot be written.
    """
    try:
        write_atomic(path, report_text(reports))
    except OSError as error:
        msg = f"{path} cannot be written: {str(error.strerror).lower()}."
        raise CalozooError(msg) from error


def _check_options(generated: Sequence[Path], threshold_mev: float, workers: int) -> None:
    if not generated:
        msg = "Give at least one file of generated showers."
        raise InputError(msg)
    if not 0 <= threshold_mev < math.inf:
        msg = f"A threshold must be an energy in MeV, 0 or more, not {threshold_mev:g}."
        raise InputError(msg)
    check_processes(workers, "workers")


def _figures(
    generated: ObservableAccumulator,
    reference: ObservableAccumulator,
    floors: Mapping[str, float] | None,
    seed: int,
    *,
    features: bool,
) -> tuple[MetricResult, ...]:
    figures = compare(generated, reference)
    if floors is not None:
        figures += compare_classifier(generated, reference, seed=seed, floors=floors)
    return figures + (compare_features(generated, reference, seed=seed) if features else ())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on, by name."""
    packages = ("calozoo", "calozoo-core", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
