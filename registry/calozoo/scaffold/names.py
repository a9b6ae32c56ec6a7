"""The names of a new plugin, all from one, and whether they are still to be had."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass

from calozoo.models import names as model_names
from calozoo.models.index import IndexEntry, read_index
from calozoo_core.detector import list_detectors
from calozoo_core.errors import InputError
from calozoo_core.generator import ModelSpec

__all__ = ["PluginNames", "check_free", "plugin_names"]

_ARCHITECTURE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 30


@dataclass(frozen=True)
class PluginNames:
    """What a new plugin and its parts are called.

    Arguments:
        architecture: Of the model.
        detector: That its showers belong to.
    """

    architecture: str
    detector: str

    @property
    def tag(self) -> str:
        """What it is trained on: photons in this experiment's detector."""
        return f"{self.detector.partition('_')[0]}-photon"

    @property
    def model(self) -> str:
        """The full name of the model."""
        return f"{self.architecture}.{self.tag}"

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return f"calozoo-{self.architecture}"

    @property
    def module(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")


def plugin_names(name: str, detector: str) -> PluginNames:
    """The names that follow from one.

    It must do as a part of a distribution's name in its normal form (PEP 503), and of a module's.

    Arguments:
        name: Of the architecture, with or without `calozoo-` before it.
        detector: Name of a detector that comes with calozoo.

    Raises:
        InputError: If the name cannot be one, or there is no such detector.

    Example:
        >>> names = plugin_names("calozoo-late-rain", "ild_siecal_regular")
        >>> names.model, names.distribution, names.module
        ('late-rain.ild-photon', 'calozoo-late-rain', 'calozoo_late_rain')
    """
    architecture = name.removeprefix("calozoo-")
    if not _ARCHITECTURE.fullmatch(architecture) or len(architecture) > _LONGEST:
        msg = (
            f"A plugin cannot be called {name!r}: take lower-case letters, digits and single "
            f"dashes, a letter first, at most {_LONGEST} of them."
        )
        raise InputError(msg)
    if detector not in list_detectors():
        msg = f"No detector is called {detector!r}; there are {', '.join(list_detectors())}."
        raise InputError(msg)
    return PluginNames(architecture, detector)


def check_free(names: PluginNames) -> None:
    """Refuse names that somebody has already, here or in the index.

    Raises:
        InputError: If a model, a distribution or a module is called so.
    """
    models: list[ModelSpec | IndexEntry] = [*model_names.list_models(), *read_index().values()]
    for known in models:
        if names.architecture in (known.name.partition(".")[0], *known.aliases):
            msg = f"{names.architecture!r} is the name of {known.name} already; choose another."
            raise InputError(msg)
    taken = {entry.distribution for entry in read_index().values()}
    if names.distribution in taken or _is_installed(names):
        msg = f"There is a {names.distribution} already; choose another name."
        raise InputError(msg)


def _is_installed(names: PluginNames) -> bool:
    try:
        importlib.metadata.distribution(names.distribution)
    except importlib.metadata.PackageNotFoundError:
        return importlib.util.find_spec(names.module) is not None
    return True
