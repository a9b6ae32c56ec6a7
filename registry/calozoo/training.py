"""Training of models on showers, and conversion of published weights."""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from calozoo import api
from calozoo.models.discovery import Registration
from calozoo.training_record import TrainConfig, tracked, write_train_config
from calozoo_core.errors import CalozooError, InputError, OutputExistsError, PluginError
from calozoo_core.weights import WEIGHT_FILES

__all__ = ["convert_files", "parse_options", "train_model"]

_OF_STAGED_TRAININGS: Final = {
    "devices": "works in one process",
    "nodes": "works in one process",
    "walltime_minutes": "cannot stop before a time limit",
}
"""Options of trainings in stages, and what a trainer that lacks them does."""


def train_model(
    model: str,
    data: Path,
    out: Path,
    options: Mapping[str, Any],
    *,
    tracking: str | None = None,
) -> None:
    """Train a model; every option, also those left at their defaults, goes to `train.yaml`.

    Arguments:
        model: `architecture[.tag]`.
        data: Folder with the showers, or a file, as the model's trainer reads them.
        out: Folder for weights, checkpoints and logs; a stopped training is resumed there.
        options: Options of the trainer, by name.
        tracking: Server for a record of the training, as `mlflow[:URI]`; None for none.

    Raises:
        ModelNameError: If there is no such model.
        InputError: If the model has no trainer, there are no such data, or an option is unknown.
        CalozooError: If a package that only training needs is not installed.
        PluginError: If the trainer cannot be imported.
    """
    registration = api.find(model)
    spec = registration.spec
    if spec.trainer is None:
        msg = (
            f"{spec.name} has nothing to train; `calozoo generate --model {spec.name}` just works."
        )
        raise InputError(msg)
    if not data.exists():
        msg = f"There is no folder {data} with showers to train on; give another --data."
        raise InputError(msg)
    with _needs_extra(registration, "train"):
        train = _resolved(registration, spec.trainer)
        if not data.is_dir() and not _takes_file(train):
            msg = (
                f"There is no folder {data} with showers to train on, but a file; {spec.name} "
                "needs a folder with train/ and val/."
            )
            raise InputError(msg)
        _check_shared(spec.name, train, options)
        _check_options(train, options)
        config = TrainConfig(
            model=spec.name,
            data=str(data),
            out=str(out),
            options=_all_options(train, options),
            tracking=tracking,
        )
        if options.get("nodes", 1) != 1 and _is_other_node():
            train(data, out, **options)  # the first machine keeps the record
            return
        write_train_config(config, out)
        # What feeds a model is trained by itself, and ready before this one is.
        fed = {} if spec.source is None else {"source": api.load(spec.source)}
        with tracked(config, spec.name, out):
            train(data, out, **fed, **options)


def convert_files(model: str, source: Path, out: Path, *, overwrite: bool = False) -> None:
    """Convert published weights of a model into weights that calozoo loads.

    Arguments:
        model: `architecture[.tag]`.
        source: File or folder of the model's authors.
        out: Folder for `config.json` and `model.safetensors`.
        overwrite: Replace weights that are already there.

    Raises:
        ModelNameError: If there is no such model.
        InputError: If the model has no converter, or the source does not exist.
        OutputExistsError: If the folder has weights and `overwrite` is not set.
        WeightsError: If the files are not those that the converter knows.
        PluginError: If the converter cannot be imported.
    """
    registration = api.find(model)
    spec = registration.spec
    if spec.converter is None:
        msg = f"{spec.name} reads no other files than its own, so there is nothing to convert."
        raise InputError(msg)
    if not source.exists():
        msg = f"There is no file or folder {source} to convert."
        raise InputError(msg)
    if not overwrite and any((out / name).exists() for name in WEIGHT_FILES):
        msg = f"{out} already has weights in it. Add --overwrite to replace them."
        raise OutputExistsError(msg)
    with _needs_extra(registration, "train"):
        convert = _resolved(registration, spec.converter)
        convert(source, out)


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Options from texts `name=value`; a value that is JSON is read as JSON, others are texts.

    Raises:
        InputError: If a word has no `=`, no name, or a name that came before.

    Example:
        >>> parse_options(["epochs=20", "rate=1e-3", "device=cpu"])
        {'epochs': 20, 'rate': 0.001, 'device': 'cpu'}
    """
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            msg = f"Cannot read the option {word!r}; write name=value."
            raise InputError(msg)
        if name in options:
            msg = f"The option {name} is given twice; give it once."
            raise InputError(msg)
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _all_options(train: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the defaults of those that are not given, as far as the trainer says them.

    Raises:
        InputError: If an option is wrong, where the trainer checks them.
    """
    options_type = _options_type(train)
    if options_type is not None:
        content: dict[str, Any] = options_type.of(options).model_dump(mode="json")
        return content
    defaults = {p.name: p.default for p in _parameters(train) if p.default is not p.empty}
    return defaults | dict(options)


def _check_shared(model: str, train: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse several processes and a time limit for a trainer that knows neither.

    Raises:
        InputError: If it does not, and is asked to.
    """
    if _options_type(train) is not None:
        return
    parameters = inspect.signature(train).parameters
    for name, what in _OF_STAGED_TRAININGS.items():
        if name in options and name not in parameters:
            msg = f"The trainer of {model} {what}; leave out {name}."
            raise InputError(msg, argument=name)


def _options_type(train: Callable[..., Any]) -> Any:
    return getattr(getattr(train, "__self__", None), "options_type", None)


def _takes_file(train: Callable[..., Any]) -> bool:
    return bool(getattr(getattr(train, "__self__", None), "takes_file", False))


def _is_other_node() -> bool:
    """True if this is not the first of several machines that train together."""
    from calozoo_core.training.together import node_number

    return node_number() > 0


def _check_options(train: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse options that are not in the trainer's signature, unless that has `**options`."""
    parameters = _parameters(train)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    unknown = [name for name in options if name not in known]
    if unknown:
        msg = f"There is no option {unknown[0]}; the options are {', '.join(known) or 'none'}."
        raise InputError(msg)


def _parameters(train: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a trainer that are options: not the folders, nor the model that feeds it."""
    parameters = list(inspect.signature(train).parameters.values())[2:]
    return [parameter for parameter in parameters if parameter.name != "source"]


def _resolved(registration: Registration, path: str) -> Callable[..., Any]:
    try:
        function = pkgutil.resolve_name(path)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _package(error.name or "") != _package(path):
            raise  # a package that only training needs
        reason = " ".join(str(error).split())
        msg = f"{registration.spec.name} is broken, since importing {path} failed: {reason}."
        raise PluginError(msg) from error
    if not callable(function):
        msg = f"{registration.spec.name} is broken, since {path} is no function."
        raise PluginError(msg)
    result: Callable[..., Any] = function
    return result


@contextmanager
def _needs_extra(registration: Registration, extra: str) -> Iterator[None]:
    """Turn the error of a missing package into one that says which extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = (
            f"This needs {_package(error.name or str(error))}, which is not installed; "
            f"`pip install '{registration.distribution}[{extra}]'` brings it."
        )
        raise CalozooError(msg) from error


def _package(path: str) -> str:
    return path.partition(":")[0].partition(".")[0]
