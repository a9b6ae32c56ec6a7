"""Results of the physics benchmark for one model: a section of its card, and of a report."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field

from calozoo_core.metrics.result import MetricResult
from calozoo_core.strict_model import StrictModel

__all__ = [
    "LABELS",
    "TITLES",
    "KeptSample",
    "PhysicsResult",
    "PhysicsSample",
    "PhysicsTest",
    "physics_label",
]

PhysicsTest = Literal["pairs", "tau"]

_ENERGY: Final = re.compile(r"[-.](\d+(?:\.\d+)?)GeV")

TITLES: Final[dict[PhysicsTest, str]] = {
    "pairs": "Photon pairs, photons only, calozoo's photon finder",
    "tau": "Pi0 of tau decays, photons only, calozoo's photon finder",
}
"""Title of each test, which says what it is not: there are no hadrons, tracks and conversions, and
the reconstruction is not that of papers."""

LABELS: Final = {
    "pairs.number": "number of photons found, over the separation",
    "pairs.d50": "separation at which half of the pairs are found as two",
    "pairs.width": "width of the rise from one to two",
    "pairs.plateau": "photons found beyond 15 mm",
    "pairs.resolved": "share of pairs resolved",
    "pairs.sharing": "spread of the sharing of the energy",
    "singles.split": "single photons found as several",
    "singles.response": "energy of single photons, over the true one",
    "singles.sigma90": "energy resolution of single photons",
    "singles.position": "position resolution of single photons",
    "pi0.reco": "pi0 reconstructed, per true pi0",
    "pi0.good": "pi0 that are right",
    "pi0.confused": "pi0 with one right photon",
    "pi0.fake": "pi0 that are none",
    "pi0.missed": "pi0 not found",
    "pi0.categories": "counts of the categories",
    "pi0.mass": "mass of right pi0",
    "pi0.energy": "energy of right pi0, minus the true one",
    "pi0.theta": "polar angle of right pi0, minus the true one",
    "pi0.phi": "azimuth of right pi0, minus the true one",
}
"""Label of each quantity; of pairs and single photons the name of a figure has an energy in its
middle, as `pairs.5GeV.d50`."""


def physics_label(name: str) -> str | None:
    """Label of a figure of this name; None if it is not one of these tests.

    Example:
        >>> physics_label("pairs.5GeV.resolved"), physics_label("pi0.good")
        ('share of pairs resolved, 5 GeV', 'pi0 that are right')
    """
    test, _, rest = name.partition(".")
    energy, _, quantity = rest.partition(".")
    if name in LABELS or not quantity:
        return LABELS.get(name)
    words = LABELS.get(f"{test}.{quantity}")
    return None if words is None else f"{words}, {energy.removesuffix('GeV')} GeV"


class KeptSample(StrictModel):
    """Sample that calozoo brings Geant4's measurements of.

    Arguments:
        n_events: Number of events.
        packages: Versions of what made them, or the last part of them.
    """

    n_events: int
    packages: dict[str, str]


class PhysicsSample(StrictModel):
    """Sample of a physics benchmark.

    Arguments:
        n_events: Number of events.
        primaries_sha256: Hash of their primaries.
        truth_sha256: Hash of the hits of the truth; of all events of `kept`, if there is one, and
            if these were simulated in several parts, of the hashes of the parts.
        kept: Sample whose first events these are, and whose measurements were taken for those of
            the truth; None if the truth was simulated.
        seeds: Number of seeds of the model that is compared with it.
    """

    n_events: int
    primaries_sha256: str
    truth_sha256: str
    kept: KeptSample | None = None
    seeds: int = Field(default=1, ge=1)


class PhysicsResult(StrictModel):
    """Result of one test of one model.

    Arguments:
        test: "pairs" or "tau".
        truth: Simulation that the model is compared with.
        samples: Samples by name.
        parameters_sha256: Hash of the parameters of the photon finder and of the pi0 finder.
        packages: Versions of what made it.
        weights_sha256: Hash of each weights file of the model, by name; None without weights.
        figures: Differences from the truth, and divergences, each with error and noise floor.
    """

    test: PhysicsTest
    truth: str
    samples: dict[str, PhysicsSample]
    parameters_sha256: str
    packages: dict[str, str]
    weights_sha256: dict[str, str] | None = None
    figures: tuple[MetricResult, ...] = Field(min_length=1)

    def primaries_of(self, figure: str) -> tuple[str, ...]:
        """Hashes of the primaries that a figure is of; of pairs, those of its energy.

        Arguments:
            figure: Name of the figure.
        """
        return tuple(
            sample.primaries_sha256
            for name, sample in self.samples.items()
            if self.test != "pairs" or _pair_energy(name) == _pair_energy(figure)
        )

    @property
    def pair_energies(self) -> tuple[float, ...]:
        """Energies in GeV of its pairs, in order; none of tau events."""
        return tuple(sorted({_pair_energy(name) for name in self.samples if self.test == "pairs"}))

    def with_other_energies(self, older: PhysicsResult) -> PhysicsResult:
        """This result, with the pairs of an older one that have other energies.

        Nothing is taken of a result whose model, truth or photon finder was another.

        Arguments:
            older: Result of the same test.
        """
        made_by = ("test", "truth", "parameters_sha256", "weights_sha256")
        if self.test != "pairs" or any(getattr(self, k) != getattr(older, k) for k in made_by):
            return self
        own = {_pair_energy(name) for name in self.samples}
        kept = {k: v for k, v in older.samples.items() if _pair_energy(k) not in own}
        figures = [one for one in older.figures if _pair_energy(one.name) not in own]
        return self.model_copy(
            update={
                "samples": _by_energy({**kept, **self.samples}),
                "figures": tuple(
                    sorted([*figures, *self.figures], key=lambda one: _pair_energy(one.name))
                ),
                "packages": older.packages | self.packages,
            }
        )


def _pair_energy(name: str) -> float:
    """Energy in GeV in the name of a sample of pairs or of its figures."""
    match = _ENERGY.search(name)
    assert match is not None
    return float(match[1])


def _by_energy(samples: dict[str, PhysicsSample]) -> dict[str, PhysicsSample]:
    return dict(sorted(samples.items(), key=lambda item: _pair_energy(item[0])))
