"""Validation of weights before they are published: they load, and their showers are possible."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calozoo_core.errors import WeightsError

if TYPE_CHECKING:
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.incident import Incident
    from calozoo_core.showers import Showers

__all__ = ["check_weights", "find_fault"]

N_SHOWERS: Final = 8
VISIBLE_FRACTION: Final = (1e-3, 1.0)
"""Lowest and highest visible over incident energy; wide, since only wrong units are to be found."""


def check_weights(spec: ModelSpec, folder: Path) -> None:
    """Load a model with the weights in a folder, and check a few of its showers.

    These are the checks of the contract suite that depend on the weights.

    Arguments:
        spec: The model.
        folder: Holds `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If they are damaged, do not fit, or make impossible showers.
        PluginError: If the plugin's code cannot be imported.
    """
    from calozoo import api

    for particle in spec.conditions.particles:
        primaries = _primaries(spec.conditions, particle)
        with closing(api.load(spec.name, weights=folder, offline=True)) as generator:
            fault = find_fault(generator.generate(primaries, seed=0), spec)
        if fault is not None:
            msg = f"{spec.name} with the weights in {folder} {fault}; they are not published."
            raise WeightsError(msg)


def find_fault(showers: Showers, spec: ModelSpec) -> str | None:
    """The fault of showers, as the end of a sentence; None if there is none.

    Arguments:
        showers: Showers of the model, for primaries inside its conditions.
        spec: The model.
    """
    import numpy as np

    from calozoo_core.detector import load_detector

    if (showers.representation, showers.detector) != (spec.representation, spec.detector):
        return f"makes {showers.representation} points in {showers.detector}"
    if not len(showers.energy):
        return "makes showers without a single point"
    for name in ("x", "y", "energy"):
        if not np.isfinite(getattr(showers, name)).all():
            return f"makes points whose {name} is not a finite number"
    if showers.energy.min() <= 0:
        return f"makes deposits of {showers.energy.min():g} MeV"
    n_layers = load_detector(spec.detector).n_layers
    if showers.layer.max() >= n_layers:
        return f"puts a point in layer {showers.layer.max()} of {n_layers}"
    fraction = float(showers.visible_energy.sum() / showers.incident.energy.sum()) / 1000
    low, high = VISIBLE_FRACTION
    if not low < fraction < high:
        return f"makes {fraction:.2g} of the incident energy visible"
    return None


def _primaries(conditions: Conditions, particle: str) -> Incident:
    """Primaries over the whole range of energies and angles of a model."""
    import numpy as np

    from calozoo_core.incident import Incident

    energy = np.linspace(*conditions.energy_gev, N_SHOWERS)
    theta = np.radians(np.linspace(*conditions.theta_deg, N_SHOWERS))
    phi = np.linspace(0, 2 * np.pi, N_SHOWERS, endpoint=False)
    direction = np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1
    )
    return Incident(energy, direction, particle)
