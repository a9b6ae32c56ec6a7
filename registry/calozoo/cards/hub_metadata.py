"""Measured values of a model card as the Hugging Face Hub reads them, in its front matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from calozoo.benchmark.measurements import Measurements
from calozoo.hub import front_matter

__all__ = ["card_front_matter"]

_TASK: Final = {
    "task_type": "calorimeter-shower-generation",
    "task_name": "Generation of calorimeter showers",
}


def card_front_matter(measurements: Measurements) -> str:
    """The front matter of a card: licence, tags, every divergence, speeds and memory."""
    spec, results = measurements.spec, [*_divergences(measurements), *_costs(measurements)]
    return front_matter(spec.name, spec.license, [spec.architecture], results)


def _divergences(measurements: Measurements) -> Iterator[dict[str, Any]]:
    sample = measurements.sample
    energies = "-".join(
        f"{energy:g}" for energy in (sample.energies_gev[0], sample.energies_gev[-1])
    )
    photons = f"{sample.n_showers} photons of {energies} GeV in {sample.detector}"
    references = {"cells": sample.reference, "points": sample.points_reference}
    for level, reference in references.items():
        for figure in measurements.fidelity[0].figures:
            is_here = figure.metric == "js" and figure.name.startswith(f"{level}.")
            if reference is not None and is_here and figure.value is not None:
                yield _TASK | {
                    "dataset_type": f"{sample.detector}-single-photons-{level}",
                    "dataset_name": f"{photons}, against {reference}",
                    "metric_type": "jensen-shannon-divergence",
                    "metric_name": f"Jensen-Shannon divergence of {figure.name}, nat",
                    "metric_value": figure.value,
                }


def _costs(measurements: Measurements) -> Iterator[dict[str, Any]]:
    """Speed-ups, times per shower, and memory, as far as they were measured."""
    values: list[tuple[str, str, float | None]] = []
    for timing in measurements.timings[:1]:
        batches, than = f"in batches of {timing.batch_size}", f"times faster than {timing.geant4}"
        values += [
            ("speed-up-single", f"{than}, one at a time", timing.speedup),
            ("speed-up-batched", f"{than}, {batches}", timing.batched_speedup),
            ("speed-up-single-placed", f"{than}, one at a time, placed", timing.placed_speedup),
            (
                "speed-up-batched-placed",
                f"{than}, in batches, placed",
                timing.batched_placed_speedup,
            ),
            (
                "milliseconds-single",
                "ms a shower, one at a time",
                timing.mean_ms(lambda row: row.single_ms),
            ),
            (
                "milliseconds-batched",
                f"ms a shower, {batches}",
                timing.mean_ms(lambda row: row.batched_ms),
            ),
        ]
    if measurements.memory is not None:
        values.append(("peak-memory", "peak memory, MB", measurements.memory.peak_mb))
    for kind, name, value in values:
        if value is not None:
            yield _TASK | {
                "dataset_type": f"{measurements.sample.detector}-speed",
                "dataset_name": "the same photons on one thread",
                "metric_type": kind,
                "metric_name": name,
                "metric_value": value,
            }
