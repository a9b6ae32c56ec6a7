"""Models of the CaloChallenge's electrons: `python -m studies.calochallenge.electrons G4.hdf5`.

Each model generates for the energies of Geant4's showers, which come in the challenge's layout,
and is compared with them by the challenge's own figures, as `calozoo evaluate` does it.

References:
    | CaloChallenge, section 4: https://arxiv.org/abs/2410.21611
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import calozoo
from calozoo.evaluation.evaluate import EvaluationReport
from calozoo.evaluation.voxels import evaluate_voxels
from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError
from calozoo_core.incident import Incident
from calozoo_core.io import calochallenge
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.result import MetricResult, format_with_error

__all__ = ["MODELS", "compared", "main", "milliseconds", "report"]

MODELS: Final = ("caloinn.calochallenge2-electron", "calodream.calochallenge2-electron")

SEED: Final = 1

LABELS: Final = {
    "voxels.energy_ratio": "energy over incident energy",
    "voxels.voxel_energy": "voxel energies",
    "voxels.layer_energy": "energy of a layer, mean",
    "voxels.centre_eta": "centre in eta, mean",
    "voxels.centre_phi": "centre in phi, mean",
    "voxels.centre_r": "centre in r, mean",
    "voxels.width_eta": "width in eta, mean",
    "voxels.width_phi": "width in phi, mean",
    "voxels.width_r": "width in r, mean",
    "voxels.sparsity": "empty voxels, mean",
    "voxels.classifier": "AUC, high-level features",
}

TIMED: Final = 64


def compared(models: Sequence[str], reference: Path) -> dict[str, EvaluationReport]:
    """Reports on models, each for the primaries of the reference.

    Arguments:
        models: Their names.
        reference: Geant4's showers in the challenge's layout.
    """
    primaries = _primaries(reference)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.h5" for number in range(len(models))]
        for path, model in zip(paths, models, strict=True):
            showers = calozoo.load(model).generate(primaries, seed=SEED)
            calozoo.write_showers(path, showers, generator=model, seed=SEED)
        found = evaluate_voxels(paths, reference)
    return dict(zip(models, found, strict=True))


def milliseconds(models: Sequence[str], reference: Path) -> dict[str, tuple[float, float]]:
    """Time of a shower on one thread, alone and in a batch of 64, in ms, by model.

    Arguments:
        models: Their names.
        reference: Geant4's showers, whose first primaries are taken.
    """
    use_threads(1)
    primaries = _primaries(reference)[:TIMED]
    times = {}
    for model in models:
        generator = calozoo.load(model)
        generator.sample(primaries, SEED, 0)  # warms up
        began = time.perf_counter()
        for i in range(len(primaries)):
            generator.sample(primaries[i : i + 1], SEED, i)
        between = time.perf_counter()
        generator.sample(primaries, SEED, 0)
        ended = time.perf_counter()
        alone, together = between - began, ended - between
        times[model] = (1000 * alone / len(primaries), 1000 * together / len(primaries))
    return times


def report(found: Mapping[str, EvaluationReport], times: Mapping[str, tuple[float, float]]) -> str:
    """Table in Markdown: a row a figure, a column a model, and the noise floor.

    Arguments:
        found: From `compared`.
        times: From `milliseconds`; empty to leave them out.
    """
    figures = {model: {f.name: f for f in one.figures} for model, one in found.items()}
    rows = []
    for name, label in LABELS.items():
        own = [each.get(name) for each in figures.values()]
        factor = 1 if name == "voxels.classifier" else 1e3
        words = label if factor == 1 else f"{label} [1e-3]"
        rows.append((words, *(_value(one, factor) for one in own), _floor(own[0], factor)))
    for at, way in enumerate(("alone", f"in batches of {TIMED}")):
        if times:
            shown = (f"{times[model][at]:.1f}" for model in found)
            rows.append((f"a shower {way} [ms]", *shown, ""))
    return table(("separation power", *(f"`{model}`" for model in found), "noise floor"), rows)


def _primaries(reference: Path) -> Incident:
    energy = calochallenge.read_energies(reference) / 1000
    return Incident(energy, (0, 0, 1), "e-")


def _value(figure: MetricResult | None, factor: float) -> str:
    if figure is None or figure.value is None:
        return "-"
    return format_with_error(factor * figure.value, factor * (figure.error or 0))


def _floor(figure: MetricResult | None, factor: float) -> str:
    if figure is None or figure.noise_floor is None:
        return ""
    return f"{factor * figure.noise_floor:.3g}"


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it into pages."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.calochallenge.electrons",
        description="Electrons of models against Geant4's, by the CaloChallenge's figures.",
    )
    parser.add_argument("reference", type=Path, help="Geant4's, in the challenge's layout")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(MODELS)}")
    parser.add_argument("--no-times", action="store_true", help="do not take times")
    parser.add_argument(
        "--write", type=Path, action="append", default=[], help="put the table into this page, too"
    )
    options = parser.parse_args(arguments)
    models = options.models or MODELS
    try:
        times = {} if options.no_times else milliseconds(models, options.reference)
        text = report(compared(models, options.reference), times)
        sys.stdout.write(f"{text}\n")
        for page in options.write:
            write_block(page, "calochallenge-electrons", text)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
