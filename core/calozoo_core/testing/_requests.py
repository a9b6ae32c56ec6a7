"""Requests of the contract suite to a model, and comparison of the showers that come back."""

from __future__ import annotations

import importlib
import pickle
import random
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.weights import WEIGHT_FILES

__all__ = [
    "SEED",
    "axis_slope",
    "bundled_folder",
    "check_equal",
    "check_points",
    "content",
    "global_states",
    "layer_sums",
    "load_bundled",
    "lowest_theta",
    "mean_radius_mm",
    "primaries_at",
    "primaries_inside",
    "resolve",
    "sample",
    "seed_global",
    "without_partner",
]

SEED = 20

# Another batch size takes another path through the linear algebra. That changes the last bits, and
# may so carry a number of points across a whole number. What is compared agrees to this.
ROUNDING = {"float32": 1e-3, "bfloat16": 2e-2}

MOST_WITHOUT_PARTNER = 0.05
"""Share of points that may differ: of a layer, say, that exchanged a point with the next one."""


def load_bundled(spec: ModelSpec) -> Generator:
    """The model with the weights its package ships.

    Raises:
        AssertionError: If the spec names a class or a weights folder that is not there.
        WeightsError: If the weights are damaged or do not fit.
    """
    folder = bundled_folder(spec)
    if folder is not None:
        for name in WEIGHT_FILES:
            assert (folder / name).is_file(), f"There is no {folder / name}."
    factory = resolve(spec.factory)
    assert issubclass(factory, Generator), f"{spec.factory} is no Generator."
    return factory.load(spec, folder)


def bundled_folder(spec: ModelSpec) -> Path | None:
    """Folder of weights in the package of a model; None if the model needs none."""
    if spec.weights is None:
        return None
    package, _, inner = spec.weights.partition(":")
    return Path(str(files(package) / inner))


def primaries_inside(spec: ModelSpec, n: int) -> Incident:
    """Primaries spread over the conditions of a model, the same ones every time."""
    rng = stream(SEED, 0, "contract")
    theta = np.radians(rng.uniform(*spec.conditions.theta_deg, n))
    phi = rng.uniform(0, 2 * np.pi, n)
    direction = np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1
    )
    energy = rng.uniform(*spec.conditions.energy_gev, n)
    return Incident(energy, direction, spec.conditions.particles[0])


def resolve(path: str) -> type:
    """The class at `package.module:Class`."""
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    assert isinstance(found, type), f"There is no class {path}."
    return found


def primaries_at(
    generator: Generator,
    energy: ArrayLike,
    theta: float,
    phi: float = 0.0,
    particle: str | None = None,
) -> Incident:
    """Primaries of these energies, in GeV, at one angle, in degrees."""
    t, p = np.radians([theta, phi])
    direction = (np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t))
    return Incident(energy, direction, particle or generator.spec.conditions.particles[0])


def lowest_theta(generator: Generator) -> float:
    """The smallest angle to the normal the model was trained on, in degrees."""
    return generator.spec.conditions.theta_deg[0]


def sample(generator: Generator, seed: int = SEED, batch_size: int | None = None) -> Showers:
    """Twelve showers inside the conditions."""
    incident = primaries_inside(generator.spec, 12)
    return generator.generate(incident, seed=seed, batch_size=batch_size)


def content(showers: Showers) -> bytes:
    """All points, byte for byte."""
    names = ("offsets", "x", "y", "layer", "energy", "time")
    columns = (getattr(showers, name) for name in names)
    return b"".join(column.tobytes() for column in columns if column is not None)


def check_points(showers: Showers) -> None:
    """Positions are finite, deposits positive, and there are some."""
    assert len(showers.energy), "There is not a single point."
    for name in ("x", "y", "energy", "time"):
        values = getattr(showers, name)
        if values is None:
            continue
        assert np.all(np.isfinite(values)), f"A value of {name} is not finite."
    assert np.all(showers.energy > 0), f"A deposit is {showers.energy.min():g} MeV."


def check_equal(showers: Showers, others: Showers, generator: Generator) -> None:
    """Check that two batches of showers agree as sets of points, up to rounding."""
    rounding = ROUNDING.get(generator.precision, ROUNDING["float32"])
    moved = np.abs(showers.n_points - others.n_points)
    assert np.all(moved <= 1 + rounding * showers.n_points), f"Numbers of points differ: {moved}."
    assert np.allclose(showers.visible_energy, others.visible_energy, rtol=rounding), (
        f"Energies differ: {showers.visible_energy} and {others.visible_energy} MeV."
    )
    # One point more shifts the random numbers of those behind it; only equal numbers compare.
    shift = np.abs(_centres(showers) - _centres(others))[moved == 0]
    assert np.all(shift < 100 * rounding), f"Centres of gravity differ by {shift.max()} mm."
    if generator.precision != "bfloat16":  # which puts every point a little elsewhere
        same = np.flatnonzero(moved == 0)
        share = without_partner(showers[same], others[same], rounding) if len(same) else 0.0
        assert share < MOST_WITHOUT_PARTNER, f"{share:.1%} of the points are no longer there."


def without_partner(showers: Showers, others: Showers, rounding: float) -> float:
    """Share of points that have no partner among the points of the same shower of another batch.

    A partner lies in the same layer, within 100 times the rounding in mm along x and y, and has
    the same energy up to ten times the rounding. The order of points does not matter.

    Arguments:
        showers: n showers.
        others: As many.
        rounding: Relative error of the arithmetic.
    """
    reach = 100 * rounding
    there = np.argsort(_keys(others), kind="stable")
    keys, own = _keys(others)[there], _keys(showers)
    start, stop = np.searchsorted(keys, own - reach), np.searchsorted(keys, own + reach, "right")
    has_partner = np.zeros(len(own), bool)
    for step in range(int((stop - start).max(initial=0))):
        candidate = there[np.minimum(start + step, len(there) - 1)]
        is_near = np.abs(showers.y - others.y[candidate]) <= reach
        change = np.abs(showers.energy - others.energy[candidate])
        has_partner |= (start + step < stop) & is_near & (change <= 10 * rounding * showers.energy)
    return float(1 - has_partner.mean()) if len(own) else 0.0


def _keys(showers: Showers) -> NDArray[np.float64]:
    """Numbers that sort points by shower, layer and x; layers are 100 m apart."""
    group = showers.shower_index.astype(np.float64) * 256 + showers.layer
    return group * 1e5 + np.clip(showers.x, -4e4, 4e4)


def layer_sums(showers: Showers) -> NDArray[np.float64]:
    """Energies of the layers of each shower, in MeV, shape (n, layers)."""
    n, n_layers = len(showers), load_detector(showers.detector).n_layers
    index = showers.shower_index * n_layers + showers.layer
    sums = np.bincount(index, showers.energy.astype(np.float64), minlength=n * n_layers)
    return np.asarray(sums, np.float64).reshape(n, n_layers)


def _centres(showers: Showers) -> NDArray[np.float64]:
    """Energy-weighted mean of x and y of each shower, in mm, shape (n, 2)."""
    sums = [
        np.bincount(showers.shower_index, showers.energy * axis, minlength=len(showers))
        for axis in (showers.x, showers.y)
    ]
    return np.stack(sums, axis=1) / np.maximum(showers.visible_energy, 1e-9)[:, None]


def seed_global(seed: int) -> None:
    """Set every global random state there is."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def global_states() -> list[bytes]:
    """Every global random state there is."""
    states = [pickle.dumps(random.getstate()), pickle.dumps(np.random.get_state())]
    if "torch" in sys.modules:
        states.append(sys.modules["torch"].get_rng_state().numpy().tobytes())
    return states


def axis_slope(showers: Showers) -> NDArray[np.float64]:
    """Slopes dx/dz and dy/dz of the line through the centres of the layers, shape (2,)."""
    depth = load_detector(showers.detector).layer_depth_mm[showers.layer]
    energy = showers.energy.astype(np.float64)
    depth = depth - np.average(depth, weights=energy)
    moment = np.sum(energy * depth**2)
    return np.array([np.sum(energy * depth * axis) / moment for axis in (showers.x, showers.y)])


def mean_radius_mm(showers: Showers) -> float:
    """Mean distance of the energy to the axis of its shower, in mm."""
    axis_x, axis_y = axis_offsets(showers, load_detector(showers.detector))
    radius = np.hypot(showers.x - axis_x, showers.y - axis_y)
    return float(np.average(radius, weights=showers.energy))
