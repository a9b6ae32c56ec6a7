"""Zoo of generative calorimeter-shower models.

Example:
    >>> import calozoo
    >>> showers = calozoo.load("toy").generate(energy=50, n=3, seed=1)
    >>> showers
    <Showers: 3 gamma of 50 GeV at 0 degrees, 8536 points (x25) in ild_siecal_regular>
    >>> showers[0].incident_energy, len(showers[showers.visible_energy > 0])
    (50.0, 3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from calozoo.api import find_model, from_pretrained, generate, load, pull
    from calozoo.evaluation.evaluate import Evaluation, evaluate
    from calozoo.models.names import list_models
    from calozoo.models.search import search
    from calozoo_core.detector import list_detectors, load_detector
    from calozoo_core.errors import CalozooError
    from calozoo_core.generator import Conditions, Generator, ModelSpec
    from calozoo_core.hits import Hits
    from calozoo_core.incident import Incident
    from calozoo_core.io import open_showers, read_hits, read_showers, write_showers
    from calozoo_core.placement import load_placement
    from calozoo_core.showers import Shower, Showers

__all__ = [
    "CalozooError",
    "Conditions",
    "Evaluation",
    "Generator",
    "Hits",
    "Incident",
    "ModelSpec",
    "Shower",
    "Showers",
    "evaluate",
    "find_model",
    "from_pretrained",
    "generate",
    "list_detectors",
    "list_models",
    "load",
    "load_detector",
    "load_placement",
    "open_showers",
    "pull",
    "read_hits",
    "read_showers",
    "search",
    "write_showers",
]

# Imported at the first use, so that `import calozoo` costs nothing.
_HOMES = {
    "CalozooError": "calozoo_core.errors",
    "Conditions": "calozoo_core.generator",
    "Evaluation": "calozoo.evaluation.evaluate",
    "Generator": "calozoo_core.generator",
    "Hits": "calozoo_core.hits",
    "Incident": "calozoo_core.incident",
    "ModelSpec": "calozoo_core.generator",
    "Shower": "calozoo_core.showers",
    "Showers": "calozoo_core.showers",
    "evaluate": "calozoo.evaluation.evaluate",
    "find_model": "calozoo.api",
    "from_pretrained": "calozoo.api",
    "generate": "calozoo.api",
    "list_detectors": "calozoo_core.detector",
    "list_models": "calozoo.models.names",
    "load": "calozoo.api",
    "load_detector": "calozoo_core.detector",
    "load_placement": "calozoo_core.placement",
    "open_showers": "calozoo_core.io",
    "pull": "calozoo.api",
    "read_hits": "calozoo_core.io",
    "read_showers": "calozoo_core.io",
    "search": "calozoo.models.search",
    "write_showers": "calozoo_core.io",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
