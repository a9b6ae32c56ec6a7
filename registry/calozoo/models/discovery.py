"""Discovery of the installed plugins: entry points, models, what fails.

Plugins are imported one by one, in this process, so that the others work if one of them raises. A
plugin that hangs or ends the process is not survived here: `calozoo doctor` imports each plugin in
a process of its own and names it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import pluggy
from pydantic import ValidationError

from calozoo.models.compatibility import check_distribution, check_spec
from calozoo_core import hookspecs
from calozoo_core.errors import PluginError
from calozoo_core.generator import ModelSpec
from calozoo_core.wrappers import WrapperSpec

__all__ = [
    "GROUP",
    "Discovery",
    "Plugin",
    "PluginFailure",
    "Registration",
    "canonical",
    "chosen",
    "conflict",
    "discover",
    "failures",
    "forget",
    "installed",
    "plugins",
    "refused",
    "registered",
    "remedy",
    "wrappers",
]

logger = logging.getLogger(__name__)

GROUP = "calozoo"
"""Entry point group of the plugins."""


@dataclass(frozen=True)
class Registration:
    """Model of an installed plugin, with the distribution that it came with."""

    spec: ModelSpec
    distribution: str
    version: str


@dataclass(frozen=True)
class Plugin:
    """Entry point of an installed plugin.

    Arguments:
        entry_point: Its name.
        module: The module that it names.
        distribution: The distribution it came with.
        version: Of that distribution.
        hooks: Hooks that it implements, as far as it could be loaded.
        is_left_out: Whether `CALOZOO_LOAD_PLUGINS` leaves it out.
    """

    entry_point: str
    module: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    is_left_out: bool = False


@dataclass(frozen=True)
class PluginFailure:
    """Plugin, or model of a plugin, that cannot be used, and the reason.

    Arguments:
        entry_point: Name of its entry point; empty if there is none.
        distribution: The distribution it came with.
        version: Of that distribution; empty if it is not installed.
        error: What was raised.
    """

    entry_point: str
    distribution: str
    version: str
    error: BaseException

    @property
    def reason(self) -> str:
        """The error in one line."""
        return _one_line(self.error)

    @property
    def advice(self) -> str:
        """The command to type; empty where the reason has it."""
        return "" if isinstance(self.error, PluginError) else remedy(self.distribution)

    def __str__(self) -> str:
        return f"plugin {self.distribution} {self.version} is not used: {self.reason}"


@dataclass(frozen=True)
class Discovery:
    """Models and wrappers of the installed plugins, and what failed.

    Arguments:
        models: By name, in the order they were registered.
        conflicts: Names that more than one distribution claims; none of them wins.
        wrappers: Registered wrappers by suffix; of several with one suffix, the first.
        refused: Names of models written for another version of the contract, and why not.
        failures: What could not be loaded, and what was claimed twice.
        plugins: Every entry point, loaded or not.
    """

    models: Mapping[str, Registration]
    conflicts: Mapping[str, tuple[Registration, ...]]
    wrappers: Mapping[str, WrapperSpec]
    refused: Mapping[str, PluginError]
    failures: tuple[PluginFailure, ...]
    plugins: tuple[Plugin, ...]


def registered() -> dict[str, Registration]:
    """The models of the installed plugins by name, in the order they were registered."""
    return dict(_discovered().models)


def wrappers() -> dict[str, WrapperSpec]:
    """Wrappers of the installed plugins, by the suffix that they add to a model's name."""
    return dict(_discovered().wrappers)


def failures() -> list[PluginFailure]:
    """The plugins that could not be loaded, and why."""
    return list(_discovered().failures)


def plugins() -> list[Plugin]:
    """The entry points of the installed plugins, loaded or not."""
    return list(_discovered().plugins)


def refused() -> dict[str, PluginError]:
    """Names of installed models that cannot be used, each with the error to raise for it.

    Several distributions claim the name, or the model was written for another plugin API.
    """
    found = _discovered()
    contested = {name: conflict(claims) for name, claims in found.conflicts.items()}
    return {**found.refused, **contested}


def forget() -> None:
    """Discover the plugins again at the next call, after one was installed or removed."""
    _discovered.cache_clear()


@cache
def _discovered() -> Discovery:
    found = discover(installed(), os.environ)
    for failure in found.failures:
        logger.warning("calozoo: %s", failure)
    return found


def installed() -> list[EntryPoint]:
    """The entry points of all installed plugins, by distribution; nothing is imported."""
    return sorted(entry_points(group=GROUP), key=lambda entry: canonical(_origin(entry)[0]))


def discover(entries: Iterable[EntryPoint], environ: Mapping[str, str]) -> Discovery:
    """Load entry points one by one and ask each plugin for its models.

    Arguments:
        entries: The entry points, each of an installed distribution.
        environ: The environment. `CALOZOO_LOAD_PLUGINS` names the distributions to load, separated
            by commas; empty loads none, unset loads all. `CALOZOO_STRICT_PLUGINS=1` raises the
            errors of plugins.
    """
    wanted = chosen(environ)
    strict = environ.get("CALOZOO_STRICT_PLUGINS") == "1"
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    claims: dict[str, list[Registration]] = {}
    wrappers: dict[str, WrapperSpec] = {}
    refused: dict[str, PluginError] = {}
    failed = []
    looked = []
    for entry in entries:
        distribution, version = _origin(entry)
        plugin = Plugin(entry.name, entry.value, distribution, version)
        looked.append(plugin)
        if wanted is not None and canonical(distribution) not in wanted:
            looked[-1] = replace(plugin, is_left_out=True)
            continue
        try:
            if version and entry.dist is not None:
                check_distribution(entry.dist)
            registrars: dict[str, Callable[..., None]] = {
                "register_models": _registrar(claims, refused, distribution, version),
                "register_wrappers": _wrapper_registrar(wrappers, distribution),
            }
            looked[-1] = replace(plugin, hooks=_load(manager, entry, registrars))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if strict:
                raise
            failed.append(PluginFailure(entry.name, distribution, version, error))
    here = {canonical(plugin.distribution) for plugin in looked}
    for name in sorted((wanted or set()) - here):
        absent = PluginError("CALOZOO_LOAD_PLUGINS names it, and no such plugin is installed.")
        if strict:
            raise absent
        failed.append(PluginFailure("", name, "", absent))
    conflicts = {name: tuple(both) for name, both in claims.items() if len(both) > 1}
    for both in conflicts.values():
        if strict:
            raise conflict(both)
        failed += [PluginFailure("", r.distribution, r.version, conflict(both)) for r in both]
    models = {name: both[0] for name, both in claims.items() if len(both) == 1}
    return Discovery(models, conflicts, wrappers, refused, tuple(failed), tuple(looked))


def canonical(distribution: str) -> str:
    """The normal form of a distribution's name (PEP 503): lower case, single dashes."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def conflict(claims: Iterable[Registration]) -> PluginError:
    """The error for a model that several distributions claim."""
    claims = tuple(claims)
    owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
    msg = f"{claims[0].spec.name} is claimed by {owners}; uninstall one of them."
    return PluginError(msg)


def remedy(distribution: str) -> str:
    """The commands to type where a plugin is broken."""
    return f"type `pip install --upgrade {distribution}`, or `pip uninstall {distribution}`"


def chosen(environ: Mapping[str, str]) -> set[str] | None:
    """The distributions that `CALOZOO_LOAD_PLUGINS` names, in normal form; None if it is unset."""
    variable = environ.get("CALOZOO_LOAD_PLUGINS")
    if variable is None:
        return None
    return {canonical(name.strip()) for name in variable.split(",") if name.strip()}


def _origin(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of an entry point's distribution, also where its metadata are damaged."""
    try:
        metadata = entry.dist.metadata if entry.dist is not None else None
    # A half-removed installation: the library and its backport, which takes over once anything
    # imports it, have an error each for that.
    except (TypeError, OSError):
        metadata = None
    if metadata is None or "Name" not in metadata or "Version" not in metadata:
        return entry.name, ""
    return metadata["Name"], metadata["Version"]


def _load(
    manager: pluggy.PluginManager,
    entry: EntryPoint,
    registrars: Mapping[str, Callable[..., None]],
) -> tuple[str, ...]:
    """Import one plugin and call its hooks; returns the names of the hooks it implements."""
    with redirect_stdout(sys.stderr):  # stdout is for data
        plugin = entry.load()
    name = f"{entry.value}#{len(manager.get_plugins())}"
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise
    others = [other for other in manager.get_plugins() if other is not plugin]
    with redirect_stdout(sys.stderr):
        for hook, register in registrars.items():
            manager.subset_hook_caller(hook, others)(register=register)
    return tuple(sorted(caller.name for caller in manager.get_hookcallers(plugin) or ()))


def _registrar(
    claims: dict[str, list[Registration]],
    refused: dict[str, PluginError],
    distribution: str,
    version: str,
) -> Callable[[ModelSpec], None]:
    """Function that a plugin of this distribution calls once for each model."""

    def register(spec: ModelSpec) -> None:
        if not isinstance(spec, ModelSpec):
            msg = f"it registers a {type(spec).__name__} where a ModelSpec belongs."
            raise PluginError(msg)
        try:
            check_spec(spec, distribution)
        except PluginError as error:
            refused[spec.name] = error
            raise
        claimed = claims.setdefault(spec.name, [])
        if any(canonical(other.distribution) == canonical(distribution) for other in claimed):
            msg = f"it registers {spec.name} twice."
            raise PluginError(msg)
        claimed.append(Registration(spec, distribution, version))

    return register


def _wrapper_registrar(
    wrappers: dict[str, WrapperSpec], distribution: str
) -> Callable[[WrapperSpec], None]:
    """Function that a plugin of this distribution calls once for each wrapper."""

    def register(spec: WrapperSpec) -> None:
        if not isinstance(spec, WrapperSpec):
            msg = f"it registers a {type(spec).__name__} where a WrapperSpec belongs."
            raise PluginError(msg)
        check_spec(spec, distribution)
        if spec.suffix in wrappers:
            msg = f"another wrapper has the suffix {spec.suffix} already; uninstall one of them."
            raise PluginError(msg)
        wrappers[spec.suffix] = spec

    return register


def _one_line(error: BaseException) -> str:
    """The text of an exception, after its type unless it is a PluginError."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"its {error.title} is not valid: {place}: {first['msg']}"
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
