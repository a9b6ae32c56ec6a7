"""Refined generator: showers of another model, transported and selected by a density ratio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.fed_generator import FedGenerator
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.observables.tails import AxisPoints, TailSample
from calozoo_core.random import stream
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray
from calozoo_refine import REFINED
from calozoo_refine.quantile_transport import QuantileTransport
from calozoo_refine.refinement import (
    Refinement,
    RefinementConfig,
    read_refinement,
    write_refinement,
)

__all__ = ["ProposalSampler", "RefinedGenerator", "fingerprint"]

NUMBER_STRIDE: Final = 1 << 48
"""Proposal k of shower number i is the model's shower number i + k times this."""

TRIES_PER_ROUND: Final = (1, 1, 1, 2, 4, 8)
"""Proposals for each shower that is still missing, round after round: few calls, few in vain."""

TRANSPORT_BATCH: Final = 32

STEP_PITCH_MM: Final = 1.0
"""Distance between the halves of a split point where points are not merged on a grid."""

FINGERPRINT_TOLERANCE: Final = 0.05
"""Relative tolerance: bfloat16 and another processor change showers a little."""


@dataclass(frozen=True, eq=False)
class ProposalSampler:
    """Showers of a model, transported, which accept-reject and chains take as proposals.

    Arguments:
        model: Generator of the model.
        transport: Quantile transport of its showers; None leaves them unchanged.
    """

    model: Generator
    transport: QuantileTransport | None

    @property
    def detector(self) -> Detector:
        """Detector of the showers."""
        return load_detector(self.model.spec.detector)

    def __call__(self, incident: Incident, seed: int, numbers: IntArray) -> AxisPoints:
        """Showers of the model with these numbers, transported."""
        showers = self.model.sample_numbers(incident, seed, numbers)
        # Small batches, so that their points stay in the processor's cache.
        starts = range(0, len(showers), TRANSPORT_BATCH)
        return AxisPoints.concatenate(
            [self._transport(showers[i : i + TRANSPORT_BATCH], seed, numbers[i:]) for i in starts]
        )

    def _transport(self, showers: Showers, seed: int, numbers: IntArray) -> AxisPoints:
        points = AxisPoints.from_showers(showers, self.detector)
        if self.transport is None:
            return points
        return self.transport(points, seed, numbers, self._pitch_mm)

    @property
    def _pitch_mm(self) -> float:
        """Distance between sub-cells of the representation."""
        split = REPRESENTATIONS[self.model.spec.representation]
        return STEP_PITCH_MM if split is None else self.detector.cell_mm / split


class RefinedGenerator(NumberedGenerator, FedGenerator):
    """Generator that corrects the showers of another model.

    Showers are transported first, which changes each a little and rejects none. The density ratio
    is used in one of these modes:

    - accept-reject: of the showers proposed for a primary, the first that passes with probability
      weight / cap is taken. After 17 proposals the last is taken as it is.
    - metropolis: each shower is the end of a chain of its own, of independent proposals. It needs
      no cap, costs as many showers as it has steps, and is exact only for a long chain.
    - weights: showers are returned as proposed, and `weights` returns the weight of each.
    - none: showers are only transported.

    Shower number i depends on its primary, the seed and i alone: its proposals are showers of the
    model with numbers of their own.

    Arguments:
        spec: Spec of the refined model.
        refinement: Correction of the showers.
        source: Generator of the model.
    """

    default_batch_size = 512

    def __init__(self, spec: ModelSpec, refinement: Refinement, source: Generator) -> None:
        super().__init__(spec, source)
        self.refinement = refinement
        self._proposals = ProposalSampler(source, refinement.transport)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        source: Generator | Path | None = None,
    ) -> RefinedGenerator:
        """Refined generator from the folder that `calozoo refine` wrote.

        Arguments:
            spec: Spec of the refined model.
            folder: Holds `config.json` and `model.safetensors`.
            device: Ignored; the source has its own, and the correction runs on the CPU.
            precision: Ignored, likewise.
            source: Generator whose showers are corrected.

        Raises:
            WeightsError: If the files are damaged, or belong to another model.
            InputError: If the source is not a generator.
        """
        base = spec.name.removesuffix(REFINED.suffix)
        if folder is None:
            msg = (
                f"{spec.name} has to be fitted first: `calozoo refine {base} --reference DATA "
                "--out FOLDER`; then pass weights=FOLDER."
            )
            raise WeightsError(msg, argument="weights=FOLDER")
        if not isinstance(source, Generator):
            msg = f"{spec.name} corrects a model that generates; leave out source."
            raise InputError(msg, argument="source")
        refinement = read_refinement(folder)
        _check_source(refinement.config, folder, source)
        conditions = refinement.config.conditions
        return cls(spec.model_copy(update={"conditions": conditions}), refinement, source)

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers for these primaries, of these numbers in the sample."""
        mode = self.refinement.config.mode
        if self.refinement.density_ratio is None or mode in ("none", "weights"):
            points = self._proposals(incident, seed, numbers)
        elif mode == "accept-reject":
            points = self._accept_reject(incident, seed, numbers)
        else:
            points = self._metropolis(incident, seed, numbers)
        return points.to_showers(self.spec.representation)

    def weights(self, showers: Showers) -> FloatArray:
        """Importance weights, shape (n,); all 1 if there is no density ratio.

        Arguments:
            showers: Showers of this model in mode "weights", or "none".
        """
        return self._weights(AxisPoints.from_showers(showers, self._proposals.detector))

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_refinement(Path(folder), self.refinement)

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Attributes of a shower file: the settings of the correction and its measured cost."""
        config = self.refinement.config
        return {
            "refinement_mode": config.mode,
            "refinement_moves": int(config.moves),
            "refinement_acceptance": config.acceptance,
            "refinement_ess": config.ess,
            "refinement_clipped": config.clipped,
            "refinement_power": config.power,
            "refinement_cap": config.cap,
            "refinement_seed": config.seed,
            "refinement_n_reference": config.reference.n_fitted,
        }

    def _weights(self, points: AxisPoints) -> FloatArray:
        ratio, weights = self.refinement.density_ratio, self.refinement.weights
        if ratio is None or weights is None:
            return np.ones(len(points))
        return weights(ratio.log_ratio(TailSample.from_points(points)), points.incident)

    def _accept_reject(self, incident: Incident, seed: int, numbers: IntArray) -> AxisPoints:
        """First accepted proposal of each shower, found in rounds."""
        cap = self.refinement.config.cap
        uniform = _uniform(seed, numbers, sum(TRIES_PER_ROUND))
        proposed: list[AxisPoints] = []
        chosen = np.zeros(len(incident), np.int64)
        missing, n_tried, n_proposed = np.arange(len(incident)), 0, 0
        for tries in TRIES_PER_ROUND:
            rows = np.repeat(missing, tries)
            attempts = np.tile(np.arange(n_tried, n_tried + tries), len(missing))
            proposal = numbers[rows] + attempts * NUMBER_STRIDE
            points = self._proposals(incident[rows], seed, proposal)
            passes = (uniform[rows, attempts] * cap < self._weights(points)).reshape(-1, tries)
            first = np.where(passes.any(axis=1), passes.argmax(axis=1), tries - 1)
            chosen[missing] = n_proposed + np.arange(len(missing)) * tries + first
            proposed.append(points)
            missing = missing[~passes.any(axis=1)]
            n_tried, n_proposed = n_tried + tries, n_proposed + len(rows)
            if len(missing) == 0:
                break
        return AxisPoints.concatenate(proposed)[chosen]

    def _metropolis(self, incident: Incident, seed: int, numbers: IntArray) -> AxisPoints:
        """Last state of each shower's Metropolis-Hastings chain, which starts at a proposal."""
        steps, n = self.refinement.config.steps, len(incident)
        uniform = _uniform(seed, numbers, steps)
        proposed = [
            self._proposals(incident, seed, numbers + k * NUMBER_STRIDE) for k in range(steps)
        ]
        weights = [self._weights(points) for points in proposed]
        state, weight = np.zeros(n, np.int64), weights[0]
        for step in range(1, steps):
            moves = uniform[:, step] * weight < weights[step]
            state, weight = np.where(moves, step, state), np.where(moves, weights[step], weight)
        return AxisPoints.concatenate(proposed)[state * n + np.arange(n)]


def fingerprint(source: Generator, energy_gev: float) -> tuple[float, ...]:
    """Visible energies of four of a model's showers, in MeV, by which its weights are recognised.

    Arguments:
        source: Generator of the model.
        energy_gev: Energy of the primaries, which have the model's smallest angle.
    """
    theta = np.radians(source.spec.conditions.theta_deg[0])
    particle = source.spec.conditions.particles[0]
    incident = Incident([energy_gev] * 4, (np.sin(theta), 0, np.cos(theta)), particle)
    return tuple(float(energy) for energy in source.sample(incident, 0, 0).visible_energy)


def _check_source(config: RefinementConfig, folder: Path, source: Generator) -> None:
    """Refuse a source that the refinement was not fitted for."""
    own = source.spec
    if config.base != own.name:
        msg = (
            f"{folder} holds a refinement of {config.base}, not of {own.name}; give that of "
            f"{own.name}, or the model {config.base}{REFINED.suffix}."
        )
        raise WeightsError(msg)
    if (config.detector, config.representation) != (own.detector, own.representation):
        msg = (
            f"{folder} was fitted on {config.representation} showers in {config.detector}, and "
            f"{own.name} makes {own.representation} in {own.detector}; refine it again."
        )
        raise WeightsError(msg)
    if not config.fingerprint:
        return
    found = fingerprint(source, config.conditions.energy_gev[0])
    if not np.allclose(found, config.fingerprint, rtol=FINGERPRINT_TOLERANCE):
        msg = (
            f"{folder} was fitted on {own.name} with other weights than these; refine it again: "
            f"`calozoo refine {own.name} --reference DATA --out FOLDER`."
        )
        raise WeightsError(msg)


def _uniform(seed: int, numbers: IntArray, n: int) -> FloatArray:
    """Uniform random numbers of each shower, shape (len(numbers), n)."""
    return np.array([stream(seed, int(number), "refine").random(n) for number in numbers])
