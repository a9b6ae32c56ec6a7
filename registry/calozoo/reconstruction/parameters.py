"""Parameters of the photon finder and of the pi0 fit, tuned once on Geant4 and frozen."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import PositiveFloat, PositiveInt

from calozoo_core.strict_model import StrictModel

__all__ = [
    "FinderParameters",
    "Pi0Parameters",
    "finder_parameters",
    "frozen_text",
    "parameters_digest",
]


class FinderParameters(StrictModel):
    """Parameters of the photon finder.

    Arguments:
        bin_mm: Width of a bin of the map, one cell.
        heavy_from_layer: First layer behind the thicker tungsten.
        heavy_weight: Weight of hits from there on.
        min_peak_mev: Least height of a peak.
        valley: A peak that is joined to a stronger one by bins above this part of its height is no
            peak.
        neighbourhood_bins: Distance within which peaks are compared.
        reach_bins: Largest distance of a hit from its peak.
        min_share: Least part of the energy of all candidates in the neighbourhood.
        min_bins: Least number of bins of a photon.
        response_mev_per_gev: Weighted visible energy of a photon of 1 GeV.
        stochastic: Relative energy resolution at 1 GeV.
        constant: Relative energy resolution at high energies.
        angle_mrad: Resolution of the direction at 1 GeV, in mrad.
    """

    bin_mm: PositiveFloat = 5.0883331298828125
    heavy_from_layer: PositiveInt = 20
    heavy_weight: PositiveFloat = 2.0
    min_peak_mev: PositiveFloat = 5.0
    valley: PositiveFloat = 0.85
    neighbourhood_bins: PositiveFloat = 24.0
    reach_bins: PositiveFloat = 36.0
    min_share: PositiveFloat = 0.05
    min_bins: PositiveInt = 4
    response_mev_per_gev: PositiveFloat = 24.87
    stochastic: PositiveFloat = 0.165
    constant: PositiveFloat = 0.01
    angle_mrad: PositiveFloat = 1.7


class Pi0Parameters(StrictModel):
    """Parameters of the pi0 finder.

    Arguments:
        mass_gev: Mass of the pi0.
        window_gev: Largest distance of the mass of a pair from it.
        least_energy_gev: Least energy of a photon.
        least_probability: Least probability of the fit.
    """

    mass_gev: PositiveFloat = 0.1349768
    window_gev: PositiveFloat = 0.040
    least_energy_gev: PositiveFloat = 0.5
    least_probability: PositiveFloat = 0.001


@cache
def finder_parameters() -> FinderParameters:
    """Frozen parameters of the photon finder."""
    import json

    return FinderParameters.model_validate(json.loads(frozen_text())["parameters"])


def frozen_text() -> str:
    """Content of the data file with the frozen parameters, the scan, and hashes of the samples."""
    return (files("calozoo.reconstruction") / "parameters.json").read_text()


def parameters_digest() -> str:
    """Hash of the frozen parameters of the photon finder and of those of the pi0 finder."""
    import hashlib

    text = finder_parameters().model_dump_json() + Pi0Parameters().model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()
