"""Figures of `calozoo physics` of several models, those of the same events together."""

from __future__ import annotations

from collections.abc import Sequence

from calozoo.benchmark.measurements import Measurements
from calozoo.physics.results import TITLES, PhysicsTest
from calozoo_core.metrics.result import MetricResult

__all__ = ["different_samples", "physics_figures"]

Kind = tuple[str, str, tuple[str, ...]]
"""Name and metric of a figure, and the hashes of the primaries that it is of."""


def physics_figures(
    measured: Sequence[Measurements], test: PhysicsTest
) -> dict[Kind, dict[str, MetricResult]]:
    """Figures of a test of `calozoo physics`, by kind, then by model.

    Kinds of one name follow each other.

    Arguments:
        measured: Measurements of each model.
        test: The test.
    """
    kinds: dict[Kind, dict[str, MetricResult]] = {}
    for one in measured:
        for result in one.physics:
            for figure in result.figures if result.test == test else ():
                if figure.value is not None:
                    kind = (figure.name, figure.metric, result.primaries_of(figure.name))
                    kinds.setdefault(kind, {})[one.spec.name] = figure
    names = list(dict.fromkeys(kind[:2] for kind in kinds))
    return dict(sorted(kinds.items(), key=lambda item: names.index(item[0][:2])))


def different_samples(measured: Sequence[Measurements]) -> bool:
    """True if a figure of some models is of other events than that of others.

    Arguments:
        measured: Measurements of each model.
    """
    kinds = [kind for test in TITLES for kind in physics_figures(measured, test)]
    return len({kind[:2] for kind in kinds}) < len(kinds)
