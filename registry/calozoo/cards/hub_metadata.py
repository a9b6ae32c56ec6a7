"""What the Hugging Face Hub reads of a model card: its front matter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from calozoo.benchmark.measurements import EnergyTimes, Measurements, Timing

__all__ = ["front_matter"]

_TASK: Final = {
    "type": "calorimeter-shower-generation",
    "name": "Generation of calorimeter showers",
}


def front_matter(measurements: Measurements) -> str:
    """The lines between --- and ---, in YAML: licence, tags, every divergence, speeds and size."""
    spec = measurements.spec
    about = {
        "license": spec.license.lower(),
        "library_name": "calozoo",
        "tags": ["calorimeter", "fast-simulation", "particle-physics", spec.architecture],
        "model-index": [{"name": spec.name, "results": list(_results(measurements))}],
    }
    return "---\n" + "\n".join(_yaml(about)) + "\n---"


def _results(measurements: Measurements) -> Iterator[dict[str, Any]]:
    sample = measurements.sample
    shape = "-".join(f"{energy:g}" for energy in (sample.energies_gev[0], sample.energies_gev[-1]))
    photons = f"{sample.n_showers} photons of {shape} GeV in {sample.detector}"
    groups = [("cells", f"{photons}, against {sample.reference}")]
    if sample.points_reference is not None:
        groups.append(("points", f"{photons}, against {sample.points_reference}"))
    for level, name in groups:
        metrics = [
            {
                "type": "jensen-shannon-divergence",
                "name": f"Jensen-Shannon divergence of {figure.name}, nat",
                "value": figure.value,
            }
            for figure in measurements.fidelity[0].figures
            if figure.metric == "js" and figure.name.startswith(f"{level}.")
            if figure.value is not None
        ]
        if metrics:
            yield _result(f"{sample.detector}-single-photons-{level}", name, metrics)
    times = [
        {
            "type": f"speed-up-{kind}",
            "name": f"times faster than {first.geant4}, {words}",
            "value": v,
        }
        for first in measurements.timings[:1]
        for kind, words, v in (
            ("single", "one at a time", first.speedup),
            ("batched", f"in batches of {first.batch_size}", first.batched_speedup),
            ("single-placed", "one at a time, placed", first.placed_speedup),
            ("batched-placed", "in batches, placed", first.batched_placed_speedup),
        )
        if v is not None
    ]
    times += [
        {
            "type": f"milliseconds-{kind}",
            "name": f"ms a shower, {words}",
            "value": first.mean_ms(of),
        }
        for first in measurements.timings[:1]
        for kind, words, of in _columns(first)
    ]
    if measurements.memory is not None:
        memory = measurements.memory
        times.append({"type": "peak-memory", "name": "peak memory, MB", "value": memory.peak_mb})
    if times:
        yield _result(f"{sample.detector}-speed", "the same photons on one thread", times)


def _columns(timing: Timing) -> tuple[tuple[str, str, Callable[[EnergyTimes], float]], ...]:
    return (
        ("single", "one at a time", lambda row: row.single_ms),
        ("batched", f"in batches of {timing.batch_size}", lambda row: row.batched_ms),
    )


def _result(kind: str, name: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {"task": _TASK, "dataset": {"type": kind, "name": name}, "metrics": metrics}


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Block YAML of dicts and lists; a text or a number in JSON is YAML as well."""
    for key, item in value.items() if isinstance(value, dict) else ((None, i) for i in value):
        head = f"{indent}- " if key is None else f"{indent}{key}:"
        if not isinstance(item, dict | list):
            yield f"{head}{'' if key is None else ' '}{json.dumps(item, ensure_ascii=False)}"
        elif key is None:
            first, *others = _yaml(item, indent + "  ")
            yield head + first.removeprefix(indent + "  ")
            yield from others
        else:
            yield head
            yield from _yaml(item, indent + "  " if isinstance(item, dict) else indent)
