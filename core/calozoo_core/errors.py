"""One tree of errors; each message is one sentence that says what to do instead."""

from __future__ import annotations

__all__ = [
    "CalozooError",
    "ConditionsError",
    "DetectorError",
    "HubError",
    "InputError",
    "ModelNameError",
    "OutputExistsError",
    "PluginError",
    "ShowerFileError",
    "WeightsError",
]


class CalozooError(Exception):
    """Something a user can put right; the command line prints it without a traceback.

    Attributes:
        exit_code: What the command line exits with: 1 when the world is not as it should be, 2 when
            the request itself is wrong.
    """

    exit_code = 1


class InputError(CalozooError, ValueError):
    """A value that no model could accept: a negative energy, a zero direction, no showers."""

    exit_code = 2


class ConditionsError(InputError):
    """A value outside the conditions a model was trained on."""


class ModelNameError(CalozooError, LookupError):
    """No model has this name."""

    exit_code = 2


class OutputExistsError(CalozooError):
    """The output file is already there."""


class DetectorError(CalozooError, ValueError):
    """A detector that is unknown, badly described, or not the one the showers were made for."""


class ShowerFileError(CalozooError):
    """A shower file that is missing, damaged, or not one of ours."""


class WeightsError(CalozooError):
    """Weights that are missing, damaged, or do not fit the model."""


class PluginError(CalozooError):
    """A plugin that cannot be loaded, or two that claim the same name."""


class HubError(CalozooError):
    """The Hub does not have it, cannot be reached, or sent something else than was asked for."""
