"""Measurements of photon pairs and tau events as compact arrays, to be kept in files.

Numbers of photons and pi0 take a byte. Energies and places of photons are rounded to float32, seven
digits, of which figures show four: they enter means, spreads and quantiles. Observables of pi0 stay
float64, since they enter histograms, where an entry on an edge would change its bin. What is NaN by
definition is left out, and what the sample says is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo.physics.pairs import PairMeasurement
from calozoo.physics.taus import TauMeasurement
from calozoo_core.typing import BoolArray, FloatArray

__all__ = ["Arrays", "pair_arrays", "restored_pairs", "restored_taus", "tau_arrays"]

Arrays = Mapping[str, NDArray[Any]]


def pair_arrays(measured: PairMeasurement) -> Arrays:
    """Arrays of a measurement of n pairs by name.

    Arguments:
        measured: The measurement.

    Returns:
        `n_found` (n,), `is_resolved` (n,), `n_single` (n, 2); `sharing` of pairs found as two;
        `single_energy` in GeV and `single_offset` in mm of photons found.
    """
    is_two, is_found = measured.n_found == 2, measured.n_single > 0
    return {
        "n_found": measured.n_found.astype(np.uint8),
        "is_resolved": measured.is_resolved,
        "sharing": measured.sharing[is_two].astype(np.float32),
        "n_single": measured.n_single.astype(np.uint8),
        "single_energy": measured.single_energy[is_found].astype(np.float32),
        "single_offset": measured.single_offset[is_found].astype(np.float32),
    }


def restored_pairs(arrays: Arrays, energy_gev: float, separation: FloatArray) -> PairMeasurement:
    """Measurement of pairs from its arrays.

    Arguments:
        arrays: Arrays of `pair_arrays`.
        energy_gev: Energy of each photon.
        separation: Distances of the photons on the face, in mm, shape (n,).
    """
    n_found = arrays["n_found"].astype(np.int64)
    n_single = arrays["n_single"].astype(np.int64)
    return PairMeasurement(
        energy_gev,
        separation,
        n_found,
        arrays["is_resolved"],
        _filled(n_found == 2, arrays["sharing"]),
        n_single,
        _filled(n_single > 0, arrays["single_energy"]),
        _filled(n_single > 0, arrays["single_offset"]),
    )


def tau_arrays(measured: TauMeasurement) -> Arrays:
    """Arrays of a measurement of n tau events with m right pi0, by name.

    Arguments:
        measured: The measurement.

    Returns:
        `counts` (n, 5), `n_true` (n,), `event` (m,), `observables` (m, 4).
    """
    return {
        "counts": measured.counts.astype(np.uint8),
        "n_true": measured.n_true.astype(np.uint8),
        "event": measured.event.astype(np.int32),
        "observables": measured.observables,
    }


def restored_taus(arrays: Arrays) -> TauMeasurement:
    """Measurement of tau events from its arrays.

    Arguments:
        arrays: Arrays of `tau_arrays`.
    """
    counts, n_true, event = (arrays[k].astype(np.int64) for k in ("counts", "n_true", "event"))
    return TauMeasurement(counts, n_true, event, arrays["observables"])


def _filled(is_there: BoolArray, values: NDArray[Any]) -> FloatArray:
    """Values where they are, and NaN elsewhere."""
    filled = np.full(is_there.shape, np.nan)
    filled[is_there] = values
    return filled
