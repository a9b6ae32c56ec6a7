"""Errors and floors from blocks: what repeated experiments would give."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from calozoo_core.metrics import halves, jackknife_error, js_divergence, scaled_floor
from calozoo_core.metrics.result import MetricResult

BLOCKS = 50
LAW = np.linspace(1, 3, 20) / np.linspace(1, 3, 20).sum()
OTHER = LAW[::-1] * 0.3 + LAW * 0.7


def experiment(rng, n=5000):
    """Two samples of different laws, in blocks of showers."""
    return (rng.multinomial(n // BLOCKS, law, size=BLOCKS) for law in (OTHER, LAW))


def divergence(one, other):
    return js_divergence(one.sum(axis=0), other.sum(axis=0))


def test_the_error_from_blocks_is_the_scatter_of_repeated_experiments():
    rng = np.random.default_rng(1)
    values, errors = [], []
    for _ in range(150):
        one, other = experiment(rng)
        values.append(divergence(one, other))
        both = [
            jackknife_error(lambda rows, a=one, b=other: divergence(a[rows], b), BLOCKS),
            jackknife_error(lambda rows, a=one, b=other: divergence(a, b[rows]), BLOCKS),
        ]
        errors.append(np.hypot(*both))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_a_floor_from_halves_is_what_two_samples_of_one_law_have():
    rng, n, m = np.random.default_rng(2), 8000, 2000
    floors, values = [], []
    for _ in range(40):
        reference = rng.multinomial(n // BLOCKS, LAW, size=BLOCKS)
        split = [divergence(reference[a], reference[b]) for a, b in halves(BLOCKS)]
        floors.append(scaled_floor(float(np.mean(split)), n, m))
        values.append(js_divergence(rng.multinomial(m, LAW), reference.sum(axis=0)))
    assert np.mean(floors) == pytest.approx(np.mean(values), rel=0.25)


def test_halves_are_halves_and_always_the_same():
    splits = list(halves(BLOCKS))
    for one, other in splits:
        assert one.sum() == BLOCKS // 2
        assert np.array_equal(one, ~other)
    assert len({one.tobytes() for one, _ in splits}) == len(splits)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(splits, halves(BLOCKS), strict=True))


@pytest.mark.parametrize(
    ("n", "m", "power", "factor"),
    [(1000, 500, 1, 0.75), (1000, 10**9, 1, 0.25), (1000, 1000, 0.5, np.sqrt(0.5))],
)
def test_floors_scale_with_the_sizes(n, m, power, factor):
    # Halves are 500 and 500 showers: 1/500 + 1/500 = 4/n.
    assert scaled_floor(1.0, n, m, power=power) == pytest.approx(factor, rel=1e-6)


def test_a_figure_has_a_value_or_a_reason():
    sizes = {"name": "cells.spectrum", "metric": "js", "n_generated": 3, "n_reference": 4}
    with pytest.raises(ValidationError, match="either a value or a reason"):
        MetricResult(**sizes)
    with pytest.raises(ValidationError, match="either a value or a reason"):
        MetricResult(value=0.1, reason="Too few.", **sizes)
    with pytest.raises(ValidationError, match="finite"):
        MetricResult(value=float("nan"), **sizes)
