"""Comparison with CaloClouds' published Geant4 sample: `python -m studies.geant4.published_sample`.

Photons at normal incidence, simulated here or read from a file, are merged to x25 points and
compared with the means that the authors give of their own 100,000 photons.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.markdown import table, write_block
from calozoo_core.random import stream
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.generator import Geant4

__all__ = [
    "PUBLISHED",
    "Comparison",
    "ShowerSums",
    "compare_layers",
    "compare_totals",
    "report",
    "shower_sums",
]

RADIUS_STEP_MM = 15.625
"""Width of the rings around the shower axis in which the sample's energy is given."""


@dataclass(frozen=True)
class PublishedSample:
    """Means per shower of the published sample.

    References:
        | CaloClouds3, file Geant_4.npz of its standard metrics:
          https://github.com/FLC-QU-hep/CaloClouds-3

    Arguments:
        layer_energy_mev: In each layer.
        layer_points: x25 points in each layer.
        energy_fractions: Within rings of 15.625 mm around the axis, from the axis on.
        point_fractions: Likewise, of the points.
        energy_spread_mev: Standard deviation of the visible energy.
        points_spread: Standard deviation of the number of points.
    """

    layer_energy_mev: FloatArray
    layer_points: FloatArray
    energy_fractions: FloatArray
    point_fractions: FloatArray
    energy_spread_mev: float
    points_spread: float


# fmt: off
PUBLISHED = PublishedSample(
    layer_energy_mev=np.array([
        0.74259, 1.82626, 4.62302, 9.49463, 16.37374, 27.0977, 36.0173, 51.58222,
        57.6434, 74.87979, 73.92255, 89.6096, 77.98447, 90.69894, 78.68671, 87.41138,
        71.27526, 77.07657, 59.95906, 63.56197, 43.3388, 39.8078, 25.04724, 21.98675,
        13.06442, 11.18661, 6.60012, 5.56047, 3.28062, 2.90489,
    ]),
    layer_points=np.array([
        2.91974, 4.82053, 11.98434, 19.14653, 37.05364, 51.50252, 77.00777, 97.26418,
        122.40839, 145.40352, 162.58077, 184.28415, 185.79953, 204.72503, 201.48901, 214.83418,
        199.41298, 208.53845, 183.4549, 188.69721, 144.13331, 130.75119, 92.92695, 81.17655,
        52.97468, 45.09206, 28.31753, 23.74043, 14.52906, 13.32449,
    ]),
    energy_fractions=np.array([0.8366, 0.1039, 0.0299, 0.0128]),
    point_fractions=np.array([0.7119, 0.1734, 0.0558, 0.0250]),
    energy_spread_mev=570.0,
    points_spread=1232.0,
)
# fmt: on

N_RADII = len(PUBLISHED.energy_fractions)

_SEED = 8
_BATCH = 16


@dataclass(frozen=True)
class ShowerSums:
    """Energy and points of each shower, by layer and by ring.

    Arguments:
        incident_gev: Incident energies, shape (n,).
        layers: Energy in MeV and points in each layer, shape (n, 2, n_layers).
        rings: Energy in MeV and points in each ring around the axis, shape (n, 2, N_RADII).
    """

    incident_gev: FloatArray
    layers: FloatArray
    rings: FloatArray

    def below(self, energy_gev: float) -> ShowerSums:
        """The showers with incident energies up to this, in GeV."""
        rows = self.incident_gev <= energy_gev
        return ShowerSums(self.incident_gev[rows], self.layers[rows], self.rings[rows])


@dataclass(frozen=True)
class Comparison:
    """Ratio of a mean of this sample to the published one, with its statistical error."""

    name: str
    published: float
    ratio: float
    error: float


def shower_sums(batches: Iterable[tuple[int, Showers]]) -> ShowerSums:
    """Sums of showers merged to x25.

    Arguments:
        batches: Showers at normal incidence, as steps or x25, each batch with the number of its
            first shower.
    """
    found = [_batch_sums(first, showers) for first, showers in batches]
    return ShowerSums(
        np.concatenate([part.incident_gev for part in found]),
        np.concatenate([part.layers for part in found]),
        np.concatenate([part.rings for part in found]),
    )


def compare_totals(sums: ShowerSums, published: PublishedSample = PUBLISHED) -> list[Comparison]:
    """Visible energy, points, rings, and the zigzag between odd and even layers."""
    energy, points = sums.layers[:, 0], sums.layers[:, 1]
    named = (
        ("visible energy [MeV]", energy, published.layer_energy_mev),
        ("points", points, published.layer_points),
    )
    found = [
        _mean_ratio(sums, name, layers.sum(1), float(reference.sum()))
        for name, layers, reference in named
    ]
    for (name, layers, reference), word in zip(named, ("energy", "points"), strict=True):
        del name
        odd_over_even = float(reference[1::2].sum() / reference[::2].sum())
        found.append(
            _quotient(
                f"{word}, odd over even layers",
                layers[:, 1::2].sum(1),
                layers[:, ::2].sum(1),
                odd_over_even,
            )
        )
    for i, (word, fractions) in enumerate(
        (("energy", published.energy_fractions), ("points", published.point_fractions))
    ):
        total = sums.layers[:, i].sum(1)
        for ring, fraction in enumerate(fractions):
            low, high = ring * RADIUS_STEP_MM, (ring + 1) * RADIUS_STEP_MM
            name = f"part of the {word} at {low:.4g}-{high:.4g} mm"
            found.append(_quotient(name, sums.rings[:, i, ring], total, float(fraction)))
    return found


def compare_layers(
    sums: ShowerSums, *, relative: bool, published: PublishedSample = PUBLISHED
) -> tuple[list[Comparison], list[Comparison]]:
    """Energy and points of each layer.

    Arguments:
        sums: Sums of the showers.
        relative: Compare each layer's share of the total, which depends less on the incident
            energies.
        published: Means to compare with.
    """
    kinds = []
    for i, reference in enumerate((published.layer_energy_mev, published.layer_points)):
        layers = sums.layers[:, i]
        total = layers.sum(1)
        kinds.append(
            [
                _quotient(str(k), layers[:, k], total, float(reference[k] / reference.sum()))
                if relative
                else _mean_ratio(sums, str(k), layers[:, k], float(reference[k]))
                for k in range(layers.shape[1])
            ]
        )
    return kinds[0], kinds[1]


def report(sums: ShowerSums) -> str:
    """All comparisons, in Markdown."""
    n, low, high = (
        len(sums.incident_gev),
        sums.incident_gev.min(),
        sums.incident_gev.max(),
    )
    lower = sums.below(90)
    spreads = table(
        ("", "showers", "visible energy [MeV]", "its spread [MeV]", "points", "their spread"),
        [
            _spread("simulated, 10-100 GeV", sums),
            _spread("of these, 10-90 GeV", lower),
            (
                "published",
                "100000",
                f"{PUBLISHED.layer_energy_mev.sum():.0f}",
                f"{PUBLISHED.energy_spread_mev:.0f}",
                f"{PUBLISHED.layer_points.sum():.0f}",
                f"{PUBLISHED.points_spread:.0f}",
            ),
        ],
    )
    totals = table(
        ("", "published", "simulated / published"),
        [(c.name, f"{c.published:.4g}", _with_error(c)) for c in compare_totals(sums)],
    )
    columns = [
        *compare_layers(sums, relative=False),
        *compare_layers(lower, relative=True),
    ]
    layers = table(
        (
            "layer",
            "energy [MeV]",
            "ratio",
            "part of the energy, 10-90 GeV, ratio",
            "points",
            "ratio",
            "part of the points, 10-90 GeV, ratio",
        ),
        [
            (
                energy.name,
                f"{energy.published:.4g}",
                _with_error(energy),
                _with_error(energy_part),
                f"{points.published:.4g}",
                _with_error(points),
                _with_error(points_part),
            )
            for energy, points, energy_part, points_part in zip(*columns, strict=True)
        ],
    )
    return (
        f"{n} photons, {low:.0f}-{high:.0f} GeV, straight in, x25:\n\n{spreads}\n\n"
        f"All of them over the published sample:\n\n{totals}\n\n"
        f"Layer by layer, over the published sample:\n\n{layers}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Simulate or read the showers, print the comparison, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.geant4.published_sample", description=__doc__
    )
    parser.add_argument("-n", "--showers", type=int, default=600, help="how many; default 600")
    parser.add_argument("--workers", type=int, help="processes of Geant4")
    parser.add_argument("--file", type=Path, help="take the showers of this file instead")
    parser.add_argument("--write", type=Path, help="put the tables into this page, too")
    options = parser.parse_args(arguments)
    try:
        if options.file is not None:
            text = report(shower_sums(_read(options.file)))
        else:
            text = report(shower_sums(_simulated(options.showers, options.workers)))
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "published", text)
    except CalozooError as error:
        sys.exit(str(error))


def _simulated(n: int, workers: int | None) -> Iterator[tuple[int, Showers]]:
    # One energy from each n-th of the range, so that the mean is that of the whole range.
    energy = 10 + 90 * (np.arange(n) + stream(_SEED, 0, "energy").random(n)) / n
    with closing(Geant4(ILD_SIECAL_REGULAR, workers=workers)) as geant4:
        for first, part in Incident(energy, (0, 0, 1)).batches(_BATCH):
            yield first, geant4.sample(part, _SEED, first)


def _read(path: Path) -> Iterator[tuple[int, Showers]]:
    with ShowerFile(path) as file:
        for first in range(0, len(file), _BATCH):
            yield first, file[first : first + _BATCH]


def _batch_sums(first: int, showers: Showers) -> ShowerSums:
    detector = load_detector(showers.detector)
    merged = Representation.named("x25", detector.cell_mm)(showers, _SEED, first)
    ring = (np.hypot(merged.x, merged.y) / RADIUS_STEP_MM).astype(np.int64)
    rings = _summed(merged, np.minimum(ring, N_RADII), N_RADII + 1)[:, :, :N_RADII]
    layers = _summed(merged, merged.layer.astype(np.int64), detector.n_layers)
    return ShowerSums(merged.incident.energy.astype(np.float64), layers, rings)


def _summed(showers: Showers, index: NDArray[np.int64], n_bins: int) -> FloatArray:
    """Energy and points of each shower in each bin, shape (n, 2, n_bins)."""
    key = showers.shower_index * n_bins + index
    size = len(showers) * n_bins
    energy = np.bincount(key, weights=showers.energy, minlength=size)
    points = np.bincount(key, minlength=size)
    return np.stack([energy.reshape(-1, n_bins), points.reshape(-1, n_bins)], axis=1)


def _mean_ratio(sums: ShowerSums, name: str, values: FloatArray, published: float) -> Comparison:
    """A mean over the published one; what the range of energies does to it is no error."""
    scale = sums.incident_gev / sums.incident_gev.mean()
    residual = values - values.mean() * scale
    error = residual.std() / np.sqrt(len(values))
    return Comparison(name, published, values.mean() / published, error / published)


def _quotient(name: str, values: FloatArray, totals: FloatArray, published: float) -> Comparison:
    """A part of a total, over the published part."""
    part = values.sum() / totals.sum()
    error = (values - part * totals).std() / (totals.mean() * np.sqrt(len(values)))
    return Comparison(name, published, part / published, error / published)


def _spread(name: str, sums: ShowerSums) -> tuple[str, ...]:
    energy, points = sums.layers.sum(2).T
    return (
        name,
        str(len(energy)),
        f"{energy.mean():.0f}",
        f"{energy.std():.0f}",
        f"{points.mean():.0f}",
        f"{points.std():.0f}",
    )


def _with_error(comparison: Comparison) -> str:
    return f"{comparison.ratio:.3f} ± {comparison.error:.3f}"


if __name__ == "__main__":
    main()
