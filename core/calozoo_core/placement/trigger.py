"""Trigger: cuts that choose the particles a fast model may simulate, as in DDML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.detector import Detector
from calozoo_core.errors import InputError
from calozoo_core.frames import vectors
from calozoo_core.typing import BoolArray, FloatArray

__all__ = ["Trigger"]

_BARREL_THETA_DEG = (40.0, 140.0)
_ENDCAP_THETA_DEG = 33.0
_OVERLAP_DEG = 8.0
_MARGIN_DEG = 0.01


@dataclass(frozen=True)
class Trigger:
    """Cuts on particles from the interaction point.

    A model knows nothing of where a stave ends, so particles whose showers would cross from one
    stave into the next, or from the barrel into an endcap, are left to full simulation.

    References:
        | DDML: https://github.com/key4hep/DDML

    Arguments:
        particles: PDG names that are taken.
        least_energy_gev: Particles below it are left to full simulation.
        barrel_theta_deg: Polar angles that the barrel takes, from and to; None for no barrel.
        sides: Staves of the barrel; 0 for a round one, which has no azimuth to avoid.
        overlap_deg: Width of the window after each edge between staves in which none is taken.
        margin_deg: How far before the edge the window begins.
        endcap_theta_deg: The endcaps take polar angles up to this, from either end of the beam;
            None for no endcap.

    Example:
        >>> from calozoo_core.detector import load_detector
        >>> trigger = Trigger.of(load_detector("ild_siecal"))
        >>> trigger.accepts([[0, 1, 0], [0, 1, 0], [0, 1, 1.3]], [50, 1, 50]).tolist()
        [True, False, False]
    """

    particles: tuple[str, ...] = ("gamma",)
    least_energy_gev: float = 5.0
    barrel_theta_deg: tuple[float, float] | None = None
    sides: int = 0
    overlap_deg: float = _OVERLAP_DEG
    margin_deg: float = _MARGIN_DEG
    endcap_theta_deg: float | None = None

    @classmethod
    def of(
        cls,
        detector: Detector,
        particles: tuple[str, ...] = ("gamma",),
        least_energy_gev: float = 5.0,
    ) -> Trigger:
        """The cuts for a detector's shape; a cylinder or a slab takes whatever hits it."""
        return cls(
            particles=particles,
            least_energy_gev=least_energy_gev,
            barrel_theta_deg=_BARREL_THETA_DEG if detector.barrel else None,
            sides=detector.barrel.sides if detector.barrel else 0,
            endcap_theta_deg=_ENDCAP_THETA_DEG if detector.endcap else None,
        )

    def accepts(
        self, momentum: ArrayLike, energy_gev: ArrayLike, particle: str = "gamma"
    ) -> BoolArray:
        """Mask of the particles that the model may simulate.

        Arguments:
            momentum: Global momenta, in any unit, shape (n, 3) or (3,).
            energy_gev: Their energies, shape (n,) or a number.
            particle: PDG name.

        Returns:
            Shape (n,).

        Raises:
            InputError: If the shapes contradict each other.
        """
        is_aimed = self.aims(momentum)
        try:
            is_taken = is_aimed & (np.asarray(energy_gev, np.float64) >= self.least_energy_gev)
        except ValueError as error:
            msg = f"{len(is_aimed)} momenta need as many energies, or one."
            raise InputError(msg) from error
        return is_taken & (particle in self.particles)

    def aims(self, momentum: ArrayLike) -> BoolArray:
        """Mask of momenta, shape (n, 3) or (3,), whose angles are accepted, shape (n,).

        Raises:
            InputError: If a momentum is not three finite numbers.
        """
        p = vectors("momentum", momentum)
        if self.barrel_theta_deg is None and self.endcap_theta_deg is None:
            return np.ones(len(p), dtype=bool)
        theta = np.degrees(np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2]))
        is_aimed = np.zeros(len(p), dtype=bool)
        if self.barrel_theta_deg is not None:
            low, high = self.barrel_theta_deg
            is_aimed |= (theta >= low) & (theta <= high) & self._is_clear(p)
        if self.endcap_theta_deg is not None:
            is_aimed |= np.minimum(theta, 180 - theta) <= self.endcap_theta_deg
        return is_aimed

    def _is_clear(self, momentum: FloatArray) -> BoolArray:
        """Mask of azimuths outside the windows after the edges between staves."""
        if not self.sides:
            return np.ones(len(momentum), dtype=bool)
        side = 360 / self.sides
        azimuth = np.degrees(np.arctan2(momentum[:, 1], momentum[:, 0]))
        after_edge = (azimuth - side / 2 + self.margin_deg) % side
        is_clear: BoolArray = after_edge > self.overlap_deg + self.margin_deg
        return is_clear
