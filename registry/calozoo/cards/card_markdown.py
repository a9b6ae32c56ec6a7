"""Card of a model in Markdown, made of its measurements and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from calozoo.benchmark.measurements import Measurements
from calozoo.cards.hub_metadata import card_front_matter
from calozoo.cards.metric_labels import (
    DISTANCES,
    RATIOS,
    figures_by_part,
    label,
    sort_key,
    unit,
    value_text,
)
from calozoo.cards.physics_section import physics_sections
from calozoo.evaluation.literature import PublishedFigure, published_figures
from calozoo_core.metrics.comparison import worst_group
from calozoo_core.metrics.result import MetricResult

__all__ = ["card_markdown"]

PAPER_SPEEDUPS: Final = {"caloclouds3": 129.29, "convl2lflows": 1.20}
"""Times faster than Geant4, mean over 10-100 GeV, placement included, on one core of an EPYC 7402:
the full physics benchmark, arXiv:2511.17293."""


def card_markdown(measurements: Measurements) -> str:
    """Card in Markdown, with the front matter that the Hub reads."""
    sections = [card_front_matter(measurements), _head(measurements), *_fidelity(measurements)]
    sections += physics_sections(measurements)
    if measurements.timings:
        sections.append(_speed(measurements))
    sections.append(_size(measurements))
    if measurements.notes:
        sections.append("## Notes\n\n" + "\n".join(f"- {note}" for note in measurements.notes))
    sections.append(_machine(measurements))
    return "\n\n".join(sections) + "\n"


def _head(measurements: Measurements) -> str:
    spec = measurements.spec
    low, high = spec.conditions.energy_gev
    papers = ", ".join(f"<{paper}>" for paper in spec.papers) or "none"
    size = "No weights"
    if measurements.parameters is not None and measurements.weights_bytes is not None:
        size = (
            f"{measurements.parameters:,} parameters, {measurements.weights_bytes / 1e6:.2f} MB of "
            "weights"
        )
    return (
        f"# {spec.name}\n\n{spec.summary.rstrip('.')}.\n\n"
        f"{', '.join(spec.conditions.particles)}, {low:g}-{high:g} GeV, "
        f"{spec.conditions.theta_deg[0]:g}-{spec.conditions.theta_deg[1]:g} degrees from the "
        f"normal; {spec.representation} points in `{spec.detector}`.\n"
        f"{size}, {measurements.precision}. Papers: {papers}."
    )


def _fidelity(measurements: Measurements) -> Iterator[str]:
    yield f"## How good\n\n{_sample(measurements)}"
    sources: dict[tuple[str, str], PublishedFigure] = {}
    for level, title in (("cells", "Cells, placed"), ("points", "Points")):
        rows = [
            _figure_row(measurements, figure, sources)
            for figure in sorted(measurements.fidelity[0].figures, key=sort_key)
            if figure.name.startswith(f"{level}.") and figure.metric in DISTANCES
        ]
        if rows:
            precisions = [one.precision for one in measurements.fidelity]
            header = ("figure", "unit", *precisions, "noise floor", "papers")
            yield f"### {title}\n\n{_table(header, rows)}"
    yield from _structure(measurements, sources)
    if sources:
        yield "\n".join(
            f"[{number}] <{source.url}>, {source.paper}, {source.table}: {source.sample}.  "
            for number, source in enumerate(sources.values(), 1)
        )
    if any(figure.reason for figure in measurements.fidelity[0].figures):
        reasons = {f.reason: None for f in measurements.fidelity[0].figures if f.reason}
        yield "Not given: " + " ".join(reasons)
    for picture in measurements.pictures:
        yield f"![Distributions, over those of the reference in grey]({picture})"
    yield f"### Means, generated over reference\n\n{_ratios(measurements)}"


def _structure(
    measurements: Measurements, sources: dict[tuple[str, str], PublishedFigure]
) -> Iterator[str]:
    """Classifier, ratios to the reference, and neighbours by radius."""
    figures = measurements.fidelity[0].figures
    precisions = [one.precision for one in measurements.fidelity]
    header = ("figure", "unit", *precisions, "noise floor", "papers")
    aucs = [f for f in figures if f.metric == "auc" and f.value is not None]
    ratios = [f for f in figures if f.metric in RATIOS and f.value is not None]
    if aucs:
        rows = [_figure_row(measurements, figure, sources) for figure in aucs]
        yield (
            "### Classifier\n\nArea under the ROC curve of boosted trees that tell these showers "
            "from the reference by features of their cells, all of them and group by group; 0.5 if "
            f"they cannot.\n\n{_table(header, rows)}"
        )
        worst = worst_group(aucs)
        if worst is not None and worst.telling_features:
            telling = "; ".join(f"{k} ({v:.2f})" for k, v in worst.telling_features.items())
            name = label(worst).removeprefix("AUC, ")
            yield f"Worst group: {name}. Its most telling features, each alone: {telling}."
    whole = [f for f in ratios if "@" not in f.name]
    if whole:
        rows = [_figure_row(measurements, figure, sources) for figure in whole]
        yield (
            "### Ratios to the reference\n\n1 is best; the noise floor is the distance from 1 to "
            f"be expected.\n\n{_table(header, rows)}"
        )
    by_radius = figures_by_part(ratios, "mm")
    if by_radius:
        kinds = list(dict.fromkeys(kind for row in by_radius.values() for kind in row))
        shares = [
            (part, *(_shares(row[kind]) if kind in row else "-" for kind in kinds))
            for part, row in by_radius.items()
        ]
        table = _table(("radius", *kinds), shares)
        yield (
            "### Neighbours by distance from the axis\n\nShares of points and cells with a "
            f"neighbour in their layer, generated / reference.\n\n{table}"
        )


def _shares(figure: MetricResult) -> str:
    return f"{figure.generated_value:.3f} / {figure.reference_value:.3f}"


def _sample(measurements: Measurements) -> str:
    sample = measurements.sample
    energies = ", ".join(f"{energy:g}" for energy in sample.energies_gev)
    angles = ""
    if sample.theta_deg is not None and sample.phi_deg is not None:
        angles = (
            f", straight from the interaction point with {sample.theta_deg[0]:g} < theta < "
            f"{sample.theta_deg[1]:g} and {sample.phi_deg[0]:g} < phi < {sample.phi_deg[1]:g} "
            "degrees"
        )
    points = ""
    if sample.points_reference is not None:
        points = f" Points are compared with those of `{sample.points_reference}`."
    digest = ""
    if sample.reference_sha256 is not None:
        digest = f" (sha256 {sample.reference_sha256[:12]})"
    outside = ""
    if measurements.fidelity[0].extrapolated:
        outside = " **Some of these primaries lie outside what the model was trained on.**"
    return (
        f"{sample.n_showers} photons of {energies} GeV{angles}, placed in `{sample.detector}`, "
        f"cells from {sample.threshold_mev:g} MeV, against as many of `{sample.reference}`{digest}."
        f"{points}"
        f"{outside} The noise floor is what two samples of Geant4 of this size would give; below "
        "about twice of it nothing can be told."
    )


def _figure_row(
    measurements: Measurements,
    figure: MetricResult,
    sources: dict[tuple[str, str], PublishedFigure],
) -> tuple[str, ...]:
    found = []
    for fidelity in measurements.fidelity:
        same = [f for f in fidelity.figures if (f.name, f.metric) == (figure.name, figure.metric)]
        found.append(_value(same[0]) if same else "-")
    floor = (
        "-" if figure.noise_floor is None else value_text(figure.noise_floor, None, figure.metric)
    )
    papers = published_figures(measurements.spec.name, figure.name, figure.metric)
    quoted = []
    for paper in papers:
        sources.setdefault((paper.url, paper.table), paper)
        number = list(sources).index((paper.url, paper.table)) + 1
        if paper.note:
            quoted.append(f"{paper.value:g} ± {paper.error:g} (no unit printed) [{number}]")
        else:
            quoted.append(f"{value_text(paper.value, paper.error, paper.metric)} [{number}]")
    return (label(figure), unit(figure.metric), *found, floor, "; ".join(quoted) or "-")


def _value(figure: MetricResult) -> str:
    return "-" if figure.value is None else value_text(figure.value, figure.error, figure.metric)


def _ratios(measurements: Measurements) -> str:
    ratios = measurements.fidelity[0].ratios
    names = ["visible energy", "hits"]
    if any(row.points is not None for row in ratios):
        names.append("points")
    rows = []
    for row in ratios:
        energy = f"{row.low_gev:g}"
        if f"{row.high_gev:g}" != energy:
            energy += f"-{row.high_gev:g}"
        means = (row.visible_energy, row.hits, row.points)[: len(names)]
        texts = ("-" if m is None else f"{m[0]:.4f} ± {m[1]:.4f}" for m in means)
        rows.append((energy, str(row.n_generated), *texts))
    return _table(("energy [GeV]", "showers", *names), rows)


def _speed(measurements: Measurements) -> str:
    first = measurements.timings[0]
    rows = [
        (
            f"{row.energy_gev:g}",
            f"{row.single_ms:.2f}",
            f"{row.batched_ms:.3f}",
            f"{row.single_placed_ms:.2f}",
            f"{row.batched_placed_ms:.3f}",
            "-" if row.geant4_ms is None else f"{row.geant4_ms:.0f}",
            *(("-", "-") if row.speedups is None else (f"{s:.0f}x" for s in row.speedups[2:])),
        )
        for row in first.energies
    ]
    header = (
        "energy [GeV]",
        "alone [ms]",
        f"in batches of {first.batch_size} [ms]",
        "alone, placed [ms]",
        "in batches, placed [ms]",
        "Geant4 [ms]",
        "speed-up alone, placed",
        "speed-up in batches, placed",
    )
    against = "without Geant4 beside it"
    if first.geant4 is not None:
        against = f"in turn with `{first.geant4}` for the same photons"
    modes = [
        (
            timing.precision,
            str(timing.threads),
            f"{timing.mean_ms(lambda row: row.single_ms):.2f}",
            f"{timing.mean_ms(lambda row: row.batched_ms):.3f}",
            *(
                "-" if speedup is None else f"{speedup:.0f}x"
                for speedup in (
                    timing.speedup,
                    timing.batched_speedup,
                    timing.placed_speedup,
                    timing.batched_placed_speedup,
                )
            ),
            f"{timing.load:.2f}",
        )
        for timing in measurements.timings
    ]
    mode_header = (
        "precision",
        "threads",
        "alone [ms]",
        "in batches [ms]",
        "speed-up alone",
        "in batches",
        "alone, placed",
        "in batches, placed",
        "load at the start",
    )
    paper = PAPER_SPEEDUPS.get(measurements.spec.architecture)
    quoted = ""
    if paper is not None:
        quoted = (
            f" The full physics benchmark reports {paper:g}x for the published model on another "
            "machine, one at a time, placed."
        )
    return (
        f"## How fast\n\nMilliseconds a shower, {first.precision}, {first.threads} thread, median "
        f"of {first.rounds} rounds, {against}. Start-up is not in it.{quoted}\n\n"
        f"{_table(header, rows)}\n\nMeans over these energies:\n\n{_table(mode_header, modes)}"
    )


def _size(measurements: Measurements) -> str:
    memory = measurements.memory
    if memory is None:
        why = "it is made of another model's showers" if measurements.spec.source else ""
        why = why or "it was not measured"
        return f"## How big\n\nNeither times nor memory are given: {why}."
    return (
        f"## How big\n\nWriting {memory.n_showers} showers of 10 to 100 GeV to a file takes "
        f"{memory.peak_mb:.0f} MB at its peak, {memory.generation_mb:.0f} MB above a bare Python. "
        f"A file with one shower is there after {memory.startup_s:.1f} s."
    )


def _machine(measurements: Measurements) -> str:
    machine = measurements.machine
    packages = ", ".join(f"{name} {found}" for name, found in machine.packages.items())
    return (
        f"## Measured on\n\n{machine.processor}, {machine.cores} cores, {machine.system}, "
        f"Python {machine.python}, {packages}."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
