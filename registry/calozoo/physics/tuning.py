"""Tuning of the photon finder on Geant4's pairs: a scan on one half, a report on the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from calozoo.events.deposits import Deposits
from calozoo.events.hit_building import simulated_events
from calozoo.physics.pair_sample import FACE_MM, PairSample
from calozoo.physics.pairs import measure_pairs, rise
from calozoo.physics.sample_store import THRESHOLD_MEV
from calozoo.reconstruction.parameters import FinderParameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import Detector
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.placement import load_placement
from calozoo_core.typing import FloatArray

__all__ = [
    "SCANNED",
    "TUNING_SEED",
    "TuningSample",
    "best_row",
    "calibrated",
    "deposits_digest",
    "finder_report",
    "scan",
    "split_name",
]

TUNING_SEED = 1000
"""Seed of the pairs that the finder is tuned on, which are no pairs of the benchmark."""

SCANNED: dict[str, tuple[float, ...]] = {
    "valley": (0.6, 0.7, 0.85, 0.95),
    "min_share": (0.02, 0.05, 0.1),
    "min_bins": (3, 4, 6),
    "min_peak_mev": (2.0, 5.0, 10.0),
}
"""Values of each parameter; all combinations are scanned."""

MOST_SPLIT = {5: 0.01, 20: 0.005, 100: 0.005}
"""Largest share of single photons that may be found as several, by energy in GeV."""

_DECIDING_GEV = 20
_SIGMA90_OF_NORMAL = 0.79
"""Standard deviation of the central 90 per cent of a normal distribution of width 1."""


@dataclass(frozen=True, eq=False)
class TuningSample:
    """Close pairs by Geant4.

    Arguments:
        hits: Their hits.
        events: The pairs.
        separation: Distances of their photons, in mm, shape (n,).
    """

    hits: EventHits
    events: Events
    separation: FloatArray

    @classmethod
    def of(cls, deposits: Deposits, pairs: PairSample, detector: Detector) -> TuningSample:
        """Sample of the deposits of all primaries of some pairs."""
        events = pairs.events()
        run = simulated_events(events, deposits, load_placement(detector), THRESHOLD_MEV)
        return cls(run.hits, events, pairs.separations())

    def halves(self) -> tuple[TuningSample, TuningSample]:
        """First and second half: to scan on, and to report on."""
        middle = len(self.separation) // 2
        first, second = slice(0, middle), slice(middle, len(self.separation))
        return (
            TuningSample(self.hits[first], self.events[first], self.separation[first]),
            TuningSample(self.hits[second], self.events[second], self.separation[second]),
        )


def finder_report(
    samples: Mapping[int, TuningSample], detector: Detector, parameters: FinderParameters
) -> dict[str, float]:
    """Quantities of pairs and single photons at each energy, by name.

    Arguments:
        samples: Samples by energy in GeV.
        detector: The detector.
        parameters: Parameters of the finder.
    """
    finder = PhotonFinder(detector, parameters)
    report: dict[str, float] = {}
    for sample in samples.values():
        measured = measure_pairs(sample.hits, sample.events, sample.separation, finder)
        quantities = measured.quantities()
        report |= {name: round(value, 5) for name, value in quantities.items() if value == value}
    return report


def scan(
    samples: Mapping[int, TuningSample], detector: Detector, start: FinderParameters
) -> Iterator[dict[str, float]]:
    """Scan of all combinations of values of the parameters.

    Arguments:
        samples: Samples by energy in GeV.
        detector: The detector.
        start: Parameters that are not scanned.

    Yields:
        Values, the share of single photons found as several at each energy, and `d50` in mm.
    """
    deciding = samples[_DECIDING_GEV]
    singles = {
        energy: [sample.hits.of_primary(i, threshold_mev=THRESHOLD_MEV) for i in (0, 1)]
        for energy, sample in samples.items()
    }
    for values in product(*SCANNED.values()):
        row: dict[str, float] = dict(zip(SCANNED, values, strict=True))
        finder = PhotonFinder(detector, start.model_copy(update=row))
        for energy, (first, second) in singles.items():
            found = [
                len(finder.find(hits[i]))
                for hits in (first, second)
                for i in range(len(hits.offsets) - 1)
            ]
            row[split_name(energy)] = round(float(np.mean(np.array(found) > 1)), 5)
        n_found = [len(finder.find(deciding.hits.hits[i])) for i in range(len(deciding.separation))]
        row["d50"] = round(rise(deciding.separation, np.array(n_found))[0], 2)
        yield row


def best_row(rows: Sequence[Mapping[str, float]], start: FinderParameters) -> Mapping[str, float]:
    """Row of a scan with the smallest d50 among those that split few enough single photons.

    On a tie, that with the fewest of them, then with the fewest values changed, then the first.

    Arguments:
        rows: Rows of the scan.
        start: Parameters before the scan.
    """
    names = {split_name(energy): most for energy, most in MOST_SPLIT.items()}
    allowed = [row for row in rows if all(row[name] <= most for name, most in names.items())]

    def cost(row: Mapping[str, float]) -> tuple[float, float, int]:
        changed = sum(row[name] != getattr(start, name) for name in SCANNED)
        return row["d50"], sum(row[name] for name in names), changed

    return min(allowed, key=cost)


def split_name(energy: int) -> str:
    """Name of the share of split photons of an energy, in a row of the scan."""
    return f"split at {energy} GeV"


def calibrated(
    samples: Mapping[int, TuningSample], detector: Detector, parameters: FinderParameters
) -> FinderParameters:
    """Parameters with the response and the resolutions of single photons, of all energies together.

    Arguments:
        samples: Samples by energy in GeV.
        detector: The detector.
        parameters: Parameters of the finder.
    """
    report = finder_report(samples, detector, parameters)
    energies = np.array(list(samples), dtype=np.float64)
    weights = [len(sample.separation) for sample in samples.values()]
    response, sigma90, position = (
        np.array([report[f"singles.{energy}GeV.{name}"] for energy in samples])
        for name in ("response", "sigma90", "position")
    )
    squares = (sigma90 / _SIGMA90_OF_NORMAL) ** 2 - parameters.constant**2
    found = {
        "response_mev_per_gev": (parameters.response_mev_per_gev * response, 2),
        "stochastic": (np.sqrt(np.maximum(squares, 0) * energies), 3),
        "angle_mrad": (1e3 * position / FACE_MM * np.sqrt(energies), 2),
    }
    means = {
        name: round(float(np.average(values, weights=weights)), digits)
        for name, (values, digits) in found.items()
    }
    return parameters.model_copy(update=means)


def deposits_digest(deposits: Deposits) -> str:
    """Hash of the cells and energies of a sample."""
    content = (deposits.offsets.astype("<i8"), deposits.cell.astype("<i8"))
    arrays = (*content, deposits.energy.astype("<f4"))
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
