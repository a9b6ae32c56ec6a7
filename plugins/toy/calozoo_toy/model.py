"""Toy generator of photon showers from four textbook formulas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import InputError
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["ToyGenerator", "layer_depth_x0"]

RADIATION_LENGTH_MM = {
    "air": 303_900.0,
    "aluminium": 88.97,
    "carbon_fibre": 286.0,
    "copper": 14.36,
    "ground": 27.3,
    "polystyrene": 413.1,
    "silicon": 93.70,
    "tungsten": 3.504,
}

CRITICAL_ENERGY_MEV = 10.0  # of the whole stack: tungsten's 8 MeV and the lighter rest
DECAY_PER_X0 = 0.5  # how fast the gamma profile falls
CONVERSION_X0 = 1.0  # how much deeper a photon showers than an electron, on average
POINT_SHAPE, POINT_SCALE_MEV = 2.0, 0.2  # mode 0.2 MeV, one MIP; mean 0.4 MeV
POINTS_PER_PARTICLE = 0.435  # chosen so that 2.3 % of 55 GeV become visible at normal incidence
CORE_FRACTION = 0.8
CORE_RADIUS_MM, TAIL_RADIUS_MM = 4.0, 20.0  # the core's at the shower maximum; the tail's, Molière
LARGEST_RADIUS_MM = 500.0


class ToyGenerator(NumberedGenerator):
    r"""Generator of photon showers from textbook formulas.

    A photon converts after an exponential depth. From there the number of shower particles follows
    a gamma profile in radiation lengths, counted along the photon's direction:

    .. math:: \frac{1}{E} \frac{dE}{dt} = b \frac{(bt)^{a-1} e^{-bt}}{\Gamma(a)}, \quad
        \frac{a - 1}{b} = t_\mathrm{max} = \ln \frac{E}{E_c} - 0.5

    With the mean depth of the conversion, 1 X0, this is a photon's usual maximum, +0.5 instead of
    -0.5. The number of points in a layer is a Poisson number, the energy of a point has a gamma
    distribution, and its distance to the axis has a narrow core that widens with depth, and a wide
    tail. Points of a layer are spread in a circle around the axis, whatever its angle.

    References:
        | PDG, Passage of particles through matter, section 34.5
        | Grindhammer and Peters: https://arxiv.org/abs/hep-ex/0001020

    Arguments:
        spec: Spec it was registered with.

    Example:
        >>> from calozoo_toy import ILD_PHOTON
        >>> showers = ToyGenerator(ILD_PHOTON).generate(energy=50, n=3, seed=1)
        >>> len(showers), showers.representation
        (3, 'x25')
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._detector = load_detector(spec.detector)
        self._depth_x0 = layer_depth_x0(self._detector)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> ToyGenerator:
        """Generator without weights, computed in numpy.

        Raises:
            InputError: If another device than "cpu", or bfloat16, is asked for.
        """
        if device != "cpu" or precision not in (None, "float32"):
            msg = f"{spec.name} runs on cpu in float32 only; leave out device and precision."
            raise InputError(msg, argument=("device", "precision"))
        return cls(spec)

    def sample_numbers(self, incident: Incident, seed: int, numbers: NDArray[np.int64]) -> Showers:
        """Showers of these primaries, each from its own random stream.

        Arguments:
            incident: The primaries.
            seed: Seed of the sample.
            numbers: Number of each shower in the sample, shape (n,).
        """
        directions = incident.direction.astype(np.float64)
        showers = [
            self._shower(float(energy), direction, stream(seed, int(number), "toy"))
            for energy, direction, number in zip(incident.energy, directions, numbers, strict=True)
        ]
        x, y, layer, energy = (np.concatenate(column) for column in zip(*showers, strict=True))
        return Showers(
            offsets=np.cumsum([0] + [len(shower[0]) for shower in showers]),
            x=x,
            y=y,
            layer=layer,
            energy=energy,
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )

    def _shower(
        self, energy_gev: float, direction: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, NDArray[np.intp], FloatArray]:
        """Points of one shower: x' and y' in mm, layer, energy in MeV."""
        p_x, p_y, p_z = direction
        t_max = max(math.log(1000 * energy_gev / CRITICAL_ENERGY_MEV) - 0.5, 0.1)
        t = self._depth_x0 / p_z - rng.exponential(CONVERSION_X0)
        # dE/dt over the critical energy is how many particles are there; slanted ones leave more.
        particles = 1000 * energy_gev / CRITICAL_ENERGY_MEV * _gamma_profile(t, t_max) / p_z
        counts = rng.poisson(POINTS_PER_PARTICLE * particles)

        layer = np.repeat(np.arange(len(counts)), counts)
        energy = rng.gamma(POINT_SHAPE, POINT_SCALE_MEV, len(layer))
        radius = _radii(t[layer] / t_max, rng)
        angle = rng.uniform(0, 2 * math.pi, len(layer))
        depth = self._detector.layer_depth_mm[layer]
        x = depth * p_x / p_z + radius * np.cos(angle)
        y = depth * p_y / p_z + radius * np.sin(angle)
        return x, y, layer, energy


def layer_depth_x0(detector: Detector) -> FloatArray:
    """Depth of the middles of the sensitive layers, in radiation lengths, shape (n_layers,).

    Raises:
        InputError: If the detector has a material without a known radiation length.
    """
    depth, depths = 0.0, []
    for slab in detector.slabs:
        if slab.material not in RADIATION_LENGTH_MM:
            msg = f"The toy knows no radiation length of {slab.material}; add it to its table."
            raise InputError(msg)
        thickness = slab.thickness_mm / RADIATION_LENGTH_MM[slab.material]
        if slab.layer is not None:
            depths.append(depth + thickness / 2)
        depth += thickness
    return np.array(depths)


def _gamma_profile(t: FloatArray, t_max: float) -> FloatArray:
    """Gamma profile (1/E) dE/dt per radiation length at depths t behind the conversion."""
    a = 1 + DECAY_PER_X0 * t_max
    bt = DECAY_PER_X0 * np.maximum(t, 1e-9)
    return np.where(t > 0, DECAY_PER_X0 * np.exp((a - 1) * np.log(bt) - bt - math.lgamma(a)), 0.0)


def _radii(age: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Random distances to the axis, in mm, at depths in units of the shower maximum.

    Core and tail both have the density 2 r R^2 / (r^2 + R^2)^2, whose quantile function is
    R sqrt(u / (1 - u)); u ends where r reaches LARGEST_RADIUS_MM.
    """
    in_core = rng.random(len(age)) < CORE_FRACTION
    scale = np.where(in_core, CORE_RADIUS_MM * age, TAIL_RADIUS_MM)
    u = rng.random(len(age)) / (1 + (scale / LARGEST_RADIUS_MM) ** 2)
    return scale * np.sqrt(u / (1 - u))
