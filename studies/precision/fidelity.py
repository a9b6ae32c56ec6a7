"""Fidelity of full and mixed precision: `python -m studies.precision.fidelity TRUTH.h5`.

Trained models generate showers of Geant4's primaries in both precisions, of the same random
numbers. Boosted trees try to tell the two from each other, and each from Geant4's showers; and the
correlations of each are compared with Geant4's. Errors are from the scatter of several seeds, and
differences are taken seed by seed, so that what both have in common drops out.

References:
    | CaloDiffusion: https://arxiv.org/abs/2308.03876
    | Correlation Frobenius Distance: https://arxiv.org/abs/2406.12898
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.generator import Generator
from calozoo_core.io import read_showers
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.classifier import FEWEST_OF_EACH, classifier_auc
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.runtime import has_bfloat16
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from studies.correlations.frobenius import MODES, correlation_distances, floors, voxels
from studies.precision.in_torch import MODELS, in_torch

__all__ = ["Arms", "Sample", "compare_arms", "main"]

SHOWERS: Final = 300
SEEDS: Final = 4


class Sample(NamedTuple):
    """Features and voxels of showers, which are compared.

    Arguments:
        features: Features of the cells of each shower, shape (n, features).
        voxels: Energies of voxels about the axis, in MeV.
    """

    features: FloatArray
    voxels: FloatArray

    @classmethod
    def of(cls, showers: Showers) -> Sample:
        """Features and voxels of showers."""
        accumulator = ObservableAccumulator(showers.detector, seed=0)
        accumulator.add(showers)
        return cls(np.asarray(accumulator.features, np.float64), voxels(showers))


class Arms(NamedTuple):
    """Figures of both precisions, an entry a seed.

    Arguments:
        between: AUC of trees that tell one precision from the other; 0.5 if nobody can.
        full: AUC of float32 against Geant4.
        mixed: AUC of mixed precision against Geant4.
        distances: Correlation Frobenius Distance from Geant4 by mode: float32, mixed.
    """

    between: FloatArray
    full: FloatArray
    mixed: FloatArray
    distances: dict[str, tuple[FloatArray, FloatArray]]


def compare_arms(full: Generator, mixed: Generator, truth: Showers, seeds: int) -> Arms:
    """Figures of both precisions of one model.

    Arguments:
        full: The model in float32.
        mixed: The model in mixed precision.
        truth: Geant4's showers, whose primaries both get.
        seeds: Number of samples.
    """
    theirs = Sample.of(truth)
    areas: list[tuple[float, float, float]] = []
    distances: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    for seed in range(1, seeds + 1):
        one, other = (
            Sample.of(generator.generate(truth.incident, seed=seed)) for generator in (full, mixed)
        )
        areas.append(
            (
                classifier_auc(other.features, one.features, seed=seed)[0],
                classifier_auc(one.features, theirs.features, seed=seed)[0],
                classifier_auc(other.features, theirs.features, seed=seed)[0],
            )
        )
        found = [correlation_distances(arm.voxels, theirs.voxels) for arm in (one, other)]
        for mode in MODES:
            distances[mode].append((found[0][mode], found[1][mode]))
    between, own, rounded = np.array(areas).T
    by_mode = {mode: np.array(values).T for mode, values in distances.items()}
    return Arms(between, own, rounded, {mode: (a, b) for mode, (a, b) in by_mode.items()})


def report(results: dict[str, Arms], floor: dict[str, float]) -> str:
    """The tables in Markdown, of AUC and of correlations.

    Arguments:
        results: Figures by model.
        floor: Correlation Frobenius Distance of two samples of Geant4's, by mode.
    """
    areas = table(
        ("model", "mixed from float32", "float32 from Geant4", "mixed from Geant4", "difference"),
        [
            (f"`{name}`", *(_with_error(one) for one in _columns(arms)))
            for name, arms in results.items()
        ],
    )
    correlations = table(
        ("model", "mode", "float32", "mixed", "difference", "noise floor"),
        [
            (
                *(f"`{name}`", mode),
                *(_with_error(one, digits=2) for one in (full, mixed, mixed - full)),
                f"{floor[mode]:.2f}",
            )
            for name, arms in results.items()
            for mode, (full, mixed) in arms.distances.items()
        ],
    )
    return f"{areas}\n\n{correlations}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare both precisions of all models, print the tables, and write them into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.precision.fidelity",
        description="Fidelity of trained models in full and in mixed precision.",
    )
    parser.add_argument("truth", type=Path, help="showers of Geant4, whose primaries models get")
    parser.add_argument("--showers", type=int, default=SHOWERS, help=f"default {SHOWERS}")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"at least 2; default {SEEDS}")
    parser.add_argument("--model", action="append", choices=MODELS, help="only these models")
    parser.add_argument("--write", type=Path, help="put the tables into this page, too")
    options = parser.parse_args(arguments)
    if not has_bfloat16():
        sys.exit(
            "This processor has no bfloat16 in hardware: emulated, it is 5 to 12 times slower."
        )
    use_threads(1)
    try:
        truth = read_showers(options.truth, slice(0, options.showers))
        if len(truth) < FEWEST_OF_EACH or options.seeds < 2:
            msg = (
                f"{FEWEST_OF_EACH} showers and 2 seeds are needed, "
                f"not {len(truth)} and {options.seeds}."
            )
            raise InputError(msg)
        results = {}
        for name in options.model or MODELS:
            full, mixed = in_torch(name, is_mixed=False), in_torch(name, is_mixed=True)
            results[name] = compare_arms(full, mixed, truth, options.seeds)
        text = report(results, floors(voxels(truth), len(truth)))
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "precision fidelity", text)
    except CalozooError as error:
        sys.exit(str(error))


def _columns(arms: Arms) -> tuple[FloatArray, ...]:
    return arms.between, arms.full, arms.mixed, arms.mixed - arms.full


def _with_error(values: FloatArray, digits: int = 3) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):z.{digits}f} ± {error:.{digits}f}"


if __name__ == "__main__":
    main()
