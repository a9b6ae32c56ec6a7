"""Names of models: `architecture.tag[@revision]`, or `hub:ORG/NAME[@REVISION]` for a repository."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, TypeVar

from calozoo.models import discovery
from calozoo.models.index import IndexEntry, read_index
from calozoo.models.weights import bundled_folder
from calozoo_core.errors import CalozooError, InputError, ModelNameError, PluginError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.particles import to_particle_name

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo_core.wrappers import WrapperFitter, WrapperSpec

__all__ = [
    "HUB_PREFIX",
    "MLFLOW_PREFIX",
    "REPO_NAME",
    "find",
    "find_entry",
    "find_factory",
    "find_fitter",
    "find_wrapper",
    "is_repository",
    "list_absent",
    "list_models",
    "split_repository",
    "split_revision",
]

HUB_PREFIX: Final = "hub:"
MLFLOW_PREFIX: Final = "mlflow:"
REPO_NAME: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

WRAPPER_DISTRIBUTIONS: Final = {"+refined": "calozoo-refine"}
"""Distributions of known wrappers by suffix, for the message where one is not installed."""

Known = TypeVar("Known", "ModelSpec", "IndexEntry")


def list_models(
    pattern: str | None = None, *, detector: str | None = None, particle: str | int | None = None
) -> list[ModelSpec]:
    """Specs of the models of the installed plugins, sorted by name.

    Arguments:
        pattern: Only names that match it, as file names match `cal*` in a shell; a bare
            architecture means all its tags.
        detector: Only models of this detector.
        particle: Only models that were trained on this particle, by its PDG name or number.

    Example:
        >>> [spec.name for spec in list_models("toy*", particle="gamma")]
        ['toy.ild-photon']
        >>> list_models("toy*", detector="par04_siw")
        []
    """
    wanted = None if particle is None else to_particle_name(particle)
    specs = [registration.spec for registration in discovery.registered().values()]
    return sorted(
        (
            spec
            for spec in _matching(specs, pattern)
            if detector in (None, spec.detector)
            and (wanted is None or wanted in spec.conditions.particles)
        ),
        key=lambda spec: spec.name,
    )


def list_absent(pattern: str | None = None) -> list[IndexEntry]:
    """The models of the index whose plugin is not installed, sorted by name.

    Arguments:
        pattern: As for `list_models`.
    """
    here = discovery.registered() | discovery.refused()
    absent = [entry for entry in read_index().values() if entry.name not in here]
    return sorted(_matching(absent, pattern), key=lambda entry: entry.name)


def find(name: str) -> Registration:
    """The installed model of this name, with the distribution that it came with.

    Arguments:
        name: `architecture.tag`, or an architecture, which means the first tag registered; an alias
            of an architecture does as well.

    Raises:
        ModelNameError: If there is no such model; the message has the nearest, or what to install.
        PluginError: If several distributions claim the name, or its plugin cannot be used.

    Example:
        >>> find("toy").spec.name
        'toy.ild-photon'
    """
    models, refused = discovery.registered(), discovery.refused()
    name = _without_alias(name, [registration.spec for registration in models.values()])
    full = _first_tag(name, [*models, *refused]) if "." not in name else name
    if full in models:
        return models[full]
    if full in refused:
        raise refused[full]
    if (wrapper := find_wrapper(name)) is not None:
        return _wrapped(find(name.removesuffix(wrapper.suffix)), wrapper)
    for suffix, distribution in WRAPPER_DISTRIBUTIONS.items():
        if name.endswith(suffix):
            base = find(name.removesuffix(suffix)).spec.name
            raise _unavailable(base + suffix, distribution)
    index = read_index()
    name = _without_alias(name, index.values())
    known = index.get(_first_tag(name, index) if "." not in name else name)
    if known is not None:
        raise _unavailable(known.name, known.distribution)
    raise ModelNameError(_no_such_model(name, [*models, *index]))


def find_wrapper(name: str) -> WrapperSpec | None:
    """Wrapper of this suffix, or of the suffix that a model's name ends in; None if there is none.

    Example:
        >>> find_wrapper("toy.ild-photon") is None
        True
    """
    return next((w for w in discovery.wrappers().values() if name.endswith(w.suffix)), None)


def find_entry(name: str) -> IndexEntry:
    """The index entry of a model, whether its plugin is installed or not.

    Arguments:
        name: As for `find`.

    Raises:
        ModelNameError: If the index does not have it.
    """
    models, index = discovery.registered(), read_index()
    specs = [registration.spec for registration in models.values()]
    name = _without_alias(name, [*specs, *index.values()])
    full = _first_tag(name, [*models, *index]) if "." not in name else name
    if full in index:
        return index[full]
    if full in models:
        msg = f"{full} is in no index; name its repository on the Hub instead, as ORG/NAME."
        raise ModelNameError(msg)
    raise ModelNameError(_no_such_model(name, [*models, *index]))


def find_factory(spec: ModelSpec) -> type[Generator]:
    """The Generator class of a model; this imports it.

    Raises:
        PluginError: If it cannot be imported, or is not a Generator class.
    """
    module, _, attribute = spec.factory.partition(":")
    try:
        with redirect_stdout(sys.stderr):  # stdout is for data
            factory = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        msg = f"{spec.name} cannot be loaded, since importing {spec.factory} failed: {reason}."
        raise PluginError(msg) from error
    if not (isinstance(factory, type) and issubclass(factory, Generator)):
        msg = f"{spec.name} cannot be loaded, since {spec.factory} is no Generator class."
        raise PluginError(msg)
    return factory


def is_repository(name: str) -> bool:
    """True if a name is that of a repository on the Hub, `hub:...`.

    Example:
        >>> is_repository("hub:my-lab/photons@v1.0"), is_repository("toy.ild-photon@v1.0")
        (True, False)
    """
    return name.startswith((HUB_PREFIX, MLFLOW_PREFIX))


def split_repository(name: str) -> tuple[str, str | None]:
    """The repository of a name `hub:ORG/NAME[@REVISION]`, and the revision if there is one.

    Raises:
        InputError: If it is not `hub:ORG/NAME` or `hub:ORG/NAME@REVISION`.

    Example:
        >>> split_repository("hub:my-lab/photons@v1.0")
        ('my-lab/photons', 'v1.0')
    """
    repo, at, revision = name.removeprefix(HUB_PREFIX).partition("@")
    if not REPO_NAME.fullmatch(repo) or (at and not revision):
        msg = f"'{name}' is no repository of the Hub; write hub:ORG/NAME or hub:ORG/NAME@REVISION."
        raise InputError(msg)
    return repo, revision or None


def find_fitter(suffix: str) -> WrapperFitter:
    """Function that fits the wrapper of this suffix, imported now.

    Arguments:
        suffix: A suffix of `WRAPPER_DISTRIBUTIONS`.

    Raises:
        ModelNameError: If no plugin with the wrapper is installed; the message says what to type.
        PluginError: If it cannot be imported, or has no fitter.
    """
    wrapper = find_wrapper(suffix)
    if wrapper is None:
        name = f"the wrapper {suffix}"
        raise _unavailable(name, WRAPPER_DISTRIBUTIONS[suffix])
    try:
        fitter: WrapperFitter = pkgutil.resolve_name(wrapper.fitter or "")
    except Exception as error:
        reason = " ".join(str(error).split())
        msg = f"{suffix} cannot be fitted, since importing {wrapper.fitter} failed: {reason}."
        raise PluginError(msg) from error
    return fitter


def split_revision(name: str) -> tuple[str, str | None]:
    """The name without its revision, and the revision; the name of a repository keeps its own.

    Raises:
        InputError: If nothing follows the `@`.

    Example:
        >>> split_revision("toy@v1.0")
        ('toy', 'v1.0')
        >>> split_revision("hub:my-lab/photons@v1.0")
        ('hub:my-lab/photons@v1.0', None)
    """
    if is_repository(name):
        return name, None
    short, at, revision = name.partition("@")
    if at and not revision:
        msg = f"'{name}' names no revision; write '{short}' or '{short}@REVISION'."
        raise InputError(msg)
    return short, revision or None


def _wrapped(base: Registration, wrapper: WrapperSpec) -> Registration:
    """A wrapped model, with weights if the plugin of the model ships any for the wrapper."""
    spec = wrapper.wrapped(base.spec)
    if bundled_folder(spec) is None:
        spec = spec.model_copy(update={"weights": None})
    return replace(base, spec=spec)


def _matching(models: list[Known], pattern: str | None) -> list[Known]:
    """The models whose name matches a pattern, or whose architecture it is."""
    if pattern is None:
        return models
    full = _without_alias(pattern, models)
    return [
        known
        for known in models
        if fnmatchcase(known.name, full) or known.name.partition(".")[0] == full
    ]


def _without_alias(name: str, models: Iterable[ModelSpec | IndexEntry]) -> str:
    """The name with an alias of the architecture replaced, unless a model has that name itself."""
    architecture, dot, tag = name.partition(".")
    own: dict[str, str] = {}
    for known in models:
        called = known.name.partition(".")[0]
        own |= {alias: called for alias in known.aliases if alias not in own} | {called: called}
    return own.get(architecture, architecture) + dot + tag


def _first_tag(architecture: str, names: Iterable[str]) -> str:
    """The first of these names with this architecture; the architecture if there is none."""
    return next((n for n in names if n.partition(".")[0] == architecture), architecture)


def _unavailable(name: str, needed: str) -> CalozooError:
    """The error for a known model: its plugin is not installed, or cannot be used."""
    for failure in discovery.failures():
        if discovery.canonical(failure.distribution) == discovery.canonical(needed):
            reason = str(failure).removesuffix(".")
            return PluginError(f"{name} cannot be loaded, since {reason}.")
    msg = f"{name} is not installed; type `pip install {needed}`{_but_broken()}."
    return ModelNameError(msg)


def _no_such_model(name: str, names: list[str]) -> str:
    """The message for an unknown name, with the nearest known name."""
    full = "." in name
    candidates = names if full else [known.partition(".")[0] for known in names]
    nearest = difflib.get_close_matches(name, dict.fromkeys(candidates), n=1)
    if not nearest and full:
        # The architecture may be right where the tag is not.
        architecture = name.partition(".")[0]
        nearest = difflib.get_close_matches(architecture, [n.partition(".")[0] for n in names], n=1)
    guess = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return f"no model named '{name}'.{guess} `calozoo list` shows all models{_but_broken()}."


def _but_broken() -> str:
    broken = {failure.distribution for failure in discovery.failures()}
    if not broken:
        return ""
    return f" (not used: {', '.join(sorted(broken))}; `calozoo plugins` says why)"
