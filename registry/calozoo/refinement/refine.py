"""A refined model: fitted on some of Geant4's showers, judged by others."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calozoo import api
from calozoo.evaluation.accumulate import POINTS_AT_ONCE, SHOWERS_AT_ONCE
from calozoo.refinement.report import REPORT_FILE, RefinementReport
from calozoo.refinement.validation import Judged, Look, judge, report_on
from calozoo_core.detector import load_detector
from calozoo_core.errors import (
    ConditionsError,
    DetectorError,
    InputError,
    OutputExistsError,
)
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.random import stream
from calozoo_core.refining import (
    Recipe,
    Reference,
    Sample,
    fit_refinement,
    observed,
    write_refinement,
)
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.config import REFINED
from calozoo_core.representation import REPRESENTATIONS, Representation
from calozoo_core.showers import Showers
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = ["FEWEST", "reference_files", "refine"]

FEWEST = 1000
"""Of fewer showers a tail holds next to none."""

Advance = Callable[[int], None]


def refine(
    model: str,
    reference: Sequence[Path],
    out: Path,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    held_out: float = 0.4,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda n: None,
    on_showers: Advance = lambda n: None,
) -> tuple[RefinementReport, tuple[Judged, Judged, Judged]]:
    """Fit what brings a model's tails to Geant4's, write it, and judge it by held-out showers.

    Arguments:
        model: `architecture[.tag]`.
        reference: Shower files of Geant4, or folders of them.
        out: Folder for `config.json`, `model.safetensors` and the report.
        recipe: How it is fitted.
        folder: The model's weights; by default its own.
        held_out: Part of the reference that it is judged by and not fitted on.
        overwrite: Replace a refinement that is already there.
        on_start: Called with the number of showers to come.
        on_showers: Called with the number of showers of each batch.

    Returns:
        The report, and what was looked at: Geant4's, the model's, the refined model's.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If there are too few showers, or not of this model's kind.
        ConditionsError: If they lie outside what the model was trained on.
        DetectorError: If they are of another detector.
        OutputExistsError: If the folder is in use and `overwrite` is not set.
        ShowerFileError: If a file is missing or damaged.
        WeightsError: If weights cannot be read or written.
    """
    _check(out, held_out, overwrite=overwrite)
    paths = reference_files(reference)
    spec = api.find_model(model)
    generators = _check_files(paths, spec)
    with closing(api.load(model, folder=folder)) as base:
        n = _count(paths)
        n_out = int(np.count_nonzero(_held_out(n, held_out, recipe.seed)))
        passes = 0 if recipe.mode == "none" else 1
        made = (passes + int(recipe.moves)) * recipe.copies * (n - n_out)
        on_start(n + made + 2 * recipe.copies * n_out)
        fitting, truth = _read(paths, base.spec, held_out, recipe.seed, on_showers)
        provenance = Reference(
            files=tuple(path.name for path in paths),
            sha256=tuple(sha256(path) for path in paths),
            generators=generators,
            n_fitted=len(fitting),
            n_held_out=n_out,
        )
        conditions = _covered(spec, Incident.concatenate([fitting.incident, truth.sample.incident]))
        fitted = fit_refinement(base, fitting, conditions, provenance, recipe, on_showers)
        with tempfile.TemporaryDirectory() as scratch:
            # As it will be read, so that what is judged is what is written.
            write_refinement(Path(scratch), fitted.refinement)
            refined = api.load(spec.name + REFINED, folder=Path(scratch), source=base)
        incident, seed = truth.sample.incident, _judging_seed(recipe.seed)
        before, after = (
            judge(one, incident, recipe.copies, seed, on_showers) for one in (base, refined)
        )
    write_refinement(out, fitted.refinement)
    report = report_on(spec, fitted, truth, before, after, recipe.seed, held_out)
    _write(out / REPORT_FILE, report)
    return report, (truth, before, after)


def reference_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The shower files that are meant: these, and those in these folders and below.

    Raises:
        InputError: If there are none.
    """
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.h5")) if path.is_dir() else [path]
    if not found:
        words = ", ".join(str(path) for path in paths)
        msg = f"There are no shower files in {words}; give --reference FILE.h5, or their folder."
        raise InputError(msg)
    return tuple(found)


def _check(out: Path, held_out: float, *, overwrite: bool) -> None:
    if not 0.1 <= held_out <= 0.9:
        msg = f"Between 0.1 and 0.9 of the reference can be held out, not {held_out:g}."
        raise InputError(msg)
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file; give the name of a folder."
        raise OutputExistsError(msg)
    if not overwrite and any((out / name).exists() for name in (*WEIGHT_FILES, REPORT_FILE)):
        msg = f"{out} already has weights in it. Add --overwrite to replace them."
        raise OutputExistsError(msg)


def _check_files(paths: Sequence[Path], spec: ModelSpec) -> tuple[str, ...]:
    """Who made each; refuses what cannot be compared with the model's showers."""
    generators = []
    for path in paths:
        with ShowerFile(path) as file:
            if file.particle not in spec.conditions.particles:
                msg = (
                    f"{path} holds showers of {file.particle}; {spec.name} makes those of "
                    f"{', '.join(spec.conditions.particles)}."
                )
                raise InputError(msg)
            if file.detector != spec.detector:
                msg = (
                    f"{path} holds showers in {file.detector}, and {spec.name} makes them in "
                    f"{spec.detector}; give a --reference made in that."
                )
                raise DetectorError(msg)
            if _fineness(file.representation) < _fineness(spec.representation):
                msg = (
                    f"{path} holds {file.representation} showers, coarser than the "
                    f"{spec.representation} of {spec.name}; give a finer --reference."
                )
                raise InputError(msg)
            generators.append(file.generator)
    n = _count(paths)
    if n < FEWEST:
        msg = f"{n} showers are too few to refine on; give at least {FEWEST}."
        raise InputError(msg)
    return tuple(generators)


def _fineness(representation: str) -> float:
    return REPRESENTATIONS[representation] or np.inf


def _count(paths: Sequence[Path]) -> int:
    total = 0
    for path in paths:
        with ShowerFile(path) as file:
            total += len(file)
    return total


def _held_out(n: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of the showers judge, shape (n,)."""
    held_out: NDArray[np.bool_] = stream(seed, 0, "held out").random(n) < share
    return held_out


def _read(
    paths: Sequence[Path], spec: ModelSpec, share: float, seed: int, on_showers: Advance
) -> tuple[Sample, Judged]:
    """The observables of the showers to fit on, and a look at those that are held out."""
    detector = load_detector(spec.detector)
    held_out = _held_out(_count(paths), share, seed)
    merge = Representation.named(spec.representation, detector.cell_mm)
    look, fitting, first = Look(detector), [], 0
    for showers in _batches(paths):
        rows = held_out[first : first + len(showers)]
        if showers.representation != spec.representation:
            showers = merge(showers, seed, first)
        cloud = Cloud.of(showers, detector)
        kept = cloud.take(np.flatnonzero(~rows))
        if rows.any():
            look.add(cloud.take(np.flatnonzero(rows)).showers(spec.representation))
        if len(kept):
            fitting.append(Sample(observed(kept), kept.incident))
        first += len(rows)
        on_showers(len(rows))
    return Sample.concatenate(fitting), look.judged()


def _batches(paths: Sequence[Path]) -> Iterator[Showers]:
    for path in paths:
        with ShowerFile(path) as file:
            for rows in file.runs(POINTS_AT_ONCE, SHOWERS_AT_ONCE):
                yield file[rows]


def _covered(spec: ModelSpec, incident: Incident) -> Conditions:
    """The primaries that the reference covers, all of which the model must know.

    Raises:
        ConditionsError: If it does not.
    """
    energy, theta = incident.energy, incident.theta
    try:
        spec.conditions.check(incident, spec.name)
    except ConditionsError as error:
        (low, high), angles = spec.conditions.energy_gev, spec.conditions.theta_deg
        msg = (
            f"The reference has primaries of {energy.min():.3g} to {energy.max():.3g} GeV and "
            f"{theta.min():.2g} to {theta.max():.2g} degrees, and {spec.name} was trained on "
            f"{low:g}-{high:g} GeV and {angles[0]:g}-{angles[1]:g} degrees; leave the others out."
        )
        raise ConditionsError(msg) from error
    return Conditions(
        particles=(incident.particle,),
        energy_gev=_nearly(energy, spec.conditions.energy_gev),
        theta_deg=_nearly(theta, spec.conditions.theta_deg),
    )


def _nearly(values: NDArray[np.float32], limits: tuple[float, float]) -> tuple[float, float]:
    """Their range, to two digits outwards, and within the model's.

    Uniform energies up to 100 GeV end at 99.99; where the range ends within a fiftieth of the
    model's, it is the model's.
    """
    reach = 0.02 * (limits[1] - limits[0]) + 1e-6
    low, high = (
        _outwards(float(values.min()), math.floor),
        _outwards(float(values.max()), math.ceil),
    )
    return (
        limits[0] if low - limits[0] < reach else low,
        limits[1] if limits[1] - high < reach else high,
    )


def _outwards(value: float, rounded: Callable[[float], int]) -> float:
    """To two digits.

    Example:
        >>> _outwards(99.98, math.ceil), _outwards(10.03, math.floor), _outwards(0.0, math.floor)
        (100.0, 10.0, 0.0)
    """
    if value <= 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return rounded(value / digit) * digit


def _judging_seed(seed: int) -> int:
    return int(stream(seed, 0, "judging").integers(2**62))


def _write(path: Path, report: RefinementReport) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
