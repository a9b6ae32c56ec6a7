"""Exception classes; each message is one sentence that says what to do instead."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CalozooError",
    "ConditionsError",
    "DetectorError",
    "HubError",
    "InputError",
    "ModelNameError",
    "OutputExistsError",
    "PluginError",
    "RowIndexError",
    "ShowerFileError",
    "WeightsError",
]


class CalozooError(Exception):
    """Base of all errors that a user can put right; the command line prints no traceback for them.

    Arguments:
        message: One sentence or two: what is wrong, where, and what to type instead.
        argument: The Python argument that the message tells the reader to change, or several of
            them, written as in the message: "precision", or "extrapolate=True". The command line
            puts its own option in their place.

    Attributes:
        arguments: These arguments.
        exit_code: Exit code of the command line: 1 if a file, a network or an installation is not
            as it should be, 2 if the request itself is wrong.

    Example:
        >>> error = InputError("Pass precision='float32'.", argument="precision='float32'")
        >>> str(error), error.arguments
        ("Pass precision='float32'.", ("precision='float32'",))
    """

    exit_code = 1

    def __init__(self, message: str, *, argument: str | Iterable[str] = ()) -> None:
        super().__init__(message)
        self.arguments = (argument,) if isinstance(argument, str) else tuple(argument)


class InputError(CalozooError, ValueError):
    """A value that no model could accept: a negative energy, a zero direction, no showers."""

    exit_code = 2


class RowIndexError(InputError, IndexError):
    """A number for which there is no shower in a batch or file."""


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
