"""A refined model: another's showers, moved and kept so that their tails are Geant4's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.config import REFINED, RefinementConfig
from calozoo_core.refining.files import Refinement, read_refinement, write_refinement
from calozoo_core.refining.observables import Sample, observed
from calozoo_core.refining.proposals import ANOTHER_TRY, Proposals
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["Refined", "fingerprint"]

ROUNDS: Final = (1, 1, 1, 2, 4, 8)
"""Tries of every shower that is still missing, round after round: few calls, little in vain."""

TOLERANCE: Final = 0.05
"""By which a fingerprint may differ: bfloat16 and another processor change showers a little."""


class Refined(Generator):
    """Corrects the showers of another model.

    Each shower is moved first, which changes it a little and throws none away. Then there are
    these modes:

    - accept-reject: of the showers proposed for a primary, the first that passes with probability
      weight / cap is taken. After 17 tries the last is taken as it is.
    - metropolis: each shower is the end of a chain of its own, of independent proposals. It needs
      no cap, costs as many showers as it has steps, and is only as good as it is long.
    - weights: showers come as they were proposed; `weights` says what each counts.
    - none: showers are moved, and that is all.

    Shower number i depends on its primary, the seed and i alone: its tries are showers of the model
    with numbers of their own.

    Arguments:
        spec: Its own spec.
        refinement: What corrects the showers.
        source: The model.
    """

    default_batch_size = 512

    def __init__(self, spec: ModelSpec, refinement: Refinement, source: Generator) -> None:
        super().__init__(spec)
        self.refinement = refinement
        self._source = source
        self._proposals = Proposals(source, refinement.transport)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        source: Generator | Path | None = None,
    ) -> Refined:
        """Build it from the folder that `calozoo refine` wrote.

        Arguments:
            spec: That of the refined model.
            folder: Holds `config.json` and `model.safetensors`.
            device: The source's; the correction itself runs on the processor.
            precision: Likewise.
            source: The model whose showers are corrected.

        Raises:
            WeightsError: If the files are damaged, those of no refinement, or of another model's.
            InputError: If there is no source that generates.
        """
        base = spec.name.removesuffix(REFINED)
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
        _check(refinement.config, folder, source)
        conditions = refinement.config.conditions
        return cls(spec.model_copy(update={"conditions": conditions}), refinement, source)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers for these primaries, of these numbers."""
        mode = self.refinement.config.mode
        if self.refinement.estimator is None or mode in ("none", "weights"):
            cloud = self._proposals(incident, seed, numbers)
        elif mode == "accept-reject":
            cloud = self._accepted(incident, seed, numbers)
        else:
            cloud = self._chained(incident, seed, numbers)
        return cloud.showers(self.spec.representation)

    def weights(self, showers: Showers) -> FloatArray:
        """What each of its showers counts, shape (n,); all 1 if there is nothing to correct.

        Arguments:
            showers: Of this model in mode "weights", or "none".
        """
        cloud = Cloud.of(showers, self._proposals.detector)
        return self._weights(cloud)

    def save(self, folder: Path) -> None:
        """Write its two files.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_refinement(folder, self.refinement)

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """How its showers were corrected, and what that was measured to cost."""
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

    @property
    def precision(self) -> str:
        """That of its source."""
        return self._source.precision

    @property
    def device(self) -> str:
        """That of its source."""
        return self._source.device

    def close(self) -> None:
        """Close the model that it corrects."""
        self._source.close()

    def _weights(self, cloud: Cloud) -> FloatArray:
        estimator, weights = self.refinement.estimator, self.refinement.weights
        if estimator is None or weights is None:
            return np.ones(len(cloud))
        log_ratio = estimator.log_ratio(Sample(observed(cloud), cloud.incident))
        return weights(log_ratio, cloud.incident)

    def _accepted(self, incident: Incident, seed: int, numbers: IntArray) -> Cloud:
        """Round by round, those that are missing are proposed again."""
        cap = self.refinement.config.cap
        coins = _coins(seed, numbers, sum(ROUNDS))
        proposed: list[Cloud] = []
        chosen = np.zeros(len(incident), np.int64)
        missing, tried, behind = np.arange(len(incident)), 0, 0
        for tries in ROUNDS:
            rows = np.repeat(missing, tries)
            attempts = np.tile(np.arange(tried, tried + tries), len(missing))
            cloud = self._proposals(incident[rows], seed, numbers[rows] + attempts * ANOTHER_TRY)
            passes = (coins[rows, attempts] * cap < self._weights(cloud)).reshape(-1, tries)
            first = np.where(passes.any(axis=1), passes.argmax(axis=1), tries - 1)
            chosen[missing] = behind + np.arange(len(missing)) * tries + first
            proposed.append(cloud)
            missing, tried, behind = missing[~passes.any(axis=1)], tried + tries, behind + len(rows)
            if len(missing) == 0:
                break
        return Cloud.concatenate(proposed).take(chosen)

    def _chained(self, incident: Incident, seed: int, numbers: IntArray) -> Cloud:
        """The ends of the chains, each begun at a proposal."""
        steps, n = self.refinement.config.steps, len(incident)
        coins = _coins(seed, numbers, steps)
        proposed = [
            self._proposals(incident, seed, numbers + k * ANOTHER_TRY) for k in range(steps)
        ]
        weights = [self._weights(cloud) for cloud in proposed]
        at, now = np.zeros(n, np.int64), weights[0]
        for step in range(1, steps):
            moves = coins[:, step] * now < weights[step]
            at, now = np.where(moves, step, at), np.where(moves, weights[step], now)
        return Cloud.concatenate(proposed).take(at * n + np.arange(n))


def fingerprint(source: Generator, energy_gev: float) -> tuple[float, ...]:
    """Visible energies of four of a model's showers, in MeV, to tell other weights by.

    Arguments:
        source: The model.
        energy_gev: Of the primaries, which come at its smallest angle.
    """
    theta = np.radians(source.spec.conditions.theta_deg[0])
    particle = source.spec.conditions.particles[0]
    incident = Incident([energy_gev] * 4, (np.sin(theta), 0, np.cos(theta)), particle)
    return tuple(float(energy) for energy in source.sample(incident, 0, 0).visible_energy)


def _check(config: RefinementConfig, folder: Path, source: Generator) -> None:
    own = source.spec
    if config.base != own.name:
        msg = (
            f"{folder} holds a refinement of {config.base}, not of {own.name}; give that of "
            f"{own.name}, or the model {config.base}{REFINED}."
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
    if not np.allclose(found, config.fingerprint, rtol=TOLERANCE):
        msg = (
            f"{folder} was fitted on {own.name} with other weights than these; refine it again: "
            f"`calozoo refine {own.name} --reference DATA --out FOLDER`."
        )
        raise WeightsError(msg)


def _coins(seed: int, numbers: IntArray, n: int) -> FloatArray:
    """Uniform numbers of each shower, shape (len(numbers), n)."""
    return np.array([stream(seed, int(number), "refine").random(n) for number in numbers])
