"""A zoo of generative calorimeter-shower models.

Example:
    >>> import calozoo
    >>> showers = calozoo.generate("toy", energy=50, direction=(0, 0, 1), n=3, seed=1)
    >>> len(showers)
    3
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from calozoo.api import find_model, load, pull
    from calozoo.evaluation.evaluate import Evaluation, evaluate
    from calozoo.models.names import list_models
    from calozoo_core.detector import list_detectors, load_detector
    from calozoo_core.errors import CalozooError
    from calozoo_core.generator import Conditions, Generator, ModelSpec
    from calozoo_core.incident import Incident
    from calozoo_core.io import read_showers, write_showers
    from calozoo_core.showers import Showers

__all__ = [
    "CalozooError",
    "Conditions",
    "Evaluation",
    "Generator",
    "Incident",
    "ModelSpec",
    "Showers",
    "evaluate",
    "find_model",
    "generate",
    "list_detectors",
    "list_models",
    "load",
    "load_detector",
    "pull",
    "read_showers",
    "write_showers",
]

# Imported at the first use, so that `import calozoo` costs nothing.
_HOMES = {
    "CalozooError": "calozoo_core.errors",
    "Conditions": "calozoo_core.generator",
    "Evaluation": "calozoo.evaluation.evaluate",
    "Generator": "calozoo_core.generator",
    "Incident": "calozoo_core.incident",
    "ModelSpec": "calozoo_core.generator",
    "Showers": "calozoo_core.showers",
    "evaluate": "calozoo.evaluation.evaluate",
    "find_model": "calozoo.api",
    "list_detectors": "calozoo_core.detector",
    "list_models": "calozoo.models.names",
    "load": "calozoo.api",
    "load_detector": "calozoo_core.detector",
    "pull": "calozoo.api",
    "read_showers": "calozoo_core.io",
    "write_showers": "calozoo_core.io",
}


def generate(
    model: str,
    *,
    energy: ArrayLike,
    direction: ArrayLike = (0.0, 0.0, 1.0),
    n: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    extrapolate: bool = False,
) -> Showers:
    """Showers of a model, loaded for this call; to make several samples, `load` it once instead.

    Arguments:
        model: `architecture[.tag][@revision]`.
        energy: Kinetic energy at the face, in GeV: a number, or shape (n,).
        direction: Unit vector in the local frame, shape (3,) or (n, 3).
        n: Number of showers; by default as many as energies or directions.
        seed: Same seed, same showers.
        device: A torch device.
        extrapolate: Go beyond the conditions the model was trained on.

    Raises:
        CalozooError: What `load` and `Generator.generate` raise.
    """
    from calozoo.api import load

    return load(model, device=device).generate(
        energy=energy, direction=direction, n=n, seed=seed, extrapolate=extrapolate
    )


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
