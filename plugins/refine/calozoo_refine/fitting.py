"""Fit of a refinement: from a generator and Geant4 showers to weight files and a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.errors import CalozooError, OutputExistsError
from calozoo_core.generator import Conditions, Generator
from calozoo_core.incident import Incident
from calozoo_core.io.atomic import write_atomic
from calozoo_core.observables.tails import AxisPoints, TailSample
from calozoo_core.random import stream
from calozoo_core.runtime import is_installed
from calozoo_core.weights import WEIGHT_FILES
from calozoo_refine import REFINED
from calozoo_refine.density_ratio import WIDTH, DensityRatioFit, fit_density_ratio
from calozoo_refine.evaluation import RefinementResult, evaluate_generator, make_report
from calozoo_refine.generator import ProposalSampler, RefinedGenerator, fingerprint
from calozoo_refine.importance_weights import (
    ImportanceWeights,
    Mode,
    Regularisation,
    WeightStatistics,
    choose_regularisation,
)
from calozoo_refine.quantile_transport import IncidentRange, QuantileTransport
from calozoo_refine.reference import ReferenceShowers, covered_conditions
from calozoo_refine.refinement import (
    ReferenceRecord,
    Refinement,
    RefinementConfig,
    write_refinement,
)
from calozoo_refine.report import REPORT_FILE

__all__ = ["FitOptions", "RefinementFit", "fit_refinement", "refine"]

BATCH_SIZE: Final = 256

OnShowers = Callable[[int], None]


@dataclass(frozen=True)
class FitOptions:
    """Options of a fit.

    Arguments:
        mode: Use of the density ratio.
        moves: Showers are transported first.
        lowest_acceptance: Smallest acceptance of accept-reject, or effective sample size over the
            number of showers otherwise.
        steps: Steps of a Metropolis-Hastings chain.
        copies: Number of generated showers for each reference shower.
        seed: Seed of everything random.
    """

    mode: Mode = "accept-reject"
    moves: bool = True
    lowest_acceptance: float = 0.8
    steps: int = 2
    copies: int = 2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class RefinementFit:
    """Fitted refinement.

    Arguments:
        refinement: The refinement.
        auc: Area under the ROC curve of the classifier for held-out transported showers, 0.5 if
            there is no difference; None without a classifier.
    """

    refinement: Refinement
    auc: float | None


def refine(
    model: Generator,
    reference: Sequence[Path],
    out: Path,
    *,
    overwrite: bool = False,
    on_start: OnShowers = lambda n: None,
    on_showers: OnShowers = lambda n: None,
    mode: Mode = "accept-reject",
    moves: bool = True,
    acceptance: float = 0.8,
    steps: int = 2,
    copies: int = 2,
    held_out: float = 0.4,
    seed: int = 0,
) -> RefinementResult:
    """Fit a refinement of a model, write its files, and evaluate it with held-out showers.

    The fitter of the wrapper `+refined`, a `calozoo_core.wrappers.WrapperFitter`.

    Arguments:
        model: Generator whose showers are corrected.
        reference: Shower files of Geant4, or folders of them.
        out: Folder for `config.json`, `model.safetensors` and `refinement.json`.
        overwrite: Replace a refinement that is already there.
        on_start: Called with the number of showers to process.
        on_showers: Called with the number of showers of each batch.
        mode: Use of the density ratio: accept-reject, metropolis, weights or none.
        moves: Transport the showers first.
        acceptance: Smallest acceptance of accept-reject, or effective sample size over the number
            of showers otherwise.
        steps: Steps of a Metropolis-Hastings chain.
        copies: Number of generated showers for each reference shower.
        held_out: Part of the reference that is used for the evaluation and not for the fit.
        seed: Seed of everything random.

    Returns:
        Report, and the samples it is made from.

    Raises:
        InputError: If there are too few showers, or they do not suit the model.
        ConditionsError: If they lie outside the conditions of the model.
        DetectorError: If they are of another detector.
        OutputExistsError: If the folder is in use and `overwrite` is not set.
        ShowerFileError: If a file is missing or damaged.
        WeightsError: If weights cannot be read or written.
    """
    if mode != "none" and not is_installed("torch"):
        msg = (
            "The density ratio is fitted with torch, which is not installed; type "
            "`pip install 'calozoo-refine[torch]'`, or take mode='none'."
        )
        raise CalozooError(msg, argument="mode='none'")
    options = FitOptions(mode, moves, acceptance, steps, copies, seed)
    _check_folder(out, overwrite=overwrite)
    showers = ReferenceShowers.find(reference, held_out, seed)
    showers.check(model.spec)
    record = showers.record()
    passes = int(mode != "none") + int(moves)
    on_start(showers.n_showers + copies * (passes * record.n_fitted + 2 * record.n_held_out))
    fitting, truth = showers.read(model.spec, on_showers)
    incident = truth.tails.incident
    conditions = covered_conditions(model.spec, Incident.concatenate([fitting.incident, incident]))
    fit = fit_refinement(model, fitting, conditions, record, options, on_showers)
    with tempfile.TemporaryDirectory() as scratch:
        # Written and read again, so that the evaluated refinement is the one in the files.
        write_refinement(Path(scratch), fit.refinement)
        spec = REFINED.wrapped(model.spec)
        refined = RefinedGenerator.load(spec, Path(scratch), source=model)
    evaluation_seed = int(stream(seed, 0, "judging").integers(2**62))
    before, after = (
        evaluate_generator(one, incident, copies, evaluation_seed, on_showers)
        for one in (model, refined)
    )
    write_refinement(out, fit.refinement)
    report = make_report(fit.refinement.config, fit.auc, truth, before, after, held_out)
    result = RefinementResult(report, truth, before, after)
    write_atomic(out / REPORT_FILE, result.to_json() + "\n")
    return result


def fit_refinement(
    model: Generator,
    reference: TailSample,
    conditions: Conditions,
    record: ReferenceRecord,
    options: FitOptions,
    on_showers: OnShowers = lambda n: None,
) -> RefinementFit:
    """Refinement, its transport fitted to one set of generated showers and its ratio to another.

    Both sets are generated for the primaries of the reference, `copies` times each.

    Arguments:
        model: Generator whose showers are corrected.
        reference: Geant4's showers without those that are held out.
        conditions: Primaries that both cover.
        record: Origin of the reference.
        options: Options of the fit.
        on_showers: Called with the number of showers of each generated batch.
    """
    incident_range = IncidentRange.from_incident(reference.incident)
    seed = int(stream(options.seed, 0, "refinement").integers(2**62))
    sampler = _TailSampler(model, reference.incident, options.copies, seed, on_showers)
    transport = None
    if options.moves:
        transport = QuantileTransport.fit(incident_range, sampler.sample(None, first=0), reference)
    ratio_fit: DensityRatioFit | None = None
    regularisation: Regularisation | None = None
    statistics = WeightStatistics(1.0, 1.0, 0.0)
    weights: ImportanceWeights | None = None
    if options.mode != "none":
        moved = sampler.sample(transport, first=options.copies * len(reference))
        ratio_fit = fit_density_ratio(incident_range, moved, reference, options.seed)
        regularisation = choose_regularisation(
            moved, reference, ratio_fit.held_out, options.mode, options.lowest_acceptance
        )
        if regularisation is not None:
            log_ratio = ratio_fit.density_ratio.log_ratio(moved)
            weights = ImportanceWeights.fit(regularisation, log_ratio, moved.incident)
            each = weights(log_ratio, moved.incident)
            statistics = WeightStatistics.from_weights(each, regularisation.cap)
    ratio = ratio_fit.density_ratio if ratio_fit is not None and weights is not None else None
    config = RefinementConfig(
        base=model.spec.name,
        representation=model.spec.representation,
        detector=model.spec.detector,
        conditions=conditions,
        mode=options.mode,
        moves=options.moves,
        steps=options.steps if options.mode == "metropolis" else 1,
        power=regularisation.power if regularisation else 0.0,
        cap=regularisation.cap if regularisation else 1.0,
        networks=len(ratio.networks) if ratio else 0,
        width=WIDTH,
        calibration=ratio.calibration if ratio else (1.0, 0.0),
        energy_nodes=len(weights.log_energy) if weights else 0,
        log_energy=incident_range.log_energy,
        slant=incident_range.slant,
        acceptance=_acceptance(options, statistics),
        ess=statistics.ess,
        clipped=statistics.clipped,
        seed=options.seed,
        reference=record,
        fingerprint=fingerprint(model, conditions.energy_gev[0]),
    )
    refinement = Refinement(config, transport, ratio, weights)
    return RefinementFit(refinement, ratio_fit.auc if ratio_fit else None)


def _acceptance(options: FitOptions, statistics: WeightStatistics) -> float:
    """Part of the proposed showers that are kept; a chain keeps its last."""
    if options.mode == "accept-reject":
        return min(statistics.acceptance, 1.0)
    return 1 / options.steps if options.mode == "metropolis" else 1.0


@dataclass(frozen=True, eq=False)
class _TailSampler:
    """Tail observables of generated showers, several for each primary of a reference."""

    model: Generator
    incident: Incident
    copies: int
    seed: int
    on_showers: OnShowers

    def sample(self, transport: QuantileTransport | None, first: int) -> TailSample:
        """Tail observables of transported showers with the numbers from `first` on."""
        return TailSample.concatenate(
            [TailSample.from_points(points) for points in self._points(transport, first)]
        )

    def _points(self, transport: QuantileTransport | None, first: int) -> Iterator[AxisPoints]:
        propose = ProposalSampler(self.model, transport)
        for copy in range(self.copies):
            for start, part in self.incident.batches(BATCH_SIZE):
                begin = first + copy * len(self.incident) + start
                yield propose(part, self.seed, np.arange(begin, begin + len(part)))
                self.on_showers(len(part))


def _check_folder(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file; give the name of a folder."
        raise OutputExistsError(msg)
    if not overwrite and any((out / name).exists() for name in (*WEIGHT_FILES, REPORT_FILE)):
        msg = f"{out} already has weights in it. Add overwrite=True to replace them."
        raise OutputExistsError(msg, argument="overwrite=True")
