"""Section of a card on photon pairs and pi0: its table, and what papers print beside it."""

from __future__ import annotations

from collections.abc import Iterator

from calozoo.benchmark.measurements import Measurements
from calozoo.cards.metric_labels import label_with_unit, value_text
from calozoo.evaluation.literature import published_figures
from calozoo.physics.results import TITLES, PhysicsResult
from calozoo_core.markdown import table
from calozoo_core.metrics.result import MetricResult

__all__ = ["physics_sections"]

_HEADER = (
    "quantity",
    "model",
    "Geant4",
    "difference or divergence",
    "seeds",
    "noise floor",
    "papers",
)

_INTRODUCTION = """\
Photons only: charged hadrons, tracks and conversions are left out, and the reconstruction is
calozoo's photon finder. Ratios to Geant4 can be set beside those of papers, absolute efficiencies
cannot. Errors are from a bootstrap over events that resamples model and Geant4 together; *seeds* is
the standard deviation over the seeds of the model, *noise floor* what Geant4 with another seed
would give.""".replace("\n", " ")


def physics_sections(measurements: Measurements) -> Iterator[str]:
    """Sections of a card in Markdown, one for each test; none without any.

    Arguments:
        measurements: Measurements of the model.
    """
    if not measurements.physics:
        return
    yield f"## After a reconstruction\n\n{_INTRODUCTION}"
    for result in measurements.physics:
        rows = [_row(measurements.spec.name, figure) for figure in result.figures]
        yield f"### {TITLES[result.test]}\n\n{_samples(result)}\n\n{table(_HEADER, rows)}"


def _samples(result: PhysicsResult) -> str:
    counts = ", ".join(
        f"{sample.n_events} in `{name}` ({sample.seeds})" for name, sample in result.samples.items()
    )
    made = ", ".join(f"{name} {version}" for name, version in result.packages.items())
    return (
        f"Events, with the number of seeds of the model: {counts}; against `{result.truth}`. "
        f"Made with {made}."
    )


def _row(model: str, figure: MetricResult) -> tuple[str, ...]:
    if figure.value is None:
        return (label_with_unit(figure), "-", "-", f"- ({figure.reason})", "-", "-", "-")
    metric = figure.metric
    means = (figure.generated_value, figure.reference_value)
    around = (figure.seed_spread, figure.noise_floor)
    papers = [
        f"{value_text(paper.value, paper.error, metric)} ([{paper.paper}]({paper.url}))"
        for paper in published_figures(model, figure.name, metric)
    ]
    return (
        label_with_unit(figure),
        *("-" if mean is None else f"{mean:.4g}" for mean in means),
        value_text(figure.value, figure.error, metric),
        *("-" if value is None else value_text(value, None, metric) for value in around),
        "; ".join(papers) or "-",
    )
