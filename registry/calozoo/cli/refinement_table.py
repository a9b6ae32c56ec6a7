"""What `calozoo refine` prints, on the terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from calozoo.cli.evaluation_table import measured
from calozoo.cli.table import aligned

if TYPE_CHECKING:
    from calozoo.refinement.report import Level, RefinementReport
    from calozoo_core.metrics.result import MetricResult

__all__ = ["refinement_markdown", "refinement_text"]

Row = tuple[str, ...]


def refinement_text(report: RefinementReport) -> str:
    """A report as a table."""
    rows = [row for level in report.levels for row in _level_rows(level)]
    return "\n".join([*_head(report), "", aligned(rows), "", aligned(_bulk_rows(report))])


def refinement_markdown(report: RefinementReport) -> str:
    """The same as Markdown, for a page."""
    tables = [list(_level_rows(level)) for level in report.levels]
    parts = ["\n".join(f"- {line}" for line in _head(report))]
    parts += [_markdown(rows) for rows in [*tables, _bulk_rows(report)]]
    return "\n\n".join(parts) + "\n"


def _head(report: RefinementReport) -> Iterator[str]:
    yield (
        f"{report.refined}: fitted on {report.n_fitted} showers of Geant4, judged by "
        f"{report.n_held_out} others and {report.n_generated} generated ones"
    )
    moved = "showers are moved" if report.moves else "showers are not moved"
    if not report.power:
        yield f"{moved}; no weights (mode {report.mode})"
    else:
        yield (
            f"{moved}; {report.mode}, weights to the power {report.power:g} and at most "
            f"{report.cap:g}, {100 * report.clipped:.1f} % of them cut"
        )
    yield (
        f"acceptance {report.acceptance:.2f}, effective sample size {report.ess:.2f} of the "
        f"showers, cost of a shower {report.cost.ratio:.2f} times the model's"
    )


def _level_rows(level: Level) -> Iterator[Row]:
    head = f"EXCESS AT {level.level:g} [%]"
    yield (head, "SIDE", "BEFORE", "AFTER", "SHOWERS", "GEANT4")
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


def _bulk_rows(report: RefinementReport) -> list[Row]:
    rows: list[Row] = [("JS [1e-4]", "BEFORE", "AFTER", "FLOOR")]
    for before, after in zip(report.bulk_before, report.bulk_after, strict=True):
        rows.append((before.name, _divergence(before), _divergence(after), _floor(after)))
    return rows


def _divergence(figure: MetricResult) -> str:
    if figure.value is None:
        return "-"
    return measured(1e4 * figure.value, 1e4 * (figure.error or 0))


def _floor(figure: MetricResult) -> str:
    return "-" if figure.noise_floor is None else f"{1e4 * figure.noise_floor:.2g}"


def _percent(value: float, error: float) -> str:
    return f"{100 * value:+.0f} ± {100 * error:.0f}"


def _markdown(rows: list[Row]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
