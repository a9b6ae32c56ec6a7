"""Locations of Geant4's data sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from calozoo_core.errors import CalozooError

__all__ = ["data_environment"]

# Data sets of electromagnetic physics in geant4_pybind 0.1.3: variable, name, version.
_NEEDED = (("G4LEDATA", "G4EMLOW", "8.8"), ("G4ENSDFSTATEDATA", "G4ENSDFSTATE", "3.0"))

# Its variable must be set, or Geant4 stops; its files are never opened here.
_NAMED_ONLY = ("G4LEVELGAMMADATA", "PhotonEvaporation6.1.2")


def data_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables for the import of geant4_pybind.

    When it is imported, geant4_pybind searches twelve data sets, and asks on the terminal whether
    to download missing ones, unless GEANT4_DATA_DIR is set. Two of them are needed here: G4EMLOW
    and G4ENSDFSTATE. They are searched in the folder CALOZOO_G4DATA, by their own variables, in the
    folder GEANT4_DATA_DIR, and in `~/.geant4_pybind`, the download folder of geant4_pybind.

    Arguments:
        environ: Environment to read; by default that of this process.

    Raises:
        CalozooError: If a data set is not found; the message says how to get it.

    Example:
        >>> data_environment({"CALOZOO_G4DATA": "/nowhere", "HOME": "/nowhere"})
        Traceback (most recent call last):
        calozoo_core.errors.CalozooError: Geant4's data set G4EMLOW8.8 was not found: set \
GEANT4_DATA_DIR to the folder that holds Geant4's data sets, or run `python -c "import \
geant4_pybind"` in a terminal once and answer y, which downloads them to ~/.geant4_pybind.
    """
    environ = os.environ if environ is None else environ
    found = {
        variable: _find(variable, data_set, version, environ)
        for variable, data_set, version in _NEEDED
    }
    folder = found["G4LEDATA"].parent
    variable, unused = _NAMED_ONLY
    return {
        variable: str(folder / unused),
        **{key: environ[key] for key in (variable,) if key in environ},
        "GEANT4_DATA_DIR": str(folder),
        **{key: str(path) for key, path in found.items()},
    }


def _find(variable: str, data_set: str, version: str, environ: Mapping[str, str]) -> Path:
    for path in _candidates(variable, data_set, version, environ):
        if path.is_dir():
            return path.absolute()
    msg = (
        f"Geant4's data set {data_set}{version} was not found: set GEANT4_DATA_DIR to the folder "
        'that holds Geant4\'s data sets, or run `python -c "import geant4_pybind"` in a terminal '
        "once and answer y, which downloads them to ~/.geant4_pybind."
    )
    raise CalozooError(msg)


def _candidates(
    variable: str, data_set: str, version: str, environ: Mapping[str, str]
) -> list[Path]:
    def inside(folder: Path) -> list[Path]:
        return [folder / f"{data_set}{version}", folder / data_set]

    ours, theirs = environ.get("CALOZOO_G4DATA"), environ.get("GEANT4_DATA_DIR")
    return [
        *(inside(Path(ours)) if ours else []),
        *([Path(environ[variable])] if environ.get(variable) else []),
        *(inside(Path(theirs)) if theirs else []),
        *inside(Path.home() / ".geant4_pybind"),
    ]
