"""How a quantity goes with the primary: its mean and spread as smooth functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core.incident import Incident
from calozoo_core.typing import FloatArray

__all__ = ["N_TERMS", "Span", "Trend"]

N_TERMS = 9


@dataclass(frozen=True)
class Span:
    """The primaries of a reference: what ln E and 1 / cos(theta) range over.

    Arguments:
        log_energy: Middle and half width of ln(E / GeV).
        slant: Middle and half width of 1 / cos(theta).
    """

    log_energy: tuple[float, float]
    slant: tuple[float, float]

    @classmethod
    def of(cls, incident: Incident) -> Span:
        """That of some primaries."""
        return cls(_middle(np.log(incident.energy)), _middle(1 / incident.direction[:, 2]))

    def coordinates(self, incident: Incident) -> tuple[FloatArray, FloatArray]:
        """Both, from -1 to 1 within the span, each of shape (n,)."""
        log_energy = np.log(incident.energy.astype(np.float64))
        slant = 1 / incident.direction[:, 2].astype(np.float64)
        return _scaled(log_energy, *self.log_energy), _scaled(slant, *self.slant)

    def terms(self, incident: Incident) -> FloatArray:
        """Polynomials in both, shape (n, 9)."""
        e, s = self.coordinates(incident)
        return np.column_stack([np.ones_like(e), e, e**2, e**3, s, s**2, e * s, e**2 * s, e * s**2])


@dataclass(frozen=True, eq=False)
class Trend:
    """Mean and spread of several quantities, given the primary.

    Arguments:
        span: What the primaries range over.
        mean: Coefficients of the means, shape (9, n_quantities).
        log_spread: Coefficients of the logarithms of the spreads, likewise.
    """

    span: Span
    mean: FloatArray
    log_spread: FloatArray

    @classmethod
    def fitted(cls, span: Span, values: FloatArray, incident: Incident) -> Trend:
        """By least squares; the scale makes the standardised values' variance 1.

        Arguments:
            span: What the primaries range over.
            values: Shape (n, n_quantities).
            incident: The n primaries.
        """
        terms = span.terms(incident)
        mean = np.asarray(np.linalg.lstsq(terms, values, rcond=None)[0], np.float64)
        away = values - terms @ mean
        log_away: FloatArray = np.log(np.abs(away) + 1e-3 * away.std(axis=0) + 1e-9)
        log_spread = np.asarray(np.linalg.lstsq(terms, log_away, rcond=None)[0], np.float64)
        log_spread[0] += np.log((away / np.exp(terms @ log_spread)).std(axis=0) + 1e-9)
        return cls(span, mean, log_spread)

    def standardised(self, values: FloatArray, incident: Incident) -> FloatArray:
        """How many spreads from the mean, shape (n, n_quantities)."""
        terms = self.span.terms(incident)
        away: FloatArray = (values - terms @ self.mean) / np.exp(terms @ self.log_spread)
        return away

    def restored(self, away: FloatArray, incident: Incident) -> FloatArray:
        """The inverse of `standardised`."""
        terms = self.span.terms(incident)
        values: FloatArray = away * np.exp(terms @ self.log_spread) + terms @ self.mean
        return values

    def columns(self, which: list[int]) -> Trend:
        """That of some of the quantities."""
        return Trend(self.span, self.mean[:, which], self.log_spread[:, which])


def _middle(values: NDArray[np.floating]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (high + low) / 2, (high - low) / 2


def _scaled(values: FloatArray, middle: float, half_width: float) -> FloatArray:
    # Of a single energy or angle nothing is known to either side.
    return (values - middle) / half_width if half_width > 1e-4 else np.zeros_like(values)
