"""`python -m calozoo.bench MODEL`: measure a model and write its card."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# The linear algebra behind numpy reads this once, when it is imported; torch is told by itself.
os.environ["OMP_NUM_THREADS"] = "1"

from calozoo import catalog
from calozoo.bench.fidelity import measure_fidelity
from calozoo.bench.memory import measure_memory
from calozoo.bench.report import Machine, Measurements, card, write_card
from calozoo.bench.speed import measure_speed
from calozoo.threads import use_threads
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.weights import TENSORS_FILE

__all__ = ["main"]

GEANT4_MS_PER_GEV = 15.0
"""Geant4 in `ild_siecal_regular` on one core of a 2.6 GHz EPYC; used only without the plugin."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the card, and write it if a folder is given."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except CalozooError as error:
        print(f"calozoo: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m calozoo.bench", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--reference", type=Path, nargs="*", default=[], help="Geant4 files")
    parser.add_argument("--geant4", default="geant4", help="the Geant4 plugin's model")
    parser.add_argument("--no-geant4", action="store_true", help="do without it")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of the timing")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--weights", type=Path, help="use these weights")
    parser.add_argument("--skip-speed", action="store_true")
    parser.add_argument("--out", type=Path, help="folder for measurements.json and README.md")
    parser.add_argument("--note", action="append", default=[], help="a line for the card")
    return parser


def _run(options: argparse.Namespace) -> None:
    use_threads(1)
    generator = catalog.load(
        options.model, precision=options.precision, folder=options.weights, offline=True
    )
    speed = None
    if not options.skip_speed:
        speed = measure_speed(
            generator,
            geant4=_geant4(options),
            reference_ms_per_gev=GEANT4_MS_PER_GEV,
            threads=1,
            repeats=options.repeats,
            on_round=lambda: _say("one more round timed"),
        )
    measurements = Measurements(
        model=generator.spec.name,
        precision=generator.precision,
        parameters=_parameters(generator),
        weights_bytes=_weights_bytes(options.model, options.weights),
        machine=Machine.here(),
        speed=speed,
        memory=measure_memory(options.model),
        fidelity=tuple(measure_fidelity(generator, path) for path in options.reference),
        notes=tuple(options.note),
    )
    sys.stdout.write(card(measurements, generator.spec))
    if options.out is not None:
        write_card(options.out, measurements, generator.spec)
        _say(f"written to {options.out}")


def _geant4(options: argparse.Namespace) -> Generator | None:
    if options.no_geant4:
        return None
    try:
        return catalog.load(options.geant4, offline=True)
    except CalozooError as error:
        _say(f"no Geant4 to time beside it: {error}")
        return None


def _parameters(generator: Generator) -> int:
    """Parameters of all torch modules a generator holds; 0 if it holds none."""
    modules = [part for part in vars(generator).values() if hasattr(part, "parameters")]
    return sum(p.numel() for module in modules for p in module.parameters())


def _weights_bytes(model: str, folder: Path | None) -> int:
    if folder is None:
        pulled = catalog.pull(model, offline=True)
        if pulled.folder is None:
            return 0
        folder = pulled.folder
    return (folder / TENSORS_FILE).stat().st_size


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
