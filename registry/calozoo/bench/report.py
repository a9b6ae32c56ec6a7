"""measurements.json, and the card made of it: no number in a card is typed."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from calozoo.bench.fidelity import Fidelity
from calozoo.bench.memory import Memory
from calozoo.bench.speed import Speed
from calozoo_core.generator import ModelSpec

__all__ = ["Machine", "Measurements", "card", "write_card"]

#: What the benchmark paper reports for CaloClouds3 on an EPYC 7402, one thread, hit placement
#: included: times faster than Geant4, mean over 10-100 GeV.
PAPER_SPEEDUP = {"caloclouds3": 129.3}

LABELS = {
    "layer_energy": "energy per layer",
    "layer_count": "points per layer",
    "radius_energy": "energy by radius, 0-100 mm",
    "radius_count": "points by radius, 0-100 mm",
    "energy_count": "point energies, 1 keV-100 MeV",
}


class Machine(BaseModel):
    """Where the measurements were made, since a time means nothing without it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    system: str
    python: str
    packages: dict[str, str]

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        return cls(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            packages={name: found for name in _PACKAGES if (found := _version(name)) is not None},
        )


class Measurements(BaseModel):
    """All that was measured of one model, in one run.

    Arguments:
        model: Its name.
        precision: Of its arithmetic.
        parameters: How many it has.
        weights_bytes: Size of model.safetensors.
        machine: Where.
        speed: How fast.
        memory: How big while it runs.
        fidelity: How good, one entry a reference file.
        notes: What else a reader must know: where the model departs from its paper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    precision: str
    parameters: int
    weights_bytes: int
    machine: Machine
    speed: Speed | None = None
    memory: Memory | None = None
    fidelity: tuple[Fidelity, ...] = ()
    notes: tuple[str, ...] = ()


def write_card(folder: Path, measurements: Measurements, spec: ModelSpec) -> None:
    """Write `measurements.json` and `README.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(measurements.model_dump(), indent=2) + "\n"
    for name, content in (("measurements.json", text), ("README.md", card(measurements, spec))):
        part = folder / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / name)


def card(measurements: Measurements, spec: ModelSpec) -> str:
    """The card, in Markdown."""
    sections = [_head(measurements, spec)]
    if measurements.speed is not None:
        sections.append(_speed(measurements.speed, spec))
    if measurements.memory is not None:
        sections.append(_memory(measurements))
    sections += [_fidelity(fidelity) for fidelity in measurements.fidelity]
    if measurements.notes:
        sections.append("## Notes\n\n" + "\n".join(f"- {note}" for note in measurements.notes))
    sections.append(_machine(measurements))
    return "\n\n".join(sections) + "\n"


def _head(measurements: Measurements, spec: ModelSpec) -> str:
    low, high = spec.conditions.energy_gev
    papers = ", ".join(f"<{paper}>" for paper in spec.papers)
    return (
        f"---\nlicense: {spec.license.lower()}\nlibrary_name: calozoo\n"
        f"tags: [calorimeter, fast-simulation, particle-physics]\n---\n\n"
        f"# {spec.name}\n\n{spec.summary.rstrip('.')}.\n\n"
        f"{', '.join(spec.conditions.particles)}, {low:g}-{high:g} GeV, "
        f"{spec.conditions.theta_deg[0]:g}-{spec.conditions.theta_deg[1]:g} degrees from the "
        f"normal; {spec.representation} points in `{spec.detector}`.\n"
        f"{measurements.parameters:,} parameters, {measurements.weights_bytes / 1e6:.2f} MB of "
        f"weights, {measurements.precision}. Paper: {papers}."
    )


def _speed(speed: Speed, spec: ModelSpec) -> str:
    measured = speed.reference_ms_per_gev is None
    against = (
        "full Geant4, timed in turn with it in the same run"
        if measured
        else f"{speed.reference_ms_per_gev:g} ms per GeV for Geant4, which was not installed"
    )
    rows = [
        (
            f"{row.energy_gev:g}",
            f"{row.single_ms:.2f}",
            f"{row.batched_ms:.3f}",
            f"{speed.geant4_ms(row):.0f}",
            f"{speed.geant4_ms(row) / row.single_ms:.0f}x",
            f"{speed.geant4_ms(row) / row.batched_ms:.0f}x",
        )
        for row in speed.energies
    ]
    header = (
        "energy [GeV]",
        "one at a time [ms]",
        f"batches of {speed.batch_size} [ms]",
        "Geant4 [ms]",
        "speed-up",
        "speed-up in batches",
    )
    paper = PAPER_SPEEDUP.get(spec.architecture)
    quoted = (
        f" The benchmark paper reports {paper:g}x for the published model on another machine, "
        "placement into the detector included."
        if paper
        else ""
    )
    return (
        f"## How fast\n\nNormal incidence, {speed.threads} thread, median of {speed.repeats} "
        f"rounds, against {against}. Mean over the energies: "
        f"**{speed.single_speedup:.0f}x** one at a time, **{speed.batched_speedup:.0f}x** in "
        f"batches.{quoted}\n\n" + _table(header, rows)
    )


def _memory(measurements: Measurements) -> str:
    memory = measurements.memory
    assert memory is not None
    return (
        f"## How big\n\nPeak memory of the whole process that writes {memory.n_showers} showers: "
        f"{memory.peak_mb:.0f} MB, of which a bare Python is {memory.interpreter_mb:.0f} MB."
    )


def _fidelity(fidelity: Fidelity) -> str:
    rows = [
        (
            LABELS[name],
            f"{value:.2e}",
            f"{fidelity.noise_floor[name]:.2e}",
        )
        for name, value in fidelity.divergence.items()
    ]
    windows = [
        (
            f"{window.low_gev:g}-{window.high_gev:g}",
            str(window.n_reference),
            f"{window.visible_energy:.4f} ± {window.visible_energy_error:.4f}",
            f"{window.n_points:.4f} ± {window.n_points_error:.4f}",
        )
        for window in fidelity.windows
    ]
    return (
        f"## How good: against {fidelity.n_reference} Geant4 showers of {fidelity.reference}\n\n"
        f"Jensen-Shannon divergences in nats, {fidelity.n_generated} generated showers of the same "
        "primaries. The last column is Geant4 against Geant4, one half of the file against the "
        "other.\n\n"
        + _table(("observable", "divergence", "two halves of Geant4"), rows)
        + "\n\nMeans, generated over Geant4:\n\n"
        + _table(("energy [GeV]", "Geant4 showers", "visible energy", "points"), windows)
    )


def _machine(measurements: Measurements) -> str:
    machine = measurements.machine
    packages = ", ".join(f"{name} {found}" for name, found in machine.packages.items())
    return (
        f"## Measured on\n\n{machine.processor}, {machine.cores} cores, {machine.system}, "
        f"Python {machine.python}, {packages}."
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


_PACKAGES = ("calozoo", "calozoo-core", "calozoo-caloclouds3", "torch", "numpy", "geant4_pybind")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
