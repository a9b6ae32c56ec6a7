"""Values of the literature: what papers print about their models, beside what is measured here."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = ["PublishedFigure", "published_figures"]

Printed = tuple[float, Annotated[float, Field(ge=0)]]


class PublishedFigure(StrictModel):
    """Value of a paper.

    Arguments:
        paper: Short title of the paper.
        url: Address of the paper.
        table: Table it is printed in.
        sample: Sample of the paper.
        model: Architecture, or name, of the model of this zoo that it describes.
        name: The observable, as in `calozoo_core.metrics.result.MetricResult`.
        metric: Likewise.
        value: The value, without the factor it was printed with.
        error: Its error.
        note: What keeps it from being compared, if anything does.
    """

    paper: str
    url: str
    table: str
    sample: str
    model: str
    name: str
    metric: str
    value: float
    error: float
    note: str | None = None


class _Row(StrictModel):
    """Row of a table: one figure of several models."""

    name: str
    metric: str
    scale: float = Field(default=1, gt=0)
    note: str | None = None
    models: dict[str, Printed] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _other_keys_are_models(cls, row: dict[str, Any]) -> dict[str, Any]:
        known = {"name", "metric", "scale", "note"}
        return {k: v for k, v in row.items() if k in known} | {
            "models": {k: v for k, v in row.items() if k not in known}
        }


class _Table(StrictModel):
    table: str
    sample: str
    figures: tuple[_Row, ...] = Field(min_length=1)


class _Paper(StrictModel):
    paper: str
    url: str
    tables: tuple[_Table, ...] = Field(min_length=1)


def published_figures(
    model: str, name: str | None = None, metric: str | None = None
) -> tuple[PublishedFigure, ...]:
    """Values that papers print about a model.

    Arguments:
        model: Name of a model, with its tag: what is printed of its architecture is found too.
        name: Name of the observable; None for all.
        metric: Name of the metric; None for all.

    Example:
        >>> figure, = published_figures("optimum.x9", "cells.radial_energy_30")
        >>> figure.paper, figure.table, round(figure.value, 9)
        ('Full physics benchmark', 'Table I', 4.6e-05)
    """
    return tuple(
        figure
        for figure in _all()
        if figure.model in (model, model.partition(".")[0])
        and name in (None, figure.name)
        and metric in (None, figure.metric)
    )


@cache
def _all() -> tuple[PublishedFigure, ...]:
    texts = sorted(
        (f for f in files(__name__).iterdir() if f.name.endswith(".toml")), key=lambda f: f.name
    )
    papers = [_Paper.model_validate(tomllib.loads(f.read_text(encoding="utf-8"))) for f in texts]
    return tuple(
        PublishedFigure(
            paper=paper.paper,
            url=paper.url,
            table=table.table,
            sample=table.sample,
            model=model,
            name=row.name,
            metric=row.metric,
            value=value * row.scale,
            error=error * row.scale,
            note=row.note,
        )
        for paper in papers
        for table in paper.tables
        for row in table.figures
        for model, (value, error) in row.models.items()
    )
