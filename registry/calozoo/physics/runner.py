"""Models, Geant4 and the store of a physics benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from calozoo import api
from calozoo.events.chunks import incident_on_face
from calozoo.events.request import FULL_SIMULATION, find_full_simulation
from calozoo.generation.placement import HitPlacer
from calozoo.physics.kept_truth import TruthChoice, Whole, choose_truth, truth_sentence
from calozoo.physics.options import PhysicsRun
from calozoo.physics.results import PhysicsResult, PhysicsSample, PhysicsTest
from calozoo.physics.sample_store import THRESHOLD_MEV, Sample, SampleStore
from calozoo.physics.shared_source import SharedSource
from calozoo.reconstruction.parameters import finder_parameters, parameters_digest
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import ConditionsError
from calozoo_core.event_hits import EventHits
from calozoo_core.full_simulation import FaceTrigger, FullSimulation
from calozoo_core.generator import Generator
from calozoo_core.metrics.result import MetricResult
from calozoo_core.placement import Trigger, load_placement
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = [
    "AGAIN",
    "DETECTOR",
    "FLOOR_SEED",
    "TRUTH",
    "TRUTH_SEED",
    "BenchmarkRunner",
    "common_trigger",
    "package_versions",
]

DETECTOR = "ild_siecal"
TRUTH = "geant4.ild-siecal"
AGAIN = f"{TRUTH} again"
TRUTH_SEED, FLOOR_SEED, MODEL_SEED = 1, 2, 1


class BenchmarkRunner:
    """Models, Geant4 and the store of a run; use it in a `with` statement.

    Arguments:
        run: Options.
    """

    def __init__(self, run: PhysicsRun) -> None:
        self._run = run
        self._detector = load_detector(DETECTOR)
        self.placement = load_placement(self._detector)
        self.trigger = common_trigger(self._detector)
        self.finder = PhotonFinder(self._detector, finder_parameters())
        self._stack = ExitStack()
        self._simulation: FullSimulation | None = None

    def __enter__(self) -> BenchmarkRunner:
        self._sources: dict[str, SharedSource] = {}
        self._models: dict[str, Generator] = {}
        self._weights: dict[str, dict[str, str] | None] = {}
        for name in self._run.models:
            model = self._loaded(name)
            self._models[model.spec.name] = model
            self._weights[model.spec.name] = self._weights_sha256(name)
        self._store = SampleStore(
            self._run.folder, self._detector, self.trigger, self._run.on_events
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def check(self, samples: list[Sample]) -> None:
        """Refuse samples that no model can simulate, and models that cannot simulate them.

        Raises:
            CalozooError: If a primary is no photon that the trigger takes on the face.
            ConditionsError: If a photon lies outside what a model was trained on.
            DetectorError: If the showers of a model cannot be placed into the detector.
        """
        for sample in samples:
            self._store.check(sample)
        for name, model in self._models.items():
            HitPlacer(self.placement, THRESHOLD_MEV).check(
                model.spec.detector, model.spec.representation
            )
            conditions = model.spec.conditions
            for sample in samples:
                try:
                    conditions.check(incident_on_face(sample.events, self.placement), name)
                except ConditionsError as error:
                    msg = (
                        f"{name} was trained on {conditions.summary} from the normal, and some "
                        f"photons of {sample.name} are outside; leave it out."
                    )
                    raise ConditionsError(msg) from error

    def choose_truth(self, samples: Mapping[str, tuple[Sample, Whole]]) -> dict[str, TruthChoice]:
        """Choice of where Geant4's part of each sample comes from, by name; the caller is told.

        Arguments:
            samples: Samples by name, each with the maker of the first n events of its whole.

        Raises:
            CalozooError: If a file of measurements is damaged, or Geant4 is needed and missing.
        """
        choices = {
            name: TruthChoice(name, None)
            if self._run.simulate_truth
            else choose_truth(sample, whole)
            for name, (sample, whole) in samples.items()
        }
        if any(choice.kept is None for choice in choices.values()):
            find_full_simulation(api.find_model(TRUTH))  # or it is missed after hours
        self._run.on_truth(truth_sentence(list(choices.values()), self._run.folder))
        of_models = len(self._models) * self._run.seeds
        self._run.on_start(
            sum(
                len(sample.events) * (of_models + (choices[name].kept is None) * len(self.truths))
                for name, (sample, _) in samples.items()
            )
        )
        return choices

    @property
    def truths(self) -> dict[str, int]:
        """Seeds of the truth, and of its repetition if there is one, by name."""
        return {TRUTH: TRUTH_SEED} | ({AGAIN: FLOOR_SEED} if self._run.floor else {})

    def truth_hits(self, sample: Sample) -> dict[str, EventHits]:
        """Hits of a sample by Geant4, by name: the truth, and its repetition."""
        return {
            name: self._store.truth(sample, TRUTH, seed, self._full)
            for name, seed in self.truths.items()
        }

    def model_hits(self, sample: Sample) -> dict[str, list[EventHits]]:
        """Hits of a sample by each model with its seeds."""
        hits: dict[str, list[EventHits]] = {name: [] for name in self._models}
        for seed in range(MODEL_SEED, MODEL_SEED + self._run.seeds):
            made = self._store.models(sample, self._models, seed, self._sources.values())
            for name, of_model in made.items():
                hits[name].append(of_model)
        return hits

    def results(
        self,
        test: PhysicsTest,
        samples: dict[str, PhysicsSample],
        figures: Mapping[str, Sequence[MetricResult]],
    ) -> dict[str, PhysicsResult]:
        """Results of all models.

        Arguments:
            test: "pairs" or "tau".
            samples: Samples by name.
            figures: Figures by model.
        """
        kept = [sample.kept.packages for sample in samples.values() if sample.kept is not None]
        packages = {k: v for of_kept in kept for k, v in of_kept.items()} | package_versions()
        by_seeds = {
            name: sample.model_copy(update={"seeds": self._run.seeds})
            for name, sample in samples.items()
        }
        return {
            name: PhysicsResult(
                test=test,
                truth=TRUTH,
                samples=by_seeds if name in self._models else samples,
                parameters_sha256=parameters_digest(),
                packages=packages,
                weights_sha256=self._weights.get(name),
                figures=tuple(of_model),
            )
            for name, of_model in figures.items()
        }

    def _weights_sha256(self, name: str) -> dict[str, str] | None:
        folder = api.pull(name, offline=self._run.offline).folder
        if folder is None:
            return None
        return {file: sha256(folder / file) for file in WEIGHT_FILES}

    def _loaded(self, name: str) -> Generator:
        spec = api.find_model(name, offline=self._run.offline)
        if spec.source is None:
            model = api.load(name, offline=self._run.offline)
        else:
            source = self._shared_source(spec.source)
            model = api.load(name, offline=self._run.offline, source=source)
        return self._stack.enter_context(closing(model))

    def _shared_source(self, name: str) -> SharedSource:
        """Source of this name, for all models that it feeds."""
        if name not in self._sources:
            options: dict[str, Any] = {}
            if self._run.workers is not None and name.startswith(FULL_SIMULATION):
                options["workers"] = self._run.workers
            source = api.load(name, offline=self._run.offline, **options)
            self._sources[name] = SharedSource(self._stack.enter_context(closing(source)))
        return self._sources[name]

    def _full(self) -> FullSimulation:
        if self._simulation is None:
            factory, _ = find_full_simulation(api.find_model(TRUTH))
            simulation = factory.full_simulation(self._detector, workers=self._run.workers)
            self._simulation = self._stack.enter_context(closing(simulation))
        return self._simulation


def common_trigger(detector: Detector) -> FaceTrigger:
    """Choice of the photons that every photon model takes: in the barrel, of 5 to 127 GeV.

    Arguments:
        detector: The detector.
    """
    trigger = replace(Trigger.of(detector, ("gamma",)), endcap_theta_deg=None)
    return FaceTrigger(trigger, energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0))


def package_versions() -> dict[str, str]:
    """Versions of calozoo, Geant4 and Pythia, where they are installed."""
    found = {}
    for name in ("calozoo", "geant4_pybind", "pythia8mc"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
