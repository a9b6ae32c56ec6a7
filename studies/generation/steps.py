"""Fidelity and time by the number of steps: `python -m studies.generation.steps TRUTH.h5 MODEL...`.

Each model generates for the primaries of Geant4's showers with each number of steps, `-o steps=N`
of the command line, and boosted trees try to tell its showers from Geant4's. Times are taken on
one thread, the numbers of steps in turn; nothing else should run then. `--no-auc` takes the times
alone, `--no-times` the rest alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

import calozoo
from calozoo.generation.threads import use_threads
from calozoo_core.clumps import VoxelMesh, voxel_energies
from calozoo_core.clumps.generator import ShowersFromCore
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.incident import Incident
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import classifier_floors
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from studies.oracle.ceiling import Ceiling, accumulated, ceiling, ceiling_header, ceiling_row

__all__ = ["STEPS", "Times", "fidelity", "main", "times", "variants"]

Variants = Mapping[str, Mapping[str, Any]]
"""Options of loading a model, by the name of a row."""

STEPS: Final = {
    "calodream.ild-photon-clumps": (1, 2, 4, 8, 16),
    "caloscore.ild-photon-clumps": (1, 2, 4, 8, 16),
    "calodiffusion.ild-photon-clumps": (1, 2, 4, 8),
    "caloqvae.ild-photon-clumps": (1, 3, 10, 30, 100, 300),
}
"""Numbers of steps that are compared, by model."""

OTHERS: Final[dict[str, Variants]] = {
    "caloqvae.ild-photon-clumps": {
        "30, `sampler=annealing`": {"steps": 30, "sampler": "annealing"},
    }
}
"""Further ways of generating, by model."""

SEED: Final = 1

ALONE: Final = 48
"""Showers that are timed one by one."""

BATCH: Final = 64

ROUNDS: Final = 3

ENERGY_GEV: Final = (1.0, 127.0)

CORES: Final = "Geant4's cores"


class Times(NamedTuple):
    """Time of a shower, in ms, mean over photons of 1-127 GeV up to 60 degrees.

    Arguments:
        alone: One at a time.
        batch: 64 at a time.
    """

    alone: float
    batch: float


def variants(model: str, steps: Sequence[int] | None = None) -> Variants:
    """Rows of the tables of a model.

    Arguments:
        model: Its full name.
        steps: Numbers of steps; None for those of `STEPS`, and what there is beside them.

    Raises:
        InputError: If there are none.
    """
    if steps is None and model not in STEPS:
        msg = f"{model} has no list of steps; give one with --steps, if it takes steps."
        raise InputError(msg)
    numbers: Variants = {str(number): {"steps": number} for number in steps or STEPS[model]}
    return numbers if steps else {**numbers, **OTHERS.get(model, {})}


def fidelity(model: str, tried: Variants, truth: Showers) -> dict[str, Ceiling]:
    """Figures of merit by number of steps, and those of Geant4's cores with the rest of the model.

    Arguments:
        model: Name of the model.
        tried: Rows.
        truth: Geant4's showers, which the model had not in its training.
    """
    reference = accumulated(truth)
    floors = classifier_floors(reference, seed=SEED)
    found = {}
    for name, options in tried.items():
        generated = calozoo.load(model, **options).generate(truth.incident, seed=SEED)
        found[name] = ceiling(generated, truth, reference, floors)
    found[CORES] = ceiling(_with_true_cores(truth), truth, reference, floors)
    return found


def times(model: str, tried: Variants) -> dict[str, Times]:
    """Times by number of steps, each the median of three rounds.

    Arguments:
        model: Name of the model.
        tried: Rows.
    """
    generators = {name: calozoo.load(model, **options) for name, options in tried.items()}
    random = np.random.default_rng(SEED)
    energy = random.uniform(*ENERGY_GEV, BATCH)
    cosine, azimuth = random.uniform(0.5, 1, BATCH), random.uniform(0, 2 * np.pi, BATCH)
    sine = np.sqrt(1 - cosine**2)
    direction = np.column_stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    photons = Incident(energy, direction)
    seconds: dict[str, list[Times]] = {name: [] for name in generators}
    for turn in range(ROUNDS + 1):  # the first one warms up
        for name, generator in generators.items():
            began = time.perf_counter()
            for i in range(ALONE):
                generator.sample(photons[i : i + 1], SEED, i)
            between = time.perf_counter()
            generator.sample(photons, SEED, 0)
            ended = time.perf_counter()
            if turn:
                seconds[name].append(Times((between - began) / ALONE, (ended - between) / BATCH))
    return {
        name: Times(*(1000 * median(each) for each in zip(*own, strict=True)))
        for name, own in seconds.items()
    }


def _with_true_cores(truth: Showers) -> Showers:
    """Showers whose cores are Geant4's, and the rest as in all models of the core."""
    whole = ShowersFromCore.of(truth.detector)
    mesh, rings = VoxelMesh(), whole.config.core_rings
    cores = mesh.ring_energies(voxel_energies(truth, mesh))[:, :, :rings].astype(np.float32)
    streams = [stream(SEED, i, "true cores") for i in range(len(truth))]
    return whole(cores, truth.incident, streams)


def _fidelity_table(found: Mapping[str, Ceiling], shipped: str) -> str:
    rows = [ceiling_row(_marked(name, shipped), one) for name, one in found.items()]
    return table(ceiling_header("steps"), rows)


def _times_table(found: Mapping[str, Times], shipped: str) -> str:
    header = ("steps", "alone [ms]", f"in batches of {BATCH} [ms]")
    rows = [
        (_marked(name, shipped), f"{own.alone:.1f}", f"{own.batch:.1f}")
        for name, own in found.items()
    ]
    return table(header, rows)


def _marked(name: str, shipped: str) -> str:
    return f"**{name}**" if name == shipped else name


def main(arguments: list[str] | None = None) -> None:
    """Print both tables of each model, and write them into its page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.steps",
        description="Fidelity and time of models by their number of steps.",
    )
    parser.add_argument("truth", type=Path, help="showers of Geant4, whose primaries models get")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(STEPS)}")
    parser.add_argument("--showers", type=int, default=800, help="of the file")
    parser.add_argument("--steps", type=int, nargs="+", help="instead of the model's own list")
    parser.add_argument("--no-auc", action="store_true", help="only take times")
    parser.add_argument("--no-times", action="store_true", help="do not take times")
    parser.add_argument(
        "--write", type=Path, metavar="DOCS", help="put the tables into DOCS/ARCHITECTURE.md, too"
    )
    options = parser.parse_args(arguments)
    try:
        use_threads(1)
        truth = read_showers(options.truth, slice(0, options.showers))
        for model in options.models or STEPS:
            generator = calozoo.load(model)
            tried = variants(generator.spec.name, options.steps)
            shipped, texts = str(getattr(generator, "steps", "")), {}
            if not options.no_auc:
                texts["steps-fidelity"] = _fidelity_table(fidelity(model, tried, truth), shipped)
            if not options.no_times:
                texts["steps-times"] = _times_table(times(model, tried), shipped)
            for block, text in texts.items():
                sys.stdout.write(f"{generator.spec.name}\n{text}\n")
                if options.write is not None:
                    page = options.write / f"{generator.spec.architecture}.md"
                    write_block(page, block, text)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
